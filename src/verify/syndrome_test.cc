#include "verify/syndrome.h"

#include <algorithm>
#include <vector>

#include <gtest/gtest.h>

#include "base/crc.h"
#include "base/rng.h"

namespace pynvme::verify {
namespace {

uint32_t difference(size_t bytes, const std::vector<uint32_t>& bits) {
  base::Rng rng(5);
  std::vector<uint8_t> data(bytes);
  for (uint8_t& byte : data) byte = static_cast<uint8_t>(rng.next());
  const uint32_t before = base::crc32c(data.data(), bytes);
  for (const uint32_t bit : bits) data[bit / 8] ^= static_cast<uint8_t>(1U << bit % 8);
  return before ^ base::crc32c(data.data(), bytes);
}

TEST(Syndrome, OneBitIsFoundWhereverItIs) {
  for (const size_t bytes : {512U, 4096U}) {
    for (const uint32_t bit : {0U, 7U, 8U, 2049U, static_cast<uint32_t>(bytes * 8 - 1)}) {
      EXPECT_EQ(flipped_bit(difference(bytes, {bit}), bytes), bit);
    }
  }
}

TEST(Syndrome, OtherDamageIsNotTakenForOneBit) {
  EXPECT_EQ(flipped_bit(difference(4096, {3, 700}), 4096), -1);
  EXPECT_EQ(flipped_bit(difference(4096, {3, 700, 9000}), 4096), -1);
}

TEST(Syndrome, TwoBitsAreAmongThePairs) {
  const auto pairs = flipped_pairs(difference(512, {100, 3333}), 512, 16);
  EXPECT_NE(std::find(pairs.begin(), pairs.end(), BitPair(100, 3333)), pairs.end());
  EXPECT_LE(pairs.size(), 3U);
}

}  // namespace
}  // namespace pynvme::verify
