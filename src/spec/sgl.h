// The SGL descriptor (NVMe Base 2.0 §4.1.2): 16 bytes, in SQEs that say so with PSDT, and always in
// those of a fabric. What a transport allows of them is the business of each side.
#pragma once

#include <cstddef>
#include <cstdint>

#include "spec/wire.h"

namespace pynvme::spec {

// Bits 7:4 of byte 15.
enum class SglType : uint8_t {
  kDataBlock = 0x0,
  kBitBucket = 0x1,
  kSegment = 0x2,
  kLastSegment = 0x3,
  kKeyedDataBlock = 0x4,
  kTransportDataBlock = 0x5,
  kVendor = 0xF,
};

// Bits 3:0 of byte 15.
enum class SglSubtype : uint8_t {
  kAddress = 0x0,
  kOffset = 0x1,  // of a data block: into the command capsule
  kTransport = 0xA,
};

struct SglDescriptor {
  uint64_t address;  // or an offset, or reserved (Transport SGL Data Block)
  uint32_t length;
  uint8_t reserved12[3];
  uint8_t identifier;  // subtype 3:0, type 7:4

  constexpr SglType type() const { return static_cast<SglType>(bits(identifier, 7, 4)); }
  constexpr SglSubtype subtype() const { return static_cast<SglSubtype>(bits(identifier, 3, 0)); }
};
static_assert(kIsWire<SglDescriptor> && sizeof(SglDescriptor) == 16);
static_assert(offsetof(SglDescriptor, length) == 8 && offsetof(SglDescriptor, identifier) == 15);

constexpr uint8_t make_sgl_identifier(SglType type, SglSubtype subtype) {
  return static_cast<uint8_t>(static_cast<uint8_t>(type) << 4 | static_cast<uint8_t>(subtype));
}

// The two that NVMe/TCP knows (NVMe/TCP 1.0 §3.2): data that follows the SQE in its capsule, and
// data that moves in PDUs of its own.
inline constexpr uint8_t kSglInCapsule =
    make_sgl_identifier(SglType::kDataBlock, SglSubtype::kOffset);
inline constexpr uint8_t kSglTransport =
    make_sgl_identifier(SglType::kTransportDataBlock, SglSubtype::kTransport);

constexpr SglDescriptor make_sgl(uint8_t identifier, uint64_t address, uint32_t length) {
  return {address, length, {}, identifier};
}

// SGLS of Identify Controller.
inline constexpr uint32_t kSglsSupported = 1u << 0;  // 1:0, 01b: no alignment asked for
inline constexpr uint32_t kSglsKeyed = 1u << 2;      // keyed data block
inline constexpr uint32_t kSglsBitBucket = 1u << 16;
inline constexpr uint32_t kSglsLonger = 1u << 18;  // than the data
inline constexpr uint32_t kSglsOffset = 1u << 20;  // address field as an offset
inline constexpr uint32_t kSglsTransportDataBlock = 1u << 21;

}  // namespace pynvme::spec
