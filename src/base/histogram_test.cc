#include "base/histogram.h"

#include <gtest/gtest.h>

#include "base/rng.h"

namespace pynvme::base {
namespace {

TEST(Histogram, BucketsTileTheWholeRange) {
  uint64_t next = 0;
  for (uint32_t i = 0; i < Histogram::kBuckets; ++i) {
    ASSERT_EQ(Histogram::lowest_of(i), next) << "bucket " << i;
    EXPECT_EQ(Histogram::bucket_of(next), i);
    next += Histogram::width_of(i);
    EXPECT_EQ(Histogram::bucket_of(next - 1), i);
  }
  EXPECT_EQ(next, 0U) << "the last bucket ends at 2^64";
}

TEST(Histogram, ErrorStaysBelowOnePercent) {
  for (uint64_t value = 1; value < (1ULL << 40); value = value * 5 / 4 + 1) {
    Histogram h;
    h.record(value);
    h.record(value * 2);  // so that the clamp to [min, max] cannot hide the bucket's error
    EXPECT_NEAR(h.percentile(50), static_cast<double>(value), static_cast<double>(value) * 0.008);
  }
}

TEST(Histogram, PercentilesOfAKnownSet) {
  Histogram h;
  for (uint64_t value = 1; value <= 100; ++value) h.record(value);
  EXPECT_EQ(h.count(), 100U);
  EXPECT_EQ(h.min(), 1U);
  EXPECT_EQ(h.max(), 100U);
  EXPECT_DOUBLE_EQ(h.mean(), 50.5);
  EXPECT_EQ(h.percentile(0), 1);
  EXPECT_EQ(h.percentile(50), 50);
  EXPECT_EQ(h.percentile(99), 99);
  EXPECT_EQ(h.percentile(99.1), 100);
  EXPECT_EQ(h.percentile(100), 100);
}

TEST(Histogram, RanksWithinOneBucketStayInOrder) {
  Histogram h;
  for (int i = 0; i < 99'990; ++i) h.record(100'000);
  for (int i = 0; i < 10; ++i) h.record(8'650'000 + static_cast<uint64_t>(i));
  EXPECT_EQ(Histogram::bucket_of(8'650'000), Histogram::bucket_of(8'650'009));
  EXPECT_LE(h.percentile(99.99), 100'352);
  EXPECT_LT(h.percentile(99.992), h.percentile(99.996));
  EXPECT_LT(h.percentile(99.996), h.percentile(99.9999));
  EXPECT_EQ(h.percentile(100), 8'650'009);
}

TEST(Histogram, EmptyIsAllZero) {
  const Histogram h;
  EXPECT_EQ(h.count(), 0U);
  EXPECT_EQ(h.min(), 0U);
  EXPECT_EQ(h.max(), 0U);
  EXPECT_EQ(h.mean(), 0);
  EXPECT_EQ(h.percentile(99), 0);
}

TEST(Histogram, MergeIsTheSameAsRecordingInOne) {
  Histogram a, b, both;
  Rng rng(3);
  for (int i = 0; i < 10'000; ++i) {
    const uint64_t value = rng.below(1'000'000);
    (i % 3 == 0 ? a : b).record(value);
    both.record(value);
  }
  a.merge(b);
  EXPECT_EQ(a.counts(), both.counts());
  EXPECT_EQ(a.sum(), both.sum());
  EXPECT_EQ(a.min(), both.min());
  EXPECT_EQ(a.max(), both.max());
  a.clear();
  EXPECT_EQ(a.count(), 0U);
  EXPECT_EQ(a.sum(), 0U);
}

TEST(Histogram, RanksAreExactWherePercentilesAreNotBinaryFractions) {
  Histogram histogram;
  for (uint64_t value = 0; value < 100; ++value) histogram.record(value);
  for (int percent = 1; percent < 100; ++percent) {
    EXPECT_EQ(histogram.percentile(percent), percent - 1) << percent;
  }
  Histogram tail;
  for (int i = 0; i < 99'999; ++i) tail.record(5);
  tail.record(100);
  EXPECT_EQ(tail.percentile(99.999), 5);
  EXPECT_EQ(tail.percentile(99.99999), 100);
}

}  // namespace
}  // namespace pynvme::base
