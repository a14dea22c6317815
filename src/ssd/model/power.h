// NVMe power states: the state the host set, and where idle time has taken the controller
// since (Autonomous Power State Transition). Idle transitions are worked out when somebody looks,
// so that an idle SSD wakes no thread.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <iterator>

#include "spec/feature.h"
#include "spec/identify.h"
#include "ssd/config.h"
#include "ssd/model/timing.h"

namespace pynvme::ssd {

inline constexpr uint8_t kPowerStateCount = std::size(kPowerStates);

// Whether there is a state to go to in idle time (states are in the order of their power).
constexpr bool has_non_operational_state(const Config& config) {
  return kPowerStates[config.power_states - 1].non_operational;
}

// Identify's descriptor of a state.
spec::PowerStateDescriptor describe_power_state(uint8_t state);

class Power {
 public:
  // Set Features; the state is below kPowerStateCount.
  void set_state(uint8_t state);
  void set_transitions(bool enabled, const spec::ApstTable& table);
  // The state at this moment.
  uint8_t state(uint64_t now_ns) const;
  // A command is worked on. Returns the state that it finds; the controller is in an operational
  // one from then on (NVMe Base 2.0 §8.15.1).
  uint8_t wake(uint64_t now_ns);
  // The same where nobody wants to know the state.
  void touch(uint64_t now_ns) {
    if (kPowerStates[state_.load(std::memory_order_relaxed)].non_operational) {
      state_ = operational_.load();
    }
    last_active_ns_.store(now_ns, std::memory_order_relaxed);
  }

  void reset(uint64_t now_ns);

 private:
  std::atomic<uint8_t> state_{0};
  std::atomic<uint8_t> operational_{0};  // the last operational state
  std::atomic<uint64_t> last_active_ns_{0};
  std::atomic<bool> transitions_{false};
  std::array<std::atomic<uint64_t>, kPowerStateCount> entry_{};
};

}  // namespace pynvme::ssd
