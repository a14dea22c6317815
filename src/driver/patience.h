// How the driver waits: at first spinning, then yielding, then sleeping, so that a short wait is
// not measured too long and a long one does not take a core from an IOWorker. Says when a
// millisecond has passed.
#pragma once

#include <immintrin.h>
#include <sched.h>
#include <time.h>

#include <cstdint>

#include "base/clock.h"

namespace pynvme::driver {

class Patience {
 public:
  explicit Patience(const base::Clock& clock) : clock_(clock) {}

  // Passes a little time. True about once a millisecond: time for slow checks and the idle hook. On
  // a manual clock always, since only the idle hook can move it.
  bool pause() {
    now_ns_ = clock_.now_ns();
    if (!clock_.is_real()) return true;
    if (start_ns_ == 0) {
      start_ns_ = now_ns_;
      next_check_ns_ = now_ns_ + kCheckNs;
    }
    const uint64_t waited = now_ns_ - start_ns_;
    if (waited < kSpinNs) {
      _mm_pause();
    } else if (waited < kYieldNs) {
      sched_yield();
    } else {
      const timespec nap{0, kNapNs};
      nanosleep(&nap, nullptr);
    }
    if (now_ns_ < next_check_ns_) return false;
    next_check_ns_ = now_ns_ + kCheckNs;
    return true;
  }
  // As of the last pause().
  uint64_t now_ns() const { return now_ns_; }

 private:
  static constexpr uint64_t kSpinNs = 100'000;
  static constexpr uint64_t kYieldNs = 2'000'000;
  static constexpr long kNapNs = 50'000;
  static constexpr uint64_t kCheckNs = 1'000'000;

  const base::Clock& clock_;
  uint64_t now_ns_ = 0;
  uint64_t start_ns_ = 0;
  uint64_t next_check_ns_ = 0;
};

}  // namespace pynvme::driver
