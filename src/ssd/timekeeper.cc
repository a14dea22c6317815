// The timekeeper's thread.
#include "ssd/timekeeper.h"

#include <algorithm>
#include <chrono>

namespace pynvme::ssd {

void Timekeeper::wake() {
  const std::lock_guard guard(mutex_);
  if (stopping_) return;
  if (!started_) {
    started_ = true;
    thread_ = std::thread([this] { run(); });
  }
  changed_.notify_one();
}

void Timekeeper::stop() {
  {
    const std::lock_guard guard(mutex_);
    stopping_ = true;
    changed_.notify_one();
  }
  if (thread_.joinable()) thread_.join();
}

void Timekeeper::run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    // First the promise to sleep so long, then the look at what is due: note() does it the other
    // way round, so one of the two sees the other.
    const uint64_t due = due_ns_.load();
    const uint64_t now = clock_.now_ns();
    const uint64_t until = due == UINT64_MAX ? UINT64_MAX : std::max(due, now + kGranularityNs);
    sleeps_until_ns_ = until;
    // Only when it moved: what is overdue already is brought about after this sleep.
    if (due_ns_.load() < due) continue;
    if (until == UINT64_MAX) {
      changed_.wait(lock);
      continue;
    }
    changed_.wait_for(lock, std::chrono::nanoseconds(until - now));
    if (stopping_ || clock_.now_ns() < due_ns_.load()) continue;
    lock.unlock();
    advance_();
    lock.lock();
  }
}

}  // namespace pynvme::ssd
