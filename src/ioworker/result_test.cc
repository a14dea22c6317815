#include "ioworker/result.h"

#include <numeric>

#include <gtest/gtest.h>

namespace pynvme::ioworker {
namespace {

TEST(Result, LatencyInMicroseconds) {
  Result result;
  EXPECT_EQ(result.latency_average_us(), 0);
  for (const uint64_t ns : {2'000ULL, 4'000ULL, 90'900ULL}) result.latency_ns.record(ns);
  EXPECT_EQ(result.latency_max_us(), 90U);
  EXPECT_NEAR(result.latency_average_us(), 32.3, 0.001);
  EXPECT_NEAR(result.latency_percentile_us(50), 4.0, 0.04);
}

TEST(Result, ConsistencyIsTheSlowestSecondAgainstTheAverage) {
  Result result;
  result.mseconds = 4000;
  result.io_per_second = {100, 100, 80, 120};
  EXPECT_DOUBLE_EQ(result.iops_consistency(), 80.0);
  // A last second that was cut short does not count.
  result.io_per_second = {100, 100, 100, 100, 3};
  result.mseconds = 4030;
  EXPECT_DOUBLE_EQ(result.iops_consistency(), 100.0);
  EXPECT_EQ(Result().iops_consistency(), 0);
}

TEST(Result, LatencyDistributionCountsEveryIoOnce) {
  Result result;
  for (uint64_t us = 0; us < 50; ++us) result.latency_ns.record(us * 1000 + 500);
  const auto distribution = result.latency_distribution_us();
  ASSERT_EQ(distribution.size(), 50U);
  EXPECT_EQ(std::accumulate(distribution.begin(), distribution.end(), 0U), 50U);
  EXPECT_EQ(distribution[3], 1U);
  EXPECT_EQ(result.latency_distribution_us(10).size(), 10U);
  EXPECT_EQ(result.latency_distribution_us(10)[9], 41U);
}

TEST(Result, ErrorTextsAreThoseThatScriptsMatch) {
  EXPECT_STREQ(host_error_text(HostError::kIoSizeTooLarge), "io_size is larger than MDTS");
  EXPECT_STREQ(host_error_text(HostError::kSuddenlyTerminated), "sudden terminated");
  EXPECT_EQ(static_cast<int>(HostError::kIoCommandError), -6);
}

}  // namespace
}  // namespace pynvme::ioworker
