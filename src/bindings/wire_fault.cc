#include "bindings/wire_fault.h"

#include <utility>

#include <nanobind/nanobind.h>

namespace nb = nanobind;

namespace pynvme::bindings {
namespace {

using base::WireAction;

constexpr std::pair<const char*, WireAction> kActions[] = {
    {"corrupt header", WireAction::kCorruptHeader},
    {"corrupt data", WireAction::kCorruptData},
    {"truncate", WireAction::kTruncate},
    {"oversize", WireAction::kOversize},
    {"duplicate", WireAction::kDuplicate},
    {"drop", WireAction::kDrop},
    {"swap", WireAction::kSwap},
    {"delay", WireAction::kDelay},
    {"half-open", WireAction::kHalfOpen},
    {"reset", WireAction::kReset},
    {"stop reading", WireAction::kStopReading},
};

WireAction action_of(const std::string& name) {
  std::string possible;
  for (const auto& [text, action] : kActions) {
    if (name == text) return action;
    possible += possible.empty() ? text : std::string(", ") + text;
  }
  throw nb::value_error(("action " + name + "; possible: " + possible).c_str());
}

}  // namespace

base::WireFault wire_fault(const std::string& action, int pdu, int qid, uint32_t skip,
                           uint32_t count, uint32_t delay_ms) {
  base::WireFault fault;
  fault.action = action_of(action);
  if (pdu >= 0) fault.pdu_type = static_cast<uint8_t>(pdu);
  if (qid >= 0) fault.qid = static_cast<uint16_t>(qid);
  fault.skip = skip;
  fault.count = count;
  fault.delay_ms = delay_ms;
  return fault;
}

}  // namespace pynvme::bindings
