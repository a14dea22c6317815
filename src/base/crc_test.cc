#include "base/crc.h"

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "base/rng.h"

namespace pynvme::base {
namespace {

// The vectors of RFC 3720 appendix B.4, and the check value of the CRC catalogue.
TEST(Crc32c, PublishedVectors) {
  std::array<uint8_t, 32> bytes{};
  EXPECT_EQ(crc32c(bytes.data(), bytes.size()), 0x8A9136AAU);
  bytes.fill(0xFF);
  EXPECT_EQ(crc32c(bytes.data(), bytes.size()), 0x62A8AB43U);
  for (uint8_t i = 0; i < 32; ++i) bytes[i] = i;
  EXPECT_EQ(crc32c(bytes.data(), bytes.size()), 0x46DD794EU);
  constexpr std::string_view kCheck = "123456789";
  EXPECT_EQ(crc32c(kCheck.data(), kCheck.size()), 0xE3069283U);
}

uint32_t bit_by_bit(const uint8_t* data, size_t size) {
  uint32_t crc = 0xFFFF'FFFFU;
  for (size_t i = 0; i < size; ++i) {
    crc ^= data[i];
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1U) != 0 ? 0x82F6'3B78U : 0U);
  }
  return ~crc;
}

TEST(Crc32c, AgreesWithTheDefinitionAtEveryLengthAndAlignment) {
  Rng rng(11);
  std::vector<uint8_t> bytes(4096 + 8);
  for (auto& byte : bytes) byte = static_cast<uint8_t>(rng.next());
  for (size_t size = 0; size < 600; ++size) {
    const size_t offset = size % 8;
    EXPECT_EQ(crc32c(bytes.data() + offset, size), bit_by_bit(bytes.data() + offset, size)) << size;
  }
  EXPECT_EQ(crc32c(bytes.data(), 4096), bit_by_bit(bytes.data(), 4096));
}

TEST(Crc32c, BlocksAreTheSameAsOneByOne) {
  Rng rng(12);
  std::vector<uint8_t> bytes(9 * 4096 + 3);
  for (auto& byte : bytes) byte = static_cast<uint8_t>(rng.next());
  for (const size_t block : {512U, 520U, 4096U}) {
    for (size_t count = 0; count <= 9; ++count) {
      const uint8_t* data = bytes.data() + count % 4;
      std::array<uint32_t, 10> crcs{};
      crc32c_blocks(data, block, count, crcs.data());
      for (size_t i = 0; i < count; ++i) {
        EXPECT_EQ(crcs[i], bit_by_bit(data + i * block, block)) << block << " x " << i;
      }
      EXPECT_EQ(crcs[count], 0U) << "written behind the last";
    }
  }
}

// A single bit anywhere in a block: the CRC is linear, so this shows each of its moves.
TEST(Crc32c, BlocksSeeEveryBit) {
  std::vector<uint8_t> bytes(512);
  for (size_t bit = 0; bit < 512 * 8; ++bit) {
    bytes[bit / 8] = static_cast<uint8_t>(1U << (bit % 8));
    uint32_t crc = 0;
    crc32c_blocks(bytes.data(), 512, 1, &crc);
    EXPECT_EQ(crc, bit_by_bit(bytes.data(), 512)) << bit;
    bytes[bit / 8] = 0;
  }
}

}  // namespace
}  // namespace pynvme::base
