// The latency model under a closed loop: so many commands outstanding, the next one submitted when
// one is done. Time is the model's own.
#include "ssd/model/timing.h"

#include <algorithm>
#include <functional>
#include <queue>
#include <vector>

#include <gtest/gtest.h>

namespace pynvme::ssd {
namespace {

struct Result {
  double mean_us;
  double p50_us;
  double p999_us;
  double per_second;
  double gb_per_second;
};

Result run(Timing& timing, Work work, unsigned depth, uint32_t bytes, bool sequential) {
  constexpr int kCommands = 60'000;
  constexpr uint64_t kStart = 1'000'000'000;
  timing.reset(kStart);
  base::Rng rng(7);
  std::priority_queue<uint64_t, std::vector<uint64_t>, std::greater<>> due;
  std::vector<double> latencies;
  uint64_t now = kStart;
  uint64_t slba = 0;
  for (int i = 0; i < kCommands; ++i) {
    if (due.size() == depth) {
      now = due.top();
      due.pop();
    }
    slba = sequential ? slba + bytes / 512 : rng.below(500'000'000) / 8 * 8;
    const uint64_t done = timing.due_ns(work, slba, bytes, false, 0, now);
    EXPECT_GE(done, now);
    latencies.push_back(static_cast<double>(done - now) / 1e3);
    due.push(done);
  }
  std::sort(latencies.begin(), latencies.end());
  double sum = 0;
  for (const double latency : latencies) sum += latency;
  const double seconds = static_cast<double>(now - kStart) / 1e9;
  return {sum / kCommands, latencies[kCommands / 2], latencies[kCommands * 999 / 1000],
          kCommands / seconds, kCommands / seconds * bytes / 1e9};
}

TEST(Timing, OffMeansAtOnce) {
  Timing timing(0.0, 1);
  EXPECT_TRUE(timing.off());
  EXPECT_EQ(timing.due_ns(Work::kRead, 5, 4096, false, 0, 77), 77U);
  EXPECT_EQ(timing.due_ns(Work::kOther, 0, UINT64_MAX, true, UINT64_MAX, 78), 78U);
  timing.set_power_state(4);
  EXPECT_EQ(timing.due_ns(Work::kWrite, 5, 4096, true, 0, 79), 79U);
}

TEST(Timing, SameSeedSameTimes) {
  Timing first(1.0, 5), same(1.0, 5), other(1.0, 6);
  int differ = 0;
  for (uint64_t i = 0; i < 100; ++i) {
    const uint64_t due = first.due_ns(Work::kRead, i * 999, 4096, false, 0, i * 1'000'000);
    EXPECT_EQ(due, same.due_ns(Work::kRead, i * 999, 4096, false, 0, i * 1'000'000));
    differ += due != other.due_ns(Work::kRead, i * 999, 4096, false, 0, i * 1'000'000);
  }
  EXPECT_GT(differ, 90);
}

TEST(Timing, RandomReads) {
  Timing timing(1.0, 1);
  const Result one = run(timing, Work::kRead, 1, 4096, false);
  EXPECT_GT(one.mean_us, 60);
  EXPECT_LT(one.mean_us, 70);
  EXPECT_GT(one.p999_us, one.p50_us * 1.5);  // a tail
  EXPECT_LT(one.p999_us, 400);
  const Result deep = run(timing, Work::kRead, 32, 4096, false);
  EXPECT_GT(deep.per_second, 350e3);
  EXPECT_LT(deep.per_second, 500e3);
  const Result deepest = run(timing, Work::kRead, 128, 4096, false);
  EXPECT_GT(deepest.per_second, 600e3);
  EXPECT_LT(deepest.per_second, 700e3);
}

TEST(Timing, SequentialReads) {
  Timing timing(1.0, 1);
  const Result result = run(timing, Work::kRead, 16, 128 << 10, true);
  EXPECT_GT(result.gb_per_second, 4.5);
  EXPECT_LT(result.gb_per_second, 5.1);
}

TEST(Timing, Writes) {
  Timing timing(1.0, 1);
  const Result one = run(timing, Work::kWrite, 1, 4096, false);
  EXPECT_GT(one.mean_us, 12);
  EXPECT_LT(one.mean_us, 15);
  const Result sequential = run(timing, Work::kWrite, 16, 128 << 10, true);
  EXPECT_GT(sequential.gb_per_second, 2.9);
  EXPECT_LT(sequential.gb_per_second, 3.1);
  timing.reset(0);
  // The first megabytes go into the cache faster than they are destaged.
  uint64_t done = 0;
  for (int i = 0; i < 40; ++i) done = timing.due_ns(Work::kWrite, 0, 128 << 10, false, 0, 0);
  EXPECT_LT(done, 40 * 131072 / 4);
}

TEST(Timing, WorkDiffers) {
  Timing timing(1.0, 1);
  const auto once = [&](Work work, uint64_t bytes, bool durable, uint64_t unflushed) {
    timing.reset(0);
    return static_cast<double>(timing.due_ns(work, 0, bytes, durable, unflushed, 0)) / 1e3;
  };
  const auto expect_between = [](double value, double low, double high) {
    EXPECT_GE(value, low);
    EXPECT_LE(value, high);
  };
  for (int i = 0; i < 1000; ++i) {
    expect_between(once(Work::kWrite, 4096, true, 0), 250, 270);
    expect_between(once(Work::kFlush, 0, false, 0), 80, 120);
    expect_between(once(Work::kFlush, 0, false, 64 << 20), 22'000, 23'000);
    expect_between(once(Work::kDeallocate, 4096, false, 0), 30, 100);
    expect_between(once(Work::kDeallocate, 1 << 30, false, 0), 1'100, 1'200);
    expect_between(once(Work::kAdmin, 4096, false, 0), 20, 50);
    expect_between(once(Work::kOther, 256'000'000'000, false, 0), 100'000, 110'000);
  }
}

TEST(Timing, ScaleStretchesAll) {
  Timing plain(1.0, 3), doubled(2.0, 3);
  for (const Work work :
       {Work::kRead, Work::kWrite, Work::kFlush, Work::kDeallocate, Work::kOther, Work::kAdmin}) {
    const uint64_t once = plain.due_ns(work, 9, 8192, false, 4096, 1'000'000'000) - 1'000'000'000;
    const uint64_t twice =
        doubled.due_ns(work, 9, 8192, false, 4096, 1'000'000'000) - 1'000'000'000;
    EXPECT_NEAR(static_cast<double>(twice), 2.0 * static_cast<double>(once), 8.0);
    plain.reset(0);
    doubled.reset(0);
  }
}

TEST(Timing, PowerStatesStretchAndExitLatencyIsPaidOnce) {
  const auto read_ns = [](Timing& timing) {
    return timing.due_ns(Work::kRead, 0, 4096, false, 0, 5'000'000'000) - 5'000'000'000;
  };
  Timing plain(1.0, 3), low(1.0, 3), idle(1.0, 3);
  low.set_power_state(2);
  idle.set_power_state(4);
  const uint64_t admin_ns = plain.due_ns(Work::kAdmin, 0, 0, false, 0, 0);
  EXPECT_GT(low.due_ns(Work::kAdmin, 0, 0, false, 0, 0), 2 * admin_ns);
  EXPECT_EQ(idle.due_ns(Work::kAdmin, 0, 0, false, 0, 0), admin_ns);
  const uint64_t first_ns = read_ns(plain);
  EXPECT_NEAR(static_cast<double>(read_ns(low)), 2.2 * static_cast<double>(first_ns), 8.0);
  EXPECT_EQ(read_ns(idle), first_ns + kPowerStates[4].exit_latency_us * 1000);
  idle.reset(0);
  plain.reset(0);
  EXPECT_EQ(read_ns(idle), read_ns(plain));
}

TEST(Timing, ThrottleSlowsDownWhateverThePowerState) {
  const auto flush_ns = [](Timing& timing) {
    return static_cast<double>(timing.due_ns(Work::kFlush, 0, 0, false, 0, 0));
  };
  Timing plain(1.0, 3), throttled(1.0, 3);
  throttled.set_throttle(2);
  EXPECT_NEAR(flush_ns(throttled), 4 * flush_ns(plain), 8.0);
  throttled.set_throttle(0);
  throttled.reset(0);
  plain.reset(0);
  EXPECT_EQ(flush_ns(throttled), flush_ns(plain));
}

}  // namespace
}  // namespace pynvme::ssd
