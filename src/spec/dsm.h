// Dataset Management (NVM Command Set 1.0 §3.2.3): the range and the attribute bits.
#pragma once

#include <cstddef>
#include <cstdint>

#include "spec/wire.h"

namespace pynvme::spec {

struct DsmRange {
  uint32_t context_attributes;
  uint32_t nlb;  // not 0's based: 0 is an empty range
  uint64_t slba;
};
static_assert(kIsWire<DsmRange> && sizeof(DsmRange) == 16);
static_assert(offsetof(DsmRange, nlb) == 4 && offsetof(DsmRange, slba) == 8);

inline constexpr uint32_t kDsmRangesMax = 256;

// CDW10 bits 7:0 is the number of ranges, 0's based.
constexpr uint32_t dsm_ranges(uint32_t cdw10) { return bits(cdw10, 7, 0) + 1; }

// CDW11
inline constexpr uint32_t kDsmIdr = 1u << 0;
inline constexpr uint32_t kDsmIdw = 1u << 1;
inline constexpr uint32_t kDsmAd = 1u << 2;

// Context attributes: Access Frequency 3:0, Access Latency 5:4, Command Access Size 31:24.
constexpr uint8_t dsm_access_frequency(uint32_t attributes) {
  return static_cast<uint8_t>(bits(attributes, 3, 0));
}
constexpr uint8_t dsm_access_latency(uint32_t attributes) {
  return static_cast<uint8_t>(bits(attributes, 5, 4));
}
constexpr uint8_t dsm_command_access_size(uint32_t attributes) {
  return static_cast<uint8_t>(bits(attributes, 31, 24));
}
inline constexpr uint32_t kDsmSequentialRead = 1u << 8;
inline constexpr uint32_t kDsmSequentialWrite = 1u << 9;
inline constexpr uint32_t kDsmWritePrepare = 1u << 10;

}  // namespace pynvme::spec
