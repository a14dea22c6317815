// The admin commands of the public API: arguments to SQE fields, each named by its clause. What a
// device supports is the device's to say, so nothing is refused here that can be put into an SQE.
#include "driver/admin_commands.h"

#include <algorithm>
#include <optional>
#include <utility>

#include <nanobind/nanobind.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>

#include "bindings/admin_commands_doc.h"
#include "bindings/buffer.h"
#include "bindings/command.h"
#include "bindings/controller.h"
#include "bindings/errors.h"
#include "bindings/int_arg.h"
#include "spec/opcode.h"

namespace nb = nanobind;
using namespace nb::literals;  // NOLINT(google-build-using-namespace): argument names

namespace pynvme::bindings {
namespace {

using Self = nb::pointer_and_handle<Controller>;
using Returned = nb::typed<nb::object, Controller>;

constexpr uint64_t kIdentifyBytes = 4096;

Returned send(const Self& self, driver::Command command, nb::handle callback) {
  self.p->send(std::move(command), callback);
  pass_on_log();
  return nb::borrow<Returned>(self.h);
}

driver::Command command_of(uint8_t opcode, uint32_t nsid = 0) {
  driver::Command command;
  command.sqe.opcode = opcode;
  command.sqe.nsid = nsid;
  return command;
}

// Number of dwords, 0's based, of commands that count them so.
uint32_t numd(uint64_t bytes, const char* name) {
  if (bytes == 0 || bytes % 4 != 0) {
    throw_argument_error(std::string(name) + " = " + std::to_string(bytes) +
                         " is not a multiple of 4 above 0: the command counts dwords");
  }
  return static_cast<uint32_t>(bytes / 4 - 1);
}

uint64_t size_or_all(const std::optional<IntArg>& size, const Buffer* buf) {
  if (size) return size->in("size", 0, UINT32_MAX);
  return buf != nullptr ? buf->size() : 0;
}

void set_dwords(spec::Sqe& sqe, const IntArg& cdw11, const IntArg& cdw12, const IntArg& cdw13,
                const IntArg& cdw14, const IntArg& cdw15) {
  sqe.cdw11 = cdw11.u32("cdw11");
  sqe.cdw12 = cdw12.u32("cdw12");
  sqe.cdw13 = cdw13.u32("cdw13");
  sqe.cdw14 = cdw14.u32("cdw14");
  sqe.cdw15 = cdw15.u32("cdw15");
}

// §5.17. The structure always has 4096 bytes; a shorter Buffer gets them too where its page has the
// room.
Returned identify(const Self& self, Buffer* buf, const IntArg& nsid, const IntArg& cns,
                  const IntArg& cntid, const IntArg& csi, const IntArg& nvmsetid,
                  const nb::object& cb) {
  driver::Command command;
  command.sqe = driver::identify_command(cns.u8("cns"), nsid.u32("nsid"), cntid.u16("cntid"),
                                         csi.u8("csi"), nvmsetid.u16("nvmsetid"));
  if (buf != nullptr) {
    // A short one is fine where its page holds the rest; the device always transfers all of it.
    command.data =
        buf->room() < kIdentifyBytes ? data_of(buf, kIdentifyBytes, "Identify") : all_data_of(buf);
    command.data.size = kIdentifyBytes;
  } else {
    const auto memory = std::make_shared<BufferMemory>();
    memory->block = pcie::DmaMemory::instance().allocate(kIdentifyBytes);
    command.data = {memory->block.iova(), memory->block.data(), kIdentifyBytes, memory};
  }
  return send(self, std::move(command), cb);
}

// §5.15
Returned getfeatures(const Self& self, const IntArg& fid, const IntArg& sel, Buffer* buf,
                     const IntArg& cdw11, const IntArg& cdw12, const IntArg& cdw13,
                     const IntArg& cdw14, const IntArg& cdw15, const nb::object& cb) {
  driver::Command command = command_of(spec::admin::kGetFeatures);
  command.sqe.cdw10 = fid.u8("fid") | static_cast<uint32_t>(sel.in("sel", 0, 7)) << 8;
  set_dwords(command.sqe, cdw11, cdw12, cdw13, cdw14, cdw15);
  command.data = all_data_of(buf);
  return send(self, std::move(command), cb);
}

// §5.27
Returned setfeatures(const Self& self, const IntArg& fid, const IntArg& sv, Buffer* buf,
                     const IntArg& cdw11, const IntArg& cdw12, const IntArg& cdw13,
                     const IntArg& cdw14, const IntArg& cdw15, const nb::object& cb) {
  driver::Command command = command_of(spec::admin::kSetFeatures);
  command.sqe.cdw10 = fid.u8("fid") | static_cast<uint32_t>(sv.in("sv", 0, 1)) << 31;
  set_dwords(command.sqe, cdw11, cdw12, cdw13, cdw14, cdw15);
  command.data = all_data_of(buf);
  return send(self, std::move(command), cb);
}

// §5.16. Bits above the LID go into CDW10 as they are: LSP (14:8) and RAE (15).
Returned getlogpage(const Self& self, const IntArg& lid, Buffer* buf,
                    const std::optional<IntArg>& size, const IntArg& offset, const IntArg& nsid,
                    const nb::object& cb) {
  const uint64_t bytes = size_or_all(size, buf);
  const uint32_t dwords = numd(bytes, "size");
  const uint64_t at = offset.u64("offset");
  driver::Command command = command_of(spec::admin::kGetLogPage, nsid.u32("nsid"));
  command.sqe.cdw10 = lid.u16("lid") | (dwords & 0xFFFF) << 16;
  command.sqe.cdw11 = dwords >> 16;
  command.sqe.cdw12 = static_cast<uint32_t>(at);
  command.sqe.cdw13 = static_cast<uint32_t>(at >> 32);
  command.data = data_of(buf, bytes, "Get Log Page");
  return send(self, std::move(command), cb);
}

// §5.14
Returned format(const Self& self, const IntArg& lbaf, const IntArg& ses, const IntArg& nsid,
                const nb::object& cb) {
  const auto index = static_cast<uint32_t>(lbaf.in("lbaf", 0, 63));
  driver::Command command = command_of(spec::admin::kFormatNvm, nsid.u32("nsid"));
  command.sqe.cdw10 =
      (index & 0xF) | static_cast<uint32_t>(ses.in("ses", 0, 7)) << 9 | (index >> 4) << 12;
  return send(self, std::move(command), cb);
}

// §5.12 and §5.13; offsets count dwords on the wire and bytes here.
Returned fw_download(const Self& self, Buffer* buf, const IntArg& offset,
                     const std::optional<IntArg>& size, const nb::object& cb) {
  const uint64_t bytes = size_or_all(size, buf);
  const uint64_t at = offset.in("offset", 0, uint64_t{UINT32_MAX} * 4);
  if (at % 4 != 0)
    throw_argument_error("offset = " + std::to_string(at) + " is not a multiple of 4");
  driver::Command command = command_of(spec::admin::kFirmwareImageDownload);
  command.sqe.cdw10 = numd(bytes, "size");
  command.sqe.cdw11 = static_cast<uint32_t>(at / 4);
  command.data = data_of(buf, bytes, "Firmware Image Download");
  return send(self, std::move(command), cb);
}

// §5.25 and §5.26
Returned security(const Self& self, uint8_t opcode, Buffer* buf, const IntArg& spsp,
                  const IntArg& secp, const IntArg& nssf, const std::optional<IntArg>& size,
                  const nb::object& cb) {
  const uint64_t bytes = size_or_all(size, buf);
  driver::Command command = command_of(opcode);
  command.sqe.cdw10 = static_cast<uint32_t>(secp.u8("secp")) << 24 |
                      static_cast<uint32_t>(spsp.u16("spsp")) << 8 | nssf.u8("nssf");
  command.sqe.cdw11 = static_cast<uint32_t>(bytes);
  command.data = data_of(
      buf, bytes, opcode == spec::admin::kSecuritySend ? "Security Send" : "Security Receive");
  return send(self, std::move(command), cb);
}

// NVMe-MI 1.2 §4.3: the message's first dword in CDW10 (message type 4h), the MI opcode and its
// dwords after.
Returned mi(const Self& self, uint8_t nvme_opcode, const IntArg& opcode, const IntArg& dword0,
            const IntArg& dword1, Buffer* buf, const IntArg& mtype, const nb::object& cb) {
  driver::Command command = command_of(nvme_opcode);
  command.sqe.cdw10 = 0x4 | static_cast<uint32_t>(mtype.in("mtype", 0, 15)) << 11;
  command.sqe.cdw11 = opcode.u8("opcode");
  command.sqe.cdw12 = dword0.u32("dword0");
  command.sqe.cdw13 = dword1.u32("dword1");
  command.data = all_data_of(buf);
  return send(self, std::move(command), cb);
}

Returned send_cmd(const Self& self, const IntArg& opcode, Buffer* buf, const IntArg& nsid,
                  const IntArg& cdw10, const IntArg& cdw11, const IntArg& cdw12,
                  const IntArg& cdw13, const IntArg& cdw14, const IntArg& cdw15,
                  const nb::object& cb) {
  const uint16_t dword0 = opcode.u16("opcode");
  driver::Command command = command_of(static_cast<uint8_t>(dword0), nsid.u32("nsid"));
  command.sqe.flags = static_cast<uint8_t>(dword0 >> 8);
  command.sqe.cdw10 = cdw10.u32("cdw10");
  set_dwords(command.sqe, cdw11, cdw12, cdw13, cdw14, cdw15);
  command.data = all_data_of(buf);
  return send(self, std::move(command), cb);
}

// With a callback it is about events, whoever sent the AERs that bring them: one that the driver
// armed will do as well, and one more would only be refused. So will it when an explicit None takes
// the callback away. Without one, the script wants its AER at the device, refused or not.
Returned aer(const Self& self, const nb::object& cb) {
  auto& open = self.p->open();
  driver::Command command;
  command.sqe = driver::async_event_command();
  nb::object callback = nb::none();
  const bool listens = self.p->listens();
  if (!cb.is(nb::handle(Py_Ellipsis))) {
    callback = cb;
    if (cb.is_none() && listens) self.p->async_events(cb);
    const bool full = open.driver().admin().async_events() > open.driver().identify_data().aerl;
    if (full && (cb.is_none() ? listens : open.spare_events != 0)) {
      if (!cb.is_none()) {
        self.p->async_events(cb);
        --open.spare_events;
      }
      return nb::borrow<Returned>(self.h);
    }
  }
  return send(self, std::move(command), callback);
}

}  // namespace

void bind_admin_commands(nb::class_<Controller>& controller) {
  const nb::none none;
  controller
      .def(
          "abort",
          [](const Self& self, const IntArg& cid, const IntArg& sqid, const nb::object& cb) {
            driver::Command command;
            command.sqe = driver::abort_command(sqid.u16("sqid"), cid.u16("cid"));
            return send(self, std::move(command), cb);
          },
          "cid"_a, "sqid"_a = 0, "cb"_a = none, doc::kAbort)
      .def("identify", identify, "buf"_a = none, "nsid"_a = 0, "cns"_a = 1, "cntid"_a = 0,
           "csi"_a = 0, "nvmsetid"_a = 0, "cb"_a = none, doc::kIdentify)
      .def("getfeatures", getfeatures, "fid"_a, "sel"_a = 0, "buf"_a = none, "cdw11"_a = 0,
           "cdw12"_a = 0, "cdw13"_a = 0, "cdw14"_a = 0, "cdw15"_a = 0, "cb"_a = none,
           doc::kGetFeatures)
      .def("setfeatures", setfeatures, "fid"_a, "sv"_a = 0, "buf"_a = none, "cdw11"_a = 0,
           "cdw12"_a = 0, "cdw13"_a = 0, "cdw14"_a = 0, "cdw15"_a = 0, "cb"_a = none,
           doc::kSetFeatures)
      .def("getlogpage", getlogpage, "lid"_a, "buf"_a, "size"_a = none, "offset"_a = 0,
           "nsid"_a = 0xFFFFFFFFULL, "cb"_a = none, doc::kGetLogPage)
      .def("format", format, "lbaf"_a = 0, "ses"_a = 0, "nsid"_a = 1, "cb"_a = none, doc::kFormat)
      .def(
          "sanitize",
          [](const Self& self, const IntArg& option, const IntArg& pattern, const nb::object& cb) {
            driver::Command command = command_of(spec::admin::kSanitize);
            command.sqe.cdw10 = option.u32("option");
            command.sqe.cdw11 = pattern.u32("pattern");
            return send(self, std::move(command), cb);
          },
          "option"_a = 2, "pattern"_a = 0, "cb"_a = none, doc::kSanitize)
      .def(
          "dst",
          [](const Self& self, const IntArg& stc, const IntArg& nsid, const nb::object& cb) {
            driver::Command command = command_of(spec::admin::kDeviceSelfTest, nsid.u32("nsid"));
            command.sqe.cdw10 = stc.u32("stc");
            return send(self, std::move(command), cb);
          },
          "stc"_a = 1, "nsid"_a = 0xFFFFFFFFULL, "cb"_a = none, doc::kDst)
      .def("fw_download", fw_download, "buf"_a, "offset"_a, "size"_a = none, "cb"_a = none,
           doc::kFwDownload)
      .def(
          "fw_commit",
          [](const Self& self, const IntArg& slot, const IntArg& action, const nb::object& cb) {
            driver::Command command = command_of(spec::admin::kFirmwareCommit);
            command.sqe.cdw10 = static_cast<uint32_t>(slot.in("slot", 0, 7)) |
                                static_cast<uint32_t>(action.in("action", 0, 7)) << 3;
            return send(self, std::move(command), cb);
          },
          "slot"_a, "action"_a, "cb"_a = none, doc::kFwCommit)
      .def("aer", aer, "cb"_a.none() = nb::borrow(Py_Ellipsis),
           nb::sig("def aer(self, cb: object | None = None) -> Controller"), doc::kAer)
      .def(
          "security_send",
          [](const Self& self, Buffer* buf, const IntArg& spsp, const IntArg& secp,
             const IntArg& nssf, const std::optional<IntArg>& size, const nb::object& cb) {
            return security(self, spec::admin::kSecuritySend, buf, spsp, secp, nssf, size, cb);
          },
          "buf"_a.none(), "spsp"_a, "secp"_a = 1, "nssf"_a = 0, "size"_a = none, "cb"_a = none,
          doc::kSecuritySend)
      .def(
          "security_receive",
          [](const Self& self, Buffer* buf, const IntArg& spsp, const IntArg& secp,
             const IntArg& nssf, const std::optional<IntArg>& size, const nb::object& cb) {
            return security(self, spec::admin::kSecurityReceive, buf, spsp, secp, nssf, size, cb);
          },
          "buf"_a.none(), "spsp"_a, "secp"_a = 1, "nssf"_a = 0, "size"_a = none, "cb"_a = none,
          doc::kSecurityReceive)
      .def(
          "mi_send",
          [](const Self& self, const IntArg& opcode, const IntArg& dword0, const IntArg& dword1,
             Buffer* buf, const IntArg& mtype, const nb::object& cb) {
            return mi(self, spec::admin::kMiSend, opcode, dword0, dword1, buf, mtype, cb);
          },
          "opcode"_a, "dword0"_a = 0, "dword1"_a = 0, "buf"_a = none, "mtype"_a = 1, "cb"_a = none,
          doc::kMiSend)
      .def(
          "mi_receive",
          [](const Self& self, const IntArg& opcode, const IntArg& dword0, const IntArg& dword1,
             Buffer* buf, const IntArg& mtype, const nb::object& cb) {
            return mi(self, spec::admin::kMiReceive, opcode, dword0, dword1, buf, mtype, cb);
          },
          "opcode"_a, "dword0"_a = 0, "dword1"_a = 0, "buf"_a = none, "mtype"_a = 1, "cb"_a = none,
          doc::kMiReceive)
      .def("send_cmd", send_cmd, "opcode"_a, "buf"_a = none, "nsid"_a = 0, "cdw10"_a = 0,
           "cdw11"_a = 0, "cdw12"_a = 0, "cdw13"_a = 0, "cdw14"_a = 0, "cdw15"_a = 0, "cb"_a = none,
           doc::kAdminSendCmd);
}

}  // namespace pynvme::bindings
