// Bit-range helpers at the edges of their types.
#include "spec/wire.h"

#include <gtest/gtest.h>

namespace pynvme::spec {
namespace {

TEST(Wire, BitsTakesTheRangeInFigureOrder) {
  EXPECT_EQ(bits(0xA5C3u, 7, 4), 0xCu);
  EXPECT_EQ(bits(0xA5C3u, 15, 15), 1u);
  EXPECT_EQ(bits(uint32_t{0xFFFFFFFF}, 31, 0), 0xFFFFFFFFu);
  EXPECT_EQ(bits(uint64_t{0x8123456789ABCDEF}, 63, 0), 0x8123456789ABCDEFu);
  EXPECT_EQ(bits(uint64_t{0x8123456789ABCDEF}, 63, 60), 0x8u);
  EXPECT_TRUE(bit(uint64_t{1} << 63, 63));
  EXPECT_FALSE(bit(uint64_t{1} << 63, 62));
}

TEST(Wire, WithBitsReplacesOnlyTheRangeAndCutsTheField) {
  EXPECT_EQ(with_bits(uint32_t{0xFFFFFFFF}, 15, 8, 0), 0xFFFF00FFu);
  EXPECT_EQ(with_bits(uint32_t{0}, 15, 8, 0x1FF), 0x0000FF00u);
  EXPECT_EQ(with_bits(uint8_t{0x3C}, 7, 6, 0x3), 0xFC);
  EXPECT_EQ(with_bits(uint64_t{0}, 63, 0, ~uint64_t{0}), ~uint64_t{0});
}

}  // namespace
}  // namespace pynvme::spec
