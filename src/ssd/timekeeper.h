// The thread that brings about what falls due while nobody polls: it starts when it is first
// needed, sleeps until the next due time, and sleeps for good while nothing is outstanding. With a
// manual clock there is none: who moves the clock calls advance().
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>

#include "base/clock.h"

namespace pynvme::ssd {

class Timekeeper {
 public:
  Timekeeper(const base::Clock& clock, std::function<void()> advance)
      : clock_(clock), advance_(std::move(advance)) {}
  ~Timekeeper() { stop(); }

  // The next due time, UINT64_MAX for none. Cheap unless the thread has to be woken.
  void note(uint64_t due_ns) {
    if (due_ns == UINT64_MAX || !clock_.is_real()) {
      due_ns_.store(due_ns, std::memory_order_relaxed);
      return;
    }
    due_ns_.store(due_ns);
    // It polls no oftener than this anyway.
    if (due_ns + kGranularityNs < sleeps_until_ns_.load()) wake();
  }
  void stop();
  // What was noted last: once stopped, it starts no thread, and who drives the SSD looks here.
  uint64_t due_ns() const { return due_ns_.load(std::memory_order_relaxed); }

 private:
  // Pollers are quicker; for hosts that wait for interrupts this is precise enough, and it bounds
  // what a busy drive costs in wake-ups.
  static constexpr uint64_t kGranularityNs = 500'000;

  void wake();
  void run();

  const base::Clock& clock_;
  const std::function<void()> advance_;
  std::atomic<uint64_t> due_ns_{UINT64_MAX};
  std::atomic<uint64_t> sleeps_until_ns_{UINT64_MAX};
  std::mutex mutex_;
  std::condition_variable changed_;
  bool started_ = false;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace pynvme::ssd
