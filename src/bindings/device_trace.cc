// The trace of an embedded SSD for Python: events as dicts. What is made of them is in
// python/nvme/cmdlog.py.
#include "bindings/device_trace.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <string>

#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>

#include "bindings/bind.h"
#include "bindings/cmdlog_records.h"
#include "bindings/controller.h"
#include "bindings/int_arg.h"
#include "driver/cmdlog_text.h"
#include "spec/registers.h"

namespace nb = nanobind;
using namespace nb::literals;  // NOLINT(google-build-using-namespace): argument names

namespace pynvme::bindings {
namespace {

using Kind = pcie::DeviceEventKind;

// "event" of the dict.
const char* name_of(Kind kind) {
  switch (kind) {
    case Kind::kTail:
      return "tail doorbell";
    case Kind::kHead:
      return "head doorbell";
    case Kind::kFetched:
      return "fetched";
    case Kind::kPosted:
      return "posted";
    case Kind::kRegister:
      return "register";
    case Kind::kPrpList:
      return "prp list";
    case Kind::kData:
      return "data";
    case Kind::kInterrupt:
      return "interrupt";
    case Kind::kPin:
      return "pin";
    case Kind::kEnabled:
      return "enabled";
    case Kind::kControllerReset:
      return "controller reset";
    case Kind::kFunctionReset:
      return "function reset";
    case Kind::kShutdown:
      return "shutdown";
    case Kind::kPowerOff:
      return "power off";
    case Kind::kPowerOn:
      return "power on";
  }
  return "";
}

std::string hex(uint64_t value) {
  char text[24];
  std::snprintf(text, sizeof text, "0x%" PRIx64, value);
  return text;
}

// By dword: the upper half of a register of 8 bytes has "+4".
std::string register_name(uint64_t offset) {
  namespace reg = spec::reg;
  switch (offset) {
    case reg::kIntms:
      return "INTMS";
    case reg::kIntmc:
      return "INTMC";
    case reg::kCc:
      return "CC";
    case reg::kCsts:
      return "CSTS";
    case reg::kNssr:
      return "NSSR";
    case reg::kAqa:
      return "AQA";
    case reg::kAsq:
      return "ASQ";
    case reg::kAsq + 4:
      return "ASQ+4";
    case reg::kAcq:
      return "ACQ";
    case reg::kAcq + 4:
      return "ACQ+4";
    case reg::kNssd:
      return "NSSD";
    default:
      return hex(offset);
  }
}

nb::dict event_of(const pcie::DeviceEvent& event) {
  nb::dict out;
  out["sequence"] = event.sequence;
  out["time_us"] = static_cast<double>(event.time_ns) / 1000;
  out["event"] = name_of(event.kind);
  const std::string queue = std::to_string(event.queue);
  const std::string value = std::to_string(event.value);
  std::string text = name_of(event.kind);
  switch (event.kind) {
    case Kind::kTail:
    case Kind::kHead:
      out["queue"] = event.queue;
      out["value"] = event.value;
      text = (event.kind == Kind::kTail ? "SQ" : "CQ") + (queue + " " + text + " = " + value);
      break;
    case Kind::kFetched: {
      const auto sqe = std::bit_cast<spec::Sqe>(event.dwords);
      const auto sqid = static_cast<uint16_t>(event.queue);
      out.update(command_of(sqe, sqid));
      out["index"] = event.value;
      text = "SQ" + queue + "[" + value + "] fetched: " + driver::command_text(sqe, sqid);
      break;
    }
    case Kind::kPosted: {
      std::array<uint32_t, 4> dwords;
      std::copy_n(event.dwords.begin(), dwords.size(), dwords.begin());
      const auto cqe = std::bit_cast<spec::Cqe>(dwords);
      out["queue"] = event.queue;
      out["index"] = event.value;
      out["cid"] = cqe.cid;
      add_completion(out, cqe);
      text = "CQ" + queue + "[" + value + "] posted: " + driver::completion_text(cqe);
      break;
    }
    case Kind::kRegister: {
      const std::string name = register_name(event.address);
      out["register"] = name;
      out["offset"] = event.address;
      out["value"] = event.value;
      text.append(" ").append(name).append(" = ").append(hex(event.value));
      break;
    }
    case Kind::kPrpList:
    case Kind::kData: {
      const char* const direction = event.to_host ? "to host" : "from host";
      out["queue"] = event.queue;
      out["cid"] = event.cid;
      out["address"] = event.address;
      out["length"] = event.bytes;
      out["direction"] = direction;
      text.append(" ").append(direction).append(": ").append(hex(event.address));
      text.append(" length:").append(std::to_string(event.bytes));
      text.append(" sqid:").append(queue).append(" cid:").append(std::to_string(event.cid));
      break;
    }
    case Kind::kInterrupt:
      out["vector"] = event.value;
      text += " vector " + value;
      break;
    case Kind::kPin:
      out["value"] = event.value;
      text += event.value != 0 ? " asserted" : " deasserted";
      break;
    default:
      break;
  }
  out["text"] = text;
  return out;
}

}  // namespace

nb::object trace_records(const std::vector<pcie::DeviceEvent>& events) {
  nb::list records;
  for (const auto& event : events) records.append(event_of(event));
  return records;
}

void bind_device_trace(nb::module_& m) {
  m.def(
      "device_trace",
      [](const Controller& self, const IntArg& count) -> nb::object {
        const auto events =
            pcie::device_trace(self.handle()->device()->function(), count.u32("count"));
        return events ? trace_records(*events) : nb::none();
      },
      "nvme"_a, "count"_a = 0,
      "What an embedded SSD saw and did, the newest `count` events; None when it keeps none.");
}

}  // namespace pynvme::bindings
