// vfio-user as published with libvfio-user (0.9): headers, payloads and constants, and what they
// borrow from Linux' VFIO (regions, interrupts). Data only: framing is base/framed_socket.h, what a
// message does is each side's own business.
#pragma once

#include <cstddef>
#include <cstdint>

#include "spec/wire.h"

namespace pynvme::spec::vfu {

inline constexpr uint16_t kMajor = 0;
inline constexpr uint16_t kMinor = 1;

enum class Command : uint16_t {
  kVersion = 1,
  kDmaMap = 2,
  kDmaUnmap = 3,
  kDeviceGetInfo = 4,
  kDeviceGetRegionInfo = 5,
  kDeviceGetRegionIoFds = 6,
  kDeviceGetIrqInfo = 7,
  kDeviceSetIrqs = 8,
  kRegionRead = 9,
  kRegionWrite = 10,
  kDmaRead = 11,
  kDmaWrite = 12,
  kDeviceReset = 13,
  kRegionWriteMulti = 15,
  kDeviceFeature = 16,
  kMigDataRead = 17,
  kMigDataWrite = 18,
};

struct Header {
  static constexpr uint32_t kTypeMask = 0xF;
  static constexpr uint32_t kTypeCommand = 0;
  static constexpr uint32_t kTypeReply = 1;
  static constexpr uint32_t kNoReply = 0x10;
  static constexpr uint32_t kError = 0x20;

  uint16_t message_id;
  uint16_t command;
  uint32_t message_bytes;  // header included
  uint32_t flags;
  uint32_t error;  // an errno, with kError

  constexpr bool is_reply() const { return (flags & kTypeMask) == kTypeReply; }
};
static_assert(kIsWire<Header> && sizeof(Header) == 16);
static_assert(offsetof(Header, command) == 2 && offsetof(Header, message_bytes) == 4);
static_assert(offsetof(Header, flags) == 8 && offsetof(Header, error) == 12);

// Followed by a JSON text with its NUL, or by nothing.
struct Version {
  uint16_t major;
  uint16_t minor;
};
static_assert(kIsWire<Version> && sizeof(Version) == 4 && offsetof(Version, minor) == 2);

// What holds when the JSON says nothing.
inline constexpr uint32_t kDefaultMaxDataXferBytes = 1U << 20;
inline constexpr uint32_t kDefaultMaxMsgFds = 1;
inline constexpr uint32_t kDefaultMaxDmaMaps = 65535;

struct DmaMap {
  static constexpr uint32_t kRead = 1U << 0;
  static constexpr uint32_t kWrite = 1U << 1;
  static constexpr uint32_t kMmap = 1U << 2;
  static constexpr uint32_t kFileIo = 1U << 3;

  uint32_t argsz;
  uint32_t flags;
  uint64_t offset;  // in the file
  uint64_t address;
  uint64_t size;
};
static_assert(kIsWire<DmaMap> && sizeof(DmaMap) == 32);
static_assert(offsetof(DmaMap, offset) == 8 && offsetof(DmaMap, address) == 16);
static_assert(offsetof(DmaMap, size) == 24);

struct DmaUnmap {
  static constexpr uint32_t kDirtyBitmap = 1U << 0;
  static constexpr uint32_t kAll = 1U << 1;

  uint32_t argsz;
  uint32_t flags;
  uint64_t address;
  uint64_t size;
};
static_assert(kIsWire<DmaUnmap> && sizeof(DmaUnmap) == 24);
static_assert(offsetof(DmaUnmap, address) == 8 && offsetof(DmaUnmap, size) == 16);

struct DeviceInfo {
  static constexpr uint32_t kReset = 1U << 0;
  static constexpr uint32_t kPci = 1U << 1;

  uint32_t argsz;
  uint32_t flags;
  uint32_t num_regions;
  uint32_t num_irqs;
};
static_assert(kIsWire<DeviceInfo> && sizeof(DeviceInfo) == 16);
static_assert(offsetof(DeviceInfo, num_regions) == 8 && offsetof(DeviceInfo, num_irqs) == 12);

// VFIO's regions of a PCI function: BARs 0 to 5 come first.
inline constexpr uint32_t kRegionBar0 = 0;
inline constexpr uint32_t kRegionRom = 6;
inline constexpr uint32_t kRegionConfig = 7;
inline constexpr uint32_t kRegionVga = 8;
inline constexpr uint32_t kRegions = 9;

struct RegionInfo {
  static constexpr uint32_t kRead = 1U << 0;
  static constexpr uint32_t kWrite = 1U << 1;
  static constexpr uint32_t kMmap = 1U << 2;
  static constexpr uint32_t kCaps = 1U << 3;

  uint32_t argsz;
  uint32_t flags;
  uint32_t index;
  uint32_t cap_offset;  // from the start of this structure
  uint64_t size;
  uint64_t offset;  // in the file that backs mappable areas
};
static_assert(kIsWire<RegionInfo> && sizeof(RegionInfo) == 32);
static_assert(offsetof(RegionInfo, cap_offset) == 12 && offsetof(RegionInfo, size) == 16);
static_assert(offsetof(RegionInfo, offset) == 24);

struct CapHeader {
  uint16_t id;
  uint16_t version;
  uint32_t next;  // from the start of RegionInfo; 0: the last one
};
static_assert(kIsWire<CapHeader> && sizeof(CapHeader) == 8 && offsetof(CapHeader, next) == 4);

inline constexpr uint16_t kCapSparseMmap = 1;

// Followed by `areas` SparseAreas.
struct SparseMmap {
  CapHeader header;
  uint32_t areas;
  uint32_t reserved;
};
static_assert(kIsWire<SparseMmap> && sizeof(SparseMmap) == 16 && offsetof(SparseMmap, areas) == 8);

struct SparseArea {
  uint64_t offset;  // in the region
  uint64_t size;
};
static_assert(kIsWire<SparseArea> && sizeof(SparseArea) == 16);

// Followed by `count` descriptions of 24 bytes.
struct RegionIoFds {
  uint32_t argsz;
  uint32_t flags;
  uint32_t index;
  uint32_t count;
};
static_assert(kIsWire<RegionIoFds> && sizeof(RegionIoFds) == 16);

inline constexpr uint32_t kIrqIntx = 0;
inline constexpr uint32_t kIrqMsi = 1;
inline constexpr uint32_t kIrqMsix = 2;
inline constexpr uint32_t kIrqError = 3;
inline constexpr uint32_t kIrqRequest = 4;
inline constexpr uint32_t kIrqs = 5;

struct IrqInfo {
  static constexpr uint32_t kEventfd = 1U << 0;
  static constexpr uint32_t kMaskable = 1U << 1;
  static constexpr uint32_t kAutomasked = 1U << 2;
  static constexpr uint32_t kNoresize = 1U << 3;

  uint32_t argsz;
  uint32_t flags;
  uint32_t index;
  uint32_t count;
};
static_assert(kIsWire<IrqInfo> && sizeof(IrqInfo) == 16);
static_assert(offsetof(IrqInfo, index) == 8 && offsetof(IrqInfo, count) == 12);

// Followed by `count` bytes with kDataBool; with kDataEventfd the descriptors come beside it.
struct IrqSet {
  static constexpr uint32_t kDataNone = 1U << 0;
  static constexpr uint32_t kDataBool = 1U << 1;
  static constexpr uint32_t kDataEventfd = 1U << 2;
  static constexpr uint32_t kDataMask = 7;
  static constexpr uint32_t kActionMask = 1U << 3;
  static constexpr uint32_t kActionUnmask = 1U << 4;
  static constexpr uint32_t kActionTrigger = 1U << 5;
  static constexpr uint32_t kActions = 0x38;

  uint32_t argsz;
  uint32_t flags;
  uint32_t index;
  uint32_t start;
  uint32_t count;
};
static_assert(kIsWire<IrqSet> && sizeof(IrqSet) == 20);
static_assert(offsetof(IrqSet, start) == 12 && offsetof(IrqSet, count) == 16);

// REGION_READ and REGION_WRITE, both ways; the data follow.
struct RegionAccess {
  uint64_t offset;
  uint32_t region;
  uint32_t count;
};
static_assert(kIsWire<RegionAccess> && sizeof(RegionAccess) == 16);
static_assert(offsetof(RegionAccess, region) == 8 && offsetof(RegionAccess, count) == 12);

// DMA_READ and DMA_WRITE, both ways; the data follow.
struct DmaAccess {
  uint64_t address;
  uint64_t count;
};
static_assert(kIsWire<DmaAccess> && sizeof(DmaAccess) == 16 && offsetof(DmaAccess, count) == 8);

// REGION_WRITE_MULTI: a count of 64 bits, then so many of these. The reply is the count alone.
struct RegionWriteOne {
  uint64_t offset;
  uint32_t region;
  uint32_t count;  // 8 at most
  uint8_t data[8];
};
static_assert(kIsWire<RegionWriteOne> && sizeof(RegionWriteOne) == 24);
static_assert(offsetof(RegionWriteOne, region) == 8 && offsetof(RegionWriteOne, data) == 16);

}  // namespace pynvme::spec::vfu
