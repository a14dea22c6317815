#include "ioworker/pattern.h"

#include <algorithm>
#include <vector>

#include <gtest/gtest.h>

#include "ioworker/workload.h"

namespace pynvme::ioworker {
namespace {

std::vector<uint8_t> pattern(uint32_t ptype, uint64_t pvalue) {
  std::vector<uint8_t> data(8192, 0xEE);
  base::Rng rng(1);
  fill_pattern(data, 512, ptype, pvalue, rng);
  return data;
}

TEST(Pattern, ConstantsAndDwords) {
  EXPECT_EQ(pattern(kPatternConstant, 0), std::vector<uint8_t>(8192, 0x00));
  EXPECT_EQ(pattern(kPatternConstant, 1), std::vector<uint8_t>(8192, 0xFF));
  const auto dwords = pattern(kPatternDword, 0x12345678);
  for (size_t i = 0; i < dwords.size(); i += 4) {
    ASSERT_EQ(dwords[i], 0x78);
    ASSERT_EQ(dwords[i + 3], 0x12);
  }
}

TEST(Pattern, ThePerCentOfRandomBytesIsThatOfEachLba) {
  const auto data = pattern(kPatternRandom, 25);
  for (size_t lba = 0; lba < data.size(); lba += 512) {
    const auto* bytes = &data[lba];
    EXPECT_EQ(std::count(bytes + 128, bytes + 512, 0), 384);
    EXPECT_LT(std::count(bytes, bytes + 128, 0), 20);
  }
  EXPECT_EQ(pattern(kPatternRandom, 0), std::vector<uint8_t>(8192, 0x00));
  EXPECT_LT(std::count_if(data.begin(), data.end(), [](uint8_t b) { return b != 0; }), 8192);
}

TEST(Pattern, EachLbaOfASlotHasItsOwn) {
  const auto lba = [](uint32_t slot, uint32_t index) {
    std::vector<uint8_t> data(512);
    fill_slot_lba(data, kPatternRandom, 100, 7, slot, index);
    return data;
  };
  EXPECT_EQ(lba(3, 1), lba(3, 1));
  EXPECT_NE(lba(3, 1), lba(3, 0));
  EXPECT_NE(lba(3, 1), lba(1, 3));
}

}  // namespace
}  // namespace pynvme::ioworker
