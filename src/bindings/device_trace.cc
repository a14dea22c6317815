// The trace of an embedded SSD for Python: events as dicts. What is made of them is in
// python/nvme/cmdlog.py.
#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <string>

#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>

#include "bindings/bind.h"
#include "bindings/cmdlog_records.h"
#include "bindings/controller.h"
#include "bindings/int_arg.h"
#include "driver/cmdlog_text.h"
#include "pcie/embedded/trace.h"

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

void bind_device_trace(nb::module_& m) {
  m.def(
      "device_trace",
      [](const Controller& self, const IntArg& count) -> nb::object {
        const auto events =
            pcie::device_trace(self.handle()->device()->function(), count.u32("count"));
        if (!events) return nb::none();
        nb::list records;
        for (const auto& event : *events) records.append(event_of(event));
        return records;
      },
      "nvme"_a, "count"_a = 0,
      "What an embedded SSD saw and did, the newest `count` events; None when it keeps none.");
}

}  // namespace pynvme::bindings
