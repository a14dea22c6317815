#include "base/clock.h"

#include <time.h>

#include <gtest/gtest.h>

namespace pynvme::base {
namespace {

TEST(Clock, ManualStandsStillUntilMoved) {
  Clock clock = Clock::manual(1000);
  EXPECT_FALSE(clock.is_real());
  EXPECT_EQ(clock.now_ns(), 1000U);
  EXPECT_EQ(clock.now_ns(), 1000U);
  clock.advance(234);
  EXPECT_EQ(clock.now_ns(), 1234U);
}

TEST(Clock, RealNeverRunsBackwards) {
  const Clock& clock = Clock::real();
  EXPECT_TRUE(clock.is_real());
  uint64_t last = clock.now_ns();
  for (int i = 0; i < 100'000; ++i) {
    const uint64_t now = clock.now_ns();
    ASSERT_GE(now, last);
    last = now;
  }
}

TEST(Clock, RealFollowsClockMonotonic) {
  const auto monotonic = [] {
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000ULL +
           static_cast<uint64_t>(now.tv_nsec);
  };
  const Clock& clock = Clock::real();
  // Bracketed: whatever the machine does in between, the clock's reading lies between the other
  // two, but for the calibration error, which is far below a millisecond.
  const uint64_t before = monotonic();
  const uint64_t now = clock.now_ns();
  const uint64_t after = monotonic();
  EXPECT_GE(now + 1'000'000, before);
  EXPECT_LE(now, after + 1'000'000);
}

}  // namespace
}  // namespace pynvme::base
