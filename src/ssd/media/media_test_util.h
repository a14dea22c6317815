// What the tests of Media share: whole-LBA writes of one byte value, and reads of it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include <gtest/gtest.h>

#include "ssd/media/media.h"

namespace pynvme::ssd {

inline void write_value(Media& media, uint64_t slba, uint32_t nlb, uint8_t value, bool durable) {
  std::vector<uint8_t> data(uint64_t{nlb} * media.lba_bytes(), value);
  const IoVec piece{data.data(), static_cast<uint32_t>(data.size())};
  media.write(slba, nlb, {&piece, 1}, durable);
}

// The value that all bytes of the LBA have; -1 when it is uncorrectable, -2 when they differ.
inline int read_value(Media& media, uint64_t lba) {
  std::vector<uint8_t> data(media.lba_bytes(), 0xEE);
  const IoVec piece{data.data(), static_cast<uint32_t>(data.size())};
  uint64_t bad_lba = UINT64_MAX;
  if (media.read(lba, 1, {&piece, 1}, &bad_lba) != MediaError::kNone) {
    EXPECT_EQ(bad_lba, lba);
    return -1;
  }
  const bool same = std::all_of(data.begin(), data.end(), [&](uint8_t b) { return b == data[0]; });
  return same ? data[0] : -2;
}

inline std::vector<int> read_values(Media& media, uint64_t slba, uint32_t nlb) {
  std::vector<int> values;
  for (uint32_t i = 0; i < nlb; ++i) values.push_back(read_value(media, slba + i));
  return values;
}

}  // namespace pynvme::ssd
