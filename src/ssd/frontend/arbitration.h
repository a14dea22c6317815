// Which I/O submission queue is next: round robin, or weighted round robin with an urgent class
// (NVMe Base 2.0 §3.4.4). Admin commands come before either and are not asked about here.
#pragma once

#include <array>
#include <cstdint>

#include "spec/feature.h"

namespace pynvme::ssd {

class Arbiter {
 public:
  static constexpr uint32_t kNone = UINT32_MAX;
  static constexpr uint8_t kClasses = 4;  // by QPRIO: urgent, high, medium, low

  // CC.AMS, at enable.
  void start(bool weighted);

  // Chooses among queues 1 to count - 1. has_work(id) and priority(id) describe them; *burst is how
  // many commands may be fetched at this turn.
  template <typename HasWork, typename Priority>
  uint32_t next(uint32_t count, spec::ArbitrationFeature feature, HasWork has_work,
                Priority priority, uint32_t* burst) {
    *burst = feature.ab() == 7 ? UINT32_MAX : 1U << feature.ab();
    if (!weighted_) return round_robin(0, count, has_work, [](uint32_t) { return true; });
    const auto of_class = [&](uint8_t wanted) {
      return round_robin(wanted, count, has_work,
                         [&](uint32_t id) { return priority(id) == wanted; });
    };
    if (const uint32_t id = of_class(0); id != kNone) return id;
    for (unsigned round = 0; round < 2; ++round) {
      for (uint8_t wanted = 1; wanted < kClasses; ++wanted) {
        if (credits_[wanted] == 0) continue;
        if (const uint32_t id = of_class(wanted); id != kNone) {
          if (*burst > credits_[wanted]) *burst = credits_[wanted];
          return id;
        }
      }
      // Nobody who has work has credits left: a new round begins.
      credits_ = {0, feature.hpw() + 1U, feature.mpw() + 1U, feature.lpw() + 1U};
    }
    return kNone;
  }
  // So many commands were fetched from a queue of that priority.
  void fetched(uint8_t priority, uint32_t commands);

 private:
  template <typename HasWork, typename Fits>
  uint32_t round_robin(uint8_t cursor, uint32_t count, HasWork has_work, Fits fits) {
    for (uint32_t step = 1; step < count; ++step) {
      uint32_t id = cursor_[cursor] + step;
      if (id >= count) id -= count - 1;
      if (!fits(id) || !has_work(id)) continue;
      cursor_[cursor] = id;
      return id;
    }
    return kNone;
  }

  bool weighted_ = false;
  std::array<uint32_t, kClasses> cursor_{};   // the queue served last
  std::array<uint32_t, kClasses> credits_{};  // commands left in this round
};

}  // namespace pynvme::ssd
