#include "base/rng.h"

#include <array>

#include <gtest/gtest.h>

namespace pynvme::base {
namespace {

// The reference implementation of splitmix64 and xoshiro256** gives these for seed 0.
TEST(Rng, MatchesTheReferenceSequence) {
  Rng rng(0);
  EXPECT_EQ(rng.next(), 0x99EC5F36CB75F2B4ULL);
  EXPECT_EQ(rng.next(), 0xBF6E1F784956452AULL);
  EXPECT_EQ(rng.next(), 0x1A5F849D4933E6E0ULL);
}

TEST(Rng, SameSeedSameSequenceOtherSeedAnother) {
  Rng a(42), b(42), c(43);
  bool differs = false;
  for (int i = 0; i < 100; ++i) {
    const uint64_t value = a.next();
    EXPECT_EQ(value, b.next());
    differs |= value != c.next();
  }
  EXPECT_TRUE(differs);
}

TEST(Rng, BelowIsUniformAndInRange) {
  Rng rng(7);
  std::array<int, 10> seen{};
  for (int i = 0; i < 100'000; ++i) {
    const uint64_t value = rng.below(10);
    ASSERT_LT(value, 10U);
    ++seen[value];
  }
  for (const int n : seen) EXPECT_NEAR(n, 10'000, 500);
}

TEST(Rng, TheSeedOfAFirstNumber) {
  Rng rng(3);
  for (int i = 0; i < 1000; ++i) {
    const uint64_t value = rng.next();
    ASSERT_EQ(Rng(Rng::seed_of_first(value)).next(), value);
  }
}

TEST(Rng, PercentAtItsEnds) {
  Rng rng(1);
  for (int i = 0; i < 1000; ++i) {
    EXPECT_FALSE(rng.percent(0));
    EXPECT_TRUE(rng.percent(100));
  }
}

}  // namespace
}  // namespace pynvme::base
