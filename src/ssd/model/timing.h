// When a command is done: a model of dies, command processor, cache and flushes with seeded jitter,
// plausible for a client drive and no more. Scale 0 switches it off: everything is done at once. A
// handful of additions a command, whatever its size.
#pragma once

#include <cstdint>
#include <vector>

#include "base/rng.h"

namespace pynvme::ssd {

// kRead: Read, Compare, Verify. kAdmin: admin commands that touch no media. kOther: the rest; with
// the bytes concerned, so that Format NVM of a whole drive takes its time.
enum class Work : uint8_t { kRead, kWrite, kFlush, kDeallocate, kOther, kAdmin };

// The drive's power states, for Identify's descriptors and for Timing alike.
struct PowerState {
  uint16_t max_power_centiwatts;
  bool non_operational;
  uint32_t entry_latency_us;
  uint32_t exit_latency_us;
  uint32_t stretch_percent;  // of latencies, where operational
};
inline constexpr PowerState kPowerStates[] = {
    {620, false, 0, 0, 100},    {430, false, 0, 0, 150},     {210, false, 0, 0, 220},
    {4, true, 2'000, 1'200, 0}, {1, true, 5'000, 22'000, 0},
};

class Timing {
 public:
  Timing(double scale, uint64_t seed);
  bool off() const { return scale_q16_ == 0; }
  // Due time of work that starts now. unflushed_bytes matters to a flush.
  // Not thread safe: the caller serialises.
  uint64_t due_ns(Work work, uint64_t slba, uint64_t bytes, bool durable, uint64_t unflushed_bytes,
                  uint64_t now_ns);
  // Low-power states stretch every due time. A non-operational state ends with the next work that
  // is not kAdmin, which pays the exit latency and is as quick as in the operational state before.
  void set_power_state(uint8_t state);
  // Health's throttle level: against heat everything is slowed down, whatever the power state.
  void set_throttle(uint8_t level);
  void reset(uint64_t now_ns);

 private:
  void update_scale();
  uint64_t scaled(uint64_t ns) const { return ns * scale_q16_ >> 16; }
  // When the command processor has passed the command on.
  uint64_t process(uint64_t bytes, uint64_t now_ns);
  uint64_t read_ns(uint64_t slba, uint64_t bytes, uint64_t now_ns);
  uint64_t write_ns(uint64_t bytes, bool durable, uint64_t now_ns);

  uint64_t base_scale_q16_;
  uint64_t scale_q16_;
  uint64_t stretch_percent_ = 100;
  uint8_t throttle_ = 0;
  base::Rng rng_;
  std::vector<uint64_t> die_free_ns_;
  uint64_t processor_free_ns_ = 0;
  uint64_t destage_free_ns_ = 0;
  uint64_t exit_latency_ns_ = 0;
};

}  // namespace pynvme::ssd
