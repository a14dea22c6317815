// When the next command of a paced IOWorker is due: command n at n / iops seconds after the start,
// in whole nanoseconds, without a division per command. Every second holds exactly `iops` due
// times.
#pragma once

#include <algorithm>
#include <cstdint>

namespace pynvme::ioworker {

class Pacer {
 public:
  // iops 1..10^9.
  Pacer(uint64_t iops, uint64_t start_ns)
      : due_ns_(start_ns), iops_(iops), step_ns_(kSecond / iops), step_rest_(kSecond % iops) {}

  uint64_t due_ns() const { return due_ns_; }
  bool is_due(uint64_t now_ns) const { return now_ns >= due_ns_; }

  void sent(uint64_t now_ns) noexcept {
    host_late_ns_ = std::min(host_late_ns_, behind_ns(now_ns));
    due_ns_ += step_ns_;
    rest_ += step_rest_;
    if (rest_ >= iops_) {
      rest_ -= iops_;
      ++due_ns_;
    }
  }

  // The host did not look at the device in between.
  void host_was_away(uint64_t from_ns, uint64_t until_ns) noexcept {
    const uint64_t since_ns = std::max(due_ns_, from_ns);
    if (since_ns < until_ns) host_late_ns_ += until_ns - since_ns;
  }

  // How far the device is behind the pace: what the host was away for, and has not caught up with
  // yet, is not the device's doing.
  uint64_t lateness_ns(uint64_t now_ns) const noexcept {
    const uint64_t behind = behind_ns(now_ns);
    return behind - std::min(behind, host_late_ns_);
  }

  // What a device that stood still has missed is made up for, up to a second of it, and what a host
  // that was away has, up to ten; the rest is dropped in whole seconds, so that the second
  // boundaries stay where they are.
  void limit_backlog(uint64_t now_ns) noexcept {
    while (behind_ns(now_ns) > kSecond + std::min(host_late_ns_, kHostMostNs)) {
      due_ns_ += kSecond;
      if (host_late_ns_ > kHostMostNs) host_late_ns_ -= kSecond;
    }
  }

 private:
  uint64_t behind_ns(uint64_t now_ns) const noexcept {
    return now_ns > due_ns_ ? now_ns - due_ns_ : 0;
  }

  static constexpr uint64_t kSecond = 1'000'000'000;
  static constexpr uint64_t kHostMostNs = 9 * kSecond;

  uint64_t due_ns_;
  uint64_t host_late_ns_ = 0;
  uint64_t iops_;
  uint64_t step_ns_;
  uint64_t step_rest_;
  uint64_t rest_ = 0;
};

}  // namespace pynvme::ioworker
