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
        pacer.sent();
      }
      EXPECT_EQ(count, iops) << "second " << second;
    }
  }
}

TEST(Pacer, CommandsAreEvenlySpread) {
  Pacer pacer(1234, 0);
  for (uint64_t n = 0; n < 5000; ++n) {
    EXPECT_EQ(pacer.due_ns(), n * kSecond / 1234);
    pacer.sent();
  }
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
