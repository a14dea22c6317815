// Idle transitions, and the power states in Identify's words.
#include "ssd/model/power.h"

namespace pynvme::ssd {

spec::PowerStateDescriptor describe_power_state(uint8_t state) {
  const PowerState& from = kPowerStates[state];
  spec::PowerStateDescriptor descriptor{};
  descriptor.mp = from.max_power_centiwatts;
  descriptor.flags = from.non_operational ? spec::PowerStateDescriptor::kNops : 0;
  descriptor.enlat = from.entry_latency_us;
  descriptor.exlat = from.exit_latency_us;
  // Relative performance: states are in the order of it.
  descriptor.rrt = descriptor.rrl = descriptor.rwt = descriptor.rwl = state;
  return descriptor;
}

void Power::set_state(uint8_t state) {
  state_ = state;
  if (!kPowerStates[state].non_operational) operational_ = state;
}

void Power::set_transitions(bool enabled, const spec::ApstTable& table) {
  for (uint8_t i = 0; i < kPowerStateCount; ++i) entry_[i] = table.entry[i].value;
  transitions_ = enabled;
}

uint8_t Power::state(uint64_t now_ns) const {
  uint8_t state = state_;
  if (!transitions_) return state;
  uint64_t since = last_active_ns_;
  // Each state has at most one successor of higher number or the walk ends, so a table that goes in
  // circles does not hold us.
  for (unsigned steps = 0; steps < kPowerStateCount; ++steps) {
    const spec::ApstEntry entry{entry_[state]};
    const uint64_t idle_ns = entry.itpt_ms() * 1'000'000ULL;
    if (idle_ns == 0 || now_ns < since || now_ns - since < idle_ns) break;
    state = entry.itps();
    since += idle_ns;
  }
  return state;
}

uint8_t Power::wake(uint64_t now_ns) {
  const uint8_t found = state(now_ns);
  touch(now_ns);
  return found;
}

void Power::reset(uint64_t now_ns) {
  state_ = 0;
  operational_ = 0;
  transitions_ = false;
  touch(now_ns);
}

}  // namespace pynvme::ssd
