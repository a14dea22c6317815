// The one place that asks the machine for the time. A Clock is real (the time-stamp counter,
// calibrated against CLOCK_MONOTONIC) or manual (moved by its owner: tests and virtual time).
// Everything else is handed a Clock and calls now_ns().
#pragma once

#include <x86intrin.h>

#include <atomic>
#include <cstdint>

namespace pynvme::base {

__extension__ typedef unsigned __int128 uint128;

class Clock {
 public:
  // The process-wide real clock; calibrated once, on first use (about 5 ms).
  static Clock& real();
  // A clock that stands still until advance() moves it.
  static Clock manual(uint64_t start_ns) { return Clock(start_ns); }

  Clock(const Clock& other) : Clock(other.manual_ns_.load()) {}
  Clock& operator=(const Clock&) = delete;

  bool is_real() const { return source_ != Source::kManual; }

  uint64_t now_ns() const noexcept {
    if (source_ == Source::kTsc) [[likely]] {
      const auto ticks = static_cast<uint128>(__rdtsc() - base_tsc_);
      return base_ns_ + static_cast<uint64_t>((ticks * ns_per_tick_q32_) >> 32);
    }
    return source_ == Source::kManual ? manual_ns_.load(std::memory_order_relaxed) : monotonic_ns();
  }

  // Manual clocks only.
  void advance(uint64_t ns) { manual_ns_.fetch_add(ns, std::memory_order_relaxed); }

 private:
  enum class Source : uint8_t { kTsc, kMonotonic, kManual };

  Clock();
  explicit Clock(uint64_t start_ns) : source_(Source::kManual), manual_ns_(start_ns) {}
  static uint64_t monotonic_ns() noexcept;

  Source source_;
  uint64_t base_tsc_ = 0;
  uint64_t base_ns_ = 0;
  uint64_t ns_per_tick_q32_ = 0;
  std::atomic<uint64_t> manual_ns_{0};
};

// Wall-clock time in microseconds since 1970: for log lines and time stamps only, never for
// measuring.
uint64_t wall_time_us();

}  // namespace pynvme::base
