#include "ioworker/pacing.h"

#include <vector>

#include <gtest/gtest.h>

namespace pynvme::ioworker {
namespace {

constexpr uint64_t kSecond = 1'000'000'000;

TEST(Pacer, EverySecondHoldsExactlyTheCount) {
  for (const uint64_t iops : {1ULL, 3ULL, 7ULL, 1234ULL, 99'991ULL, 1'000'003ULL}) {
    constexpr uint64_t kStart = 777;
    Pacer pacer(iops, kStart);
    for (int second = 0; second < 3; ++second) {
      uint64_t count = 0;
      while (pacer.due_ns() < kStart + (static_cast<uint64_t>(second) + 1) * kSecond) {
        ++count;
        pacer.sent(pacer.due_ns());
      }
      EXPECT_EQ(count, iops) << "second " << second;
    }
  }
}

TEST(Pacer, CommandsAreEvenlySpread) {
  Pacer pacer(1234, 0);
  for (uint64_t n = 0; n < 5000; ++n) {
    EXPECT_EQ(pacer.due_ns(), n * kSecond / 1234);
    pacer.sent(pacer.due_ns());
  }
}

TEST(Pacer, LatenessLeavesOutWhatTheHostWasAwayFor) {
  Pacer pacer(10, 0);
  EXPECT_EQ(pacer.lateness_ns(0), 0U);
  EXPECT_EQ(pacer.lateness_ns(70), 70U);
  pacer.host_was_away(70, 1070);  // late by 70 before
  EXPECT_EQ(pacer.lateness_ns(1070), 70U);
  EXPECT_EQ(pacer.lateness_ns(1090), 90U);
  pacer.sent(1090);  // the next is due in time again
  EXPECT_EQ(pacer.lateness_ns(kSecond / 10), 0U);
  pacer.host_was_away(kSecond / 20, kSecond / 10);  // before it was due
  pacer.sent(kSecond / 10);
  EXPECT_EQ(pacer.lateness_ns(kSecond / 5 + 1), 1U);
}

TEST(Pacer, WhatTheHostWasAwayForIsCaughtUpWithStepByStep) {
  Pacer pacer(10, 0);
  pacer.host_was_away(0, kSecond);  // ten behind
  for (uint64_t n = 0; n < 10; ++n) {
    // One each 50 ms: the device does twice the pace.
    const uint64_t now_ns = kSecond + n * kSecond / 20;
    EXPECT_EQ(pacer.lateness_ns(now_ns), 0U);
    pacer.sent(now_ns);
  }
  // Half of it is caught up with; a device that stands still now is behind by what it takes.
  EXPECT_EQ(pacer.lateness_ns(kSecond * 3 / 2), 0U);
  EXPECT_EQ(pacer.lateness_ns(kSecond * 2), kSecond * 9 / 20);
}

TEST(Pacer, WhatTheHostMissedIsMadeUpForUpToTenSeconds) {
  Pacer pacer(10, 0);
  pacer.host_was_away(0, 5 * kSecond);
  pacer.limit_backlog(5 * kSecond);
  EXPECT_EQ(pacer.due_ns(), 0U);
  pacer.limit_backlog(6 * kSecond + 1);  // a second and more of it the device's
  EXPECT_EQ(pacer.due_ns(), kSecond);
  EXPECT_EQ(pacer.lateness_ns(6 * kSecond + 1), 1U);
  pacer.host_was_away(6 * kSecond + 1, 3600 * kSecond + 1);
  pacer.limit_backlog(3600 * kSecond + 1);
  EXPECT_EQ(pacer.due_ns(), 3591 * kSecond);
  EXPECT_EQ(pacer.lateness_ns(3600 * kSecond + 1), 1U);
}

TEST(Pacer, ABacklogBeyondASecondIsDropped) {
  Pacer pacer(10, 0);
  pacer.limit_backlog(kSecond);
  EXPECT_EQ(pacer.due_ns(), 0U);
  pacer.limit_backlog(5 * kSecond + 1);
  EXPECT_EQ(pacer.due_ns(), 5 * kSecond);
}

}  // namespace
}  // namespace pynvme::ioworker
