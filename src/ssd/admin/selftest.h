// The device self-test operation (NVMe Base 2.0 §5.9, §8.6) as a state machine that is told the
// time: one at a time, a short one and an extended one, and the results of the last twenty.
#pragma once

#include <cstdint>

#include "spec/log.h"

namespace pynvme::ssd {

class SelfTest {
 public:
  // All zeros at first.
  struct State {
    uint32_t code;  // 0: none is in progress
    uint32_t nsid;
    uint64_t total_ns;
    uint64_t remaining_ns;  // as of the last power_off()
    uint32_t results;       // so many of what follows are used
    uint32_t reserved;
    spec::DeviceSelfTestResult result[20];  // newest first
  };

  SelfTest(State& state, double latency_scale) : state_(state), scale_(latency_scale) {}

  bool in_progress() const { return state_.code != 0; }
  bool is_short() const { return state_.code == spec::self_test::kShort; }
  uint32_t nsid() const { return state_.nsid; }
  void start(uint8_t code, uint32_t nsid, uint64_t now_ns);
  // It ends, for whatever reason: a result code.
  void end(uint8_t result, uint64_t power_on_hours);

  // When it is through; UINT64_MAX for never. Time passes with power only.
  uint64_t due_ns() const;
  void power_on(uint64_t now_ns) { resumed_ns_ = now_ns; }
  void power_off(uint64_t now_ns);

  spec::DeviceSelfTestLog log(uint64_t now_ns) const;

 private:
  State& state_;
  const double scale_;
  uint64_t resumed_ns_ = 0;
};

// EDSTT: minutes, rounded up.
uint16_t extended_self_test_minutes(double latency_scale);

}  // namespace pynvme::ssd
