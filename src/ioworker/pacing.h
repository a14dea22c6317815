// When the next command of a paced IOWorker is due: command n at n / iops seconds after the start,
// in whole nanoseconds, without a division per command. Every second holds exactly `iops` due
// times.
#pragma once

#include <cstdint>

namespace pynvme::ioworker {

class Pacer {
 public:
  // iops 1..10^9.
  Pacer(uint64_t iops, uint64_t start_ns)
      : due_ns_(start_ns), iops_(iops), step_ns_(kSecond / iops), step_rest_(kSecond % iops) {}

  uint64_t due_ns() const { return due_ns_; }
  bool is_due(uint64_t now_ns) const { return now_ns >= due_ns_; }

  void sent() noexcept {
    due_ns_ += step_ns_;
    rest_ += step_rest_;
    if (rest_ >= iops_) {
      rest_ -= iops_;
      ++due_ns_;
    }
  }

  // What a device (or a host) that stood still has missed is made up for, up to a second of it; the
  // rest is dropped in whole seconds, so that the second boundaries stay where they are.
  void limit_backlog(uint64_t now_ns) noexcept {
    while (due_ns_ + kSecond < now_ns) due_ns_ += kSecond;
  }

 private:
  static constexpr uint64_t kSecond = 1'000'000'000;

  uint64_t due_ns_;
  uint64_t iops_;
  uint64_t step_ns_;
  uint64_t step_rest_;
  uint64_t rest_ = 0;
};

}  // namespace pynvme::ioworker
