#include "base/clock.h"

#include <cpuid.h>
#include <time.h>

namespace pynvme::base {
namespace {

uint64_t read_ns(clockid_t id) {
  timespec now{};
  clock_gettime(id, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000ULL + static_cast<uint64_t>(now.tv_nsec);
}

// CPUID 8000_0007h EDX bit 8: the counter runs at one rate in every power state.
bool tsc_is_invariant() {
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  return __get_cpuid(0x8000'0007U, &eax, &ebx, &ecx, &edx) != 0 && (edx & (1U << 8)) != 0;
}

struct Sample {
  uint64_t tsc;
  uint64_t ns;
};

// The pair with the narrowest bracket of several tries: a pre-emption between the two reads would
// otherwise end up in the rate.
Sample sample() {
  Sample best{};
  uint64_t narrowest = UINT64_MAX;
  for (int i = 0; i < 8; ++i) {
    const uint64_t before = __rdtsc();
    const uint64_t ns = read_ns(CLOCK_MONOTONIC);
    const uint64_t after = __rdtsc();
    if (after - before < narrowest) {
      narrowest = after - before;
      best = {before + (after - before) / 2, ns};
    }
  }
  return best;
}

}  // namespace

uint64_t Clock::monotonic_ns() noexcept { return read_ns(CLOCK_MONOTONIC); }

Clock::Clock() : source_(Source::kMonotonic) {
  if (!tsc_is_invariant()) return;
  constexpr uint64_t kCalibrationNs = 5'000'000;
  const Sample first = sample();
  Sample last = first;
  while (last.ns - first.ns < kCalibrationNs) last = sample();
  if (last.tsc <= first.tsc) return;
  ns_per_tick_q32_ = static_cast<uint64_t>((static_cast<uint128>(last.ns - first.ns) << 32) /
                                           (last.tsc - first.tsc));
  base_tsc_ = last.tsc;
  base_ns_ = last.ns;
  source_ = Source::kTsc;
}

Clock& Clock::real() {
  static Clock clock;
  return clock;
}

uint64_t wall_time_us() { return read_ns(CLOCK_REALTIME) / 1000; }

}  // namespace pynvme::base
