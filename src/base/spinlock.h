// A lock for sections of tens of nanoseconds to a few microseconds. Under contention it yields, so
// that more threads than cores still make progress.
#pragma once

#include <immintrin.h>
#include <sched.h>

#include <atomic>

namespace pynvme::base {

class SpinLock {
 public:
  void lock() noexcept {
    for (unsigned tries = 0; locked_.exchange(true, std::memory_order_acquire);) {
      while (locked_.load(std::memory_order_relaxed)) {
        if (++tries % 64 == 0) {
          sched_yield();
        } else {
          _mm_pause();
        }
      }
    }
  }
  bool try_lock() noexcept { return !locked_.exchange(true, std::memory_order_acquire); }
  void unlock() noexcept { locked_.store(false, std::memory_order_release); }

 private:
  std::atomic<bool> locked_{false};
};

}  // namespace pynvme::base
