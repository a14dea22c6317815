// Which bits were flipped, from two CRC-32Cs alone: the CRC is linear, so the difference of two of
// them depends only on what differs. One bit is always found and unique up to 2^31 bits; of two
// bits several pairs may fit.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace pynvme::verify {

// Bit numbers from the start of the data: byte * 8 + bit.
using BitPair = std::pair<uint32_t, uint32_t>;

// The one bit of `bytes` bytes whose flip makes the difference, or -1.
int64_t flipped_bit(uint32_t crc_difference, size_t bytes);
// All pairs that do, at most `limit`.
std::vector<BitPair> flipped_pairs(uint32_t crc_difference, size_t bytes, size_t limit);

}  // namespace pynvme::verify
