// The IO commands of the public API: arguments to SQE fields. The hot calls of Python scripts end
// here, so arguments are checked without allocating.
#include <optional>
#include <string>
#include <utility>

#include <nanobind/nanobind.h>
#include <nanobind/stl/optional.h>

#include "bindings/bool_arg.h"
#include "bindings/errors.h"
#include "bindings/int_arg.h"
#include "bindings/io_commands_doc.h"
#include "bindings/namespace.h"
#include "driver/admin_commands.h"
#include "driver/lba_layout.h"
#include "spec/command_fields.h"
#include "spec/opcode.h"

namespace nb = nanobind;
using namespace nb::literals;  // NOLINT(google-build-using-namespace): argument names

namespace pynvme::bindings {
namespace {

using Queue = nb::pointer_and_handle<Qpair>;
using Returned = nb::typed<nb::object, Qpair>;

Returned finish(const Queue& qpair) {
  pass_on_log();
  return nb::borrow<Returned>(qpair.h);
}

// CDW12 31:16. Scripts give the halfword (bit 14: FUA), some the dword's bits themselves (bit 30).
uint32_t flags_of(const IntArg& io_flags) {
  const uint32_t flags = io_flags.u32("io_flags");
  if (flags <= 0xFFFF) return flags << 16;
  if ((flags & 0xFFFF) == 0) return flags;
  throw_argument_error("io_flags = " + std::to_string(flags) +
                       " is neither a halfword nor bits 31:16 of CDW12");
}

driver::Command lba_command(uint8_t opcode, const Namespace& ns, const IntArg& lba,
                            const IntArg& lba_count, uint32_t flags) {
  driver::Command command;
  command.sqe.opcode = opcode;
  command.sqe.nsid = ns.nsid();
  command.sqe.set_slba(lba.u64("lba"));
  command.sqe.cdw12 = flags | static_cast<uint32_t>(lba_count.in("lba_count", 1, 65536) - 1);
  return command;
}

// Where a script says nothing of protection information, the controller does it all. The guard of a
// write() has to be the controller's: stamps would make one wrong that came with the data.
void add_protection(spec::Sqe& sqe, const driver::LbaLayout& layout) {
  if (!layout.takes_pract(sqe.opcode)) return;
  const uint8_t prinfo = spec::io_prinfo(sqe.cdw12);
  if (prinfo == 0 && sqe.cdw14 == 0 && sqe.cdw15 == 0 && (sqe.cdw12 & spec::kIoDeac) == 0) {
    driver::protect(sqe, layout);
  } else if (sqe.opcode == spec::io::kWrite && (prinfo & spec::kPrchkGuard) != 0 &&
             (prinfo & spec::kPract) == 0) {
    throw_argument_error(
        "write() stamps every LBA, so that no guard in the Buffer could be right. Nothing was "
        "sent; leave PRINFO out of io_flags or set PRACT (0x2000) as well, or write with "
        "send_cmd(), which changes nothing.");
  }
}

Returned transfer(uint8_t opcode, const char* what, Namespace& self, const Queue& qpair,
                  Buffer* buf, const IntArg& lba, const IntArg& lba_count, const IntArg& io_flags,
                  const IntArg& dword13, const IntArg& dword14, const IntArg& dword15,
                  nb::handle cb) {
  driver::Command command = lba_command(opcode, self, lba, lba_count, flags_of(io_flags));
  command.sqe.cdw13 = dword13.u32("dword13");
  command.sqe.cdw14 = dword14.u32("dword14");
  command.sqe.cdw15 = dword15.u32("dword15");
  const driver::LbaLayout& layout = self.state().lba;
  if (layout.protection != 0) [[unlikely]]
    add_protection(command.sqe, layout);
  const uint64_t bytes =
      uint64_t{spec::io_nlb(command.sqe.cdw12)} * layout.stride(spec::io_pract(command.sqe.cdw12));
  command.data = data_of(buf, bytes, what);
  self.send(*qpair.p, std::move(command), buf, opcode == spec::io::kWrite, cb);
  return finish(qpair);
}

Returned read(Namespace& self, const Queue& qpair, Buffer* buf, const IntArg& lba,
              const IntArg& lba_count, const IntArg& io_flags, const IntArg& dword13,
              const IntArg& dword14, const IntArg& dword15, const nb::object& cb) {
  return transfer(spec::io::kRead, "Read", self, qpair, buf, lba, lba_count, io_flags, dword13,
                  dword14, dword15, cb);
}

Returned write(Namespace& self, const Queue& qpair, Buffer* buf, const IntArg& lba,
               const IntArg& lba_count, const IntArg& io_flags, const IntArg& dword13,
               const IntArg& dword14, const IntArg& dword15, const nb::object& cb) {
  return transfer(spec::io::kWrite, "Write", self, qpair, buf, lba, lba_count, io_flags, dword13,
                  dword14, dword15, cb);
}

Returned compare(Namespace& self, const Queue& qpair, Buffer* buf, const IntArg& lba,
                 const IntArg& lba_count, const IntArg& io_flags, const nb::object& cb) {
  return transfer(spec::io::kCompare, "Compare", self, qpair, buf, lba, lba_count, io_flags, {}, {},
                  {}, cb);
}

Returned no_data(uint8_t opcode, Namespace& self, const Queue& qpair, const IntArg& lba,
                 const IntArg& lba_count, uint32_t flags, const nb::object& cb) {
  driver::Command command = lba_command(opcode, self, lba, lba_count, flags);
  add_protection(command.sqe, self.state().lba);
  self.send(*qpair.p, std::move(command), nullptr, false, cb);
  return finish(qpair);
}

// NVM Command Set 1.0 §3.2.3
Returned dsm(Namespace& self, const Queue& qpair, Buffer* buf, const IntArg& range_count,
             const IntArg& attribute, const nb::object& cb) {
  constexpr uint64_t kRangeBytes = 16;
  const uint64_t ranges = range_count.in("range_count", 1, 256);
  driver::Command command;
  command.sqe.opcode = spec::io::kDatasetManagement;
  command.sqe.nsid = self.nsid();
  command.sqe.cdw10 = static_cast<uint32_t>(ranges - 1);
  command.sqe.cdw11 = attribute.u32("attribute");
  command.data = data_of(buf, ranges * kRangeBytes, "Dataset Management");
  self.send(*qpair.p, std::move(command), buf, false, cb);
  return finish(qpair);
}

Returned flush(Namespace& self, const Queue& qpair, const nb::object& cb) {
  driver::Command command;
  command.sqe.opcode = spec::io::kFlush;
  command.sqe.nsid = self.nsid();
  self.send(*qpair.p, std::move(command), nullptr, false, cb);
  return finish(qpair);
}

// Zoned Namespace Command Set 1.1 §3.4.2
Returned zns_mgmt_receive(Namespace& self, const Queue& qpair, Buffer* buf, const IntArg& slba,
                          const std::optional<IntArg>& dwords, BoolArg extended,
                          const IntArg& state, BoolArg partial, const nb::object& cb) {
  const uint64_t all = buf != nullptr ? buf->size() / 4 : 1;
  const uint64_t count = dwords ? dwords->in("dwords", 1, UINT32_MAX) : all;
  driver::Command command;
  command.sqe.opcode = spec::io::kZoneManagementReceive;
  command.sqe.nsid = self.nsid();
  command.sqe.set_slba(slba.u64("slba"));
  command.sqe.cdw12 = static_cast<uint32_t>(count - 1);
  command.sqe.cdw13 = (extended ? 1U : 0U) | static_cast<uint32_t>(state.u8("state")) << 8 |
                      (partial ? 1U << 16 : 0U);
  command.data = data_of(buf, count * 4, "Zone Management Receive");
  self.send(*qpair.p, std::move(command), buf, false, cb);
  return finish(qpair);
}

// Zoned Namespace Command Set 1.1 §3.4.3
Returned zns_mgmt_send(Namespace& self, const Queue& qpair, Buffer* buf, const IntArg& slba,
                       const IntArg& action, BoolArg all, const nb::object& cb) {
  driver::Command command;
  command.sqe.opcode = spec::io::kZoneManagementSend;
  command.sqe.nsid = self.nsid();
  command.sqe.set_slba(slba.u64("slba"));
  command.sqe.cdw13 = action.u8("action") | (all ? 1U << 8 : 0U);
  command.data = all_data_of(buf);
  self.send(*qpair.p, std::move(command), buf, false, cb);
  return finish(qpair);
}

Returned send_cmd(Namespace& self, const IntArg& opcode, const Queue& qpair, Buffer* buf,
                  const IntArg& nsid, const IntArg& cdw10, const IntArg& cdw11, const IntArg& cdw12,
                  const IntArg& cdw13, const IntArg& cdw14, const IntArg& cdw15,
                  const nb::object& cb) {
  const uint16_t dword0 = opcode.u16("opcode");
  driver::Command command;
  command.sqe.opcode = static_cast<uint8_t>(dword0);
  command.sqe.flags = static_cast<uint8_t>(dword0 >> 8);
  command.sqe.nsid = nsid.u32("nsid");
  command.sqe.cdw10 = cdw10.u32("cdw10");
  command.sqe.cdw11 = cdw11.u32("cdw11");
  command.sqe.cdw12 = cdw12.u32("cdw12");
  command.sqe.cdw13 = cdw13.u32("cdw13");
  command.sqe.cdw14 = cdw14.u32("cdw14");
  command.sqe.cdw15 = cdw15.u32("cdw15");
  command.data = all_data_of(buf);
  // An SGL says how long the data are, PRPs leave that to the command.
  if (self.controller().driver().transport().data_pointers() == driver::DataPointers::kSgl &&
      command.sqe.nsid == self.nsid()) {
    const uint32_t stride = self.state().lba.stride(spec::io_pract(command.sqe.cdw12));
    command.data.size = driver::io_data_bytes(command.sqe, command.data.size, stride);
  }
  self.send(*qpair.p, std::move(command), buf, false, cb);
  return finish(qpair);
}

}  // namespace

void bind_io_commands(nb::class_<Namespace>& ns) {
  const nb::none none;
  ns.def("read", read, "qpair"_a, "buf"_a.none(), "lba"_a, "lba_count"_a = 1, "io_flags"_a = 0,
         "dword13"_a = 0, "dword14"_a = 0, "dword15"_a = 0, "cb"_a = none, doc::kRead)
      .def("write", write, "qpair"_a, "buf"_a.none(), "lba"_a, "lba_count"_a = 1, "io_flags"_a = 0,
           "dword13"_a = 0, "dword14"_a = 0, "dword15"_a = 0, "cb"_a = none, doc::kWrite)
      .def("compare", compare, "qpair"_a, "buf"_a.none(), "lba"_a, "lba_count"_a = 1,
           "io_flags"_a = 0, "cb"_a = none, doc::kCompare)
      .def("dsm", dsm, "qpair"_a, "buf"_a.none(), "range_count"_a, "attribute"_a = 4, "cb"_a = none,
           doc::kDsm)
      .def("flush", flush, "qpair"_a, "cb"_a = none, doc::kFlush)
      .def(
          "verify",
          [](Namespace& self, const Queue& qpair, const IntArg& lba, const IntArg& lba_count,
             const IntArg& io_flags, const nb::object& cb) {
            return no_data(spec::io::kVerify, self, qpair, lba, lba_count, flags_of(io_flags), cb);
          },
          "qpair"_a, "lba"_a, "lba_count"_a = 1, "io_flags"_a = 0, "cb"_a = none, doc::kVerify)
      .def(
          "write_zeroes",
          [](Namespace& self, const Queue& qpair, const IntArg& lba, const IntArg& lba_count,
             const IntArg& io_flags, const nb::object& cb) {
            return no_data(spec::io::kWriteZeroes, self, qpair, lba, lba_count, flags_of(io_flags),
                           cb);
          },
          "qpair"_a, "lba"_a, "lba_count"_a = 1, "io_flags"_a = 0, "cb"_a = none, doc::kWriteZeroes)
      .def(
          "write_uncorrectable",
          [](Namespace& self, const Queue& qpair, const IntArg& lba, const IntArg& lba_count,
             const nb::object& cb) {
            return no_data(spec::io::kWriteUncorrectable, self, qpair, lba, lba_count, 0, cb);
          },
          "qpair"_a, "lba"_a, "lba_count"_a = 1, "cb"_a = none, doc::kWriteUncorrectable)
      .def("zns_mgmt_receive", zns_mgmt_receive, "qpair"_a, "buf"_a.none(), "slba"_a = 0,
           "dwords"_a = none, "extended"_a = BoolArg{true}, "state"_a = 0,
           "partial"_a = BoolArg{true}, "cb"_a = none, doc::kZnsMgmtReceive)
      .def("zns_mgmt_send", zns_mgmt_send, "qpair"_a, "buf"_a.none(), "slba"_a = 0, "action"_a = 0,
           "all"_a = BoolArg{false}, "cb"_a = none, doc::kZnsMgmtSend)
      .def("send_cmd", send_cmd, "opcode"_a, "qpair"_a, "buf"_a = none, "nsid"_a = 1, "cdw10"_a = 0,
           "cdw11"_a = 0, "cdw12"_a = 0, "cdw13"_a = 0, "cdw14"_a = 0, "cdw15"_a = 0, "cb"_a = none,
           doc::kIoSendCmd);
}

}  // namespace pynvme::bindings
