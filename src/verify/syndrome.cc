#include "verify/syndrome.h"

#include <array>
#include <unordered_map>

namespace pynvme::verify {
namespace {

constexpr std::array<uint32_t, 256> make_table() {
  std::array<uint32_t, 256> table{};
  for (uint32_t i = 0; i < table.size(); ++i) {
    uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit) value = value >> 1 ^ ((value & 1) != 0 ? 0x82F6'3B78U : 0);
    table[i] = value;
  }
  return table;
}
constexpr std::array<uint32_t, 256> kTable = make_table();

// The difference that each bit makes, by bit number. From the last byte to the first: a byte
// further away from the end is one zero byte more through the CRC.
std::vector<uint32_t> syndromes(size_t bytes) {
  std::vector<uint32_t> all(bytes * 8);
  for (uint32_t bit = 0; bit < 8; ++bit) {
    uint32_t value = kTable[1U << bit];
    for (size_t byte = bytes; byte-- > 0;) {
      all[byte * 8 + bit] = value;
      value = value >> 8 ^ kTable[value & 0xFF];
    }
  }
  return all;
}

}  // namespace

int64_t flipped_bit(uint32_t crc_difference, size_t bytes) {
  const std::vector<uint32_t> all = syndromes(bytes);
  for (size_t bit = 0; bit < all.size(); ++bit) {
    if (all[bit] == crc_difference) return static_cast<int64_t>(bit);
  }
  return -1;
}

std::vector<BitPair> flipped_pairs(uint32_t crc_difference, size_t bytes, size_t limit) {
  const std::vector<uint32_t> all = syndromes(bytes);
  std::unordered_map<uint32_t, uint32_t> bit_of;
  bit_of.reserve(all.size());
  for (uint32_t bit = 0; bit < all.size(); ++bit) bit_of.emplace(all[bit], bit);
  std::vector<BitPair> found;
  for (uint32_t bit = 0; bit < all.size() && found.size() < limit; ++bit) {
    const auto other = bit_of.find(all[bit] ^ crc_difference);
    if (other != bit_of.end() && other->second > bit) found.emplace_back(bit, other->second);
  }
  return found;
}

}  // namespace pynvme::verify
