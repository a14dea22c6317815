// Get LBA Status (NVM Command Set 1.0 §4.2.1): its fields, and the list it returns.
#pragma once

#include <cstddef>
#include <cstdint>

#include "spec/wire.h"

namespace pynvme::spec {

// CDW10, CDW11: SLBA. CDW12: MNDW, 0's based. CDW13: RL 15:0 (0: to the end), ATYPE 31:24.
constexpr uint64_t lba_status_bytes_max(uint32_t cdw12) { return (uint64_t{cdw12} + 1) * 4; }
constexpr uint16_t lba_status_range(uint32_t cdw13) {
  return static_cast<uint16_t>(bits(cdw13, 15, 0));
}
constexpr uint8_t lba_status_action(uint32_t cdw13) {
  return static_cast<uint8_t>(bits(cdw13, 31, 24));
}
inline constexpr uint8_t kLbaStatusScan = 0x10;     // untracked and tracked LBAs
inline constexpr uint8_t kLbaStatusTracked = 0x11;  // tracked LBAs

struct LbaStatusHeader {
  uint32_t nlsd;
  uint8_t cmpc;
  uint8_t reserved5[3];
};
static_assert(kIsWire<LbaStatusHeader> && sizeof(LbaStatusHeader) == 8);
static_assert(offsetof(LbaStatusHeader, cmpc) == 4);
// CMPC
inline constexpr uint8_t kLbaStatusMore = 1;
inline constexpr uint8_t kLbaStatusComplete = 2;

struct LbaStatusDescriptor {
  uint64_t dslba;
  uint32_t nlb;
  uint8_t reserved12;
  uint8_t status;
  uint8_t reserved14[2];
};
static_assert(kIsWire<LbaStatusDescriptor> && sizeof(LbaStatusDescriptor) == 16);
static_assert(offsetof(LbaStatusDescriptor, nlb) == 8 &&
              offsetof(LbaStatusDescriptor, status) == 13);

}  // namespace pynvme::spec
