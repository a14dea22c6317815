// PCI configuration space as NVMe functions have it (PCI Express Base 5.0 §7, PCI Power Management
// 1.2, NVMe over PCIe 1.0): offsets, capability identifiers and the fields that are read or written
// here. Walking the capability lists and resetting functions belong to src/pcie.
#pragma once

#include <cstddef>
#include <cstdint>

#include "spec/wire.h"

namespace pynvme::spec::pci {

inline constexpr size_t kConfigSize = 256;
inline constexpr size_t kExtendedConfigSize = 4096;

// Type 0 header.
inline constexpr uint16_t kVendorId = 0x00;
inline constexpr uint16_t kDeviceId = 0x02;
inline constexpr uint16_t kCommand = 0x04;
inline constexpr uint16_t kStatus = 0x06;
inline constexpr uint16_t kRevisionId = 0x08;
inline constexpr uint16_t kClassCode = 0x09;  // three bytes: interface, subclass, base class
inline constexpr uint16_t kCacheLineSize = 0x0C;
inline constexpr uint16_t kLatencyTimer = 0x0D;
inline constexpr uint16_t kHeaderType = 0x0E;
inline constexpr uint16_t kBist = 0x0F;
inline constexpr uint16_t kBar0 = 0x10;
inline constexpr uint16_t kBar1 = 0x14;
inline constexpr uint16_t kBar2 = 0x18;
inline constexpr uint16_t kBar3 = 0x1C;
inline constexpr uint16_t kBar4 = 0x20;
inline constexpr uint16_t kBar5 = 0x24;
inline constexpr uint16_t kSubsystemVendorId = 0x2C;
inline constexpr uint16_t kSubsystemId = 0x2E;
inline constexpr uint16_t kExpansionRom = 0x30;
inline constexpr uint16_t kCapabilitiesPointer = 0x34;
inline constexpr uint16_t kInterruptLine = 0x3C;
inline constexpr uint16_t kInterruptPin = 0x3D;

// Class code 01h 08h 02h: mass storage, non-volatile memory, NVM Express I/O controller.
inline constexpr uint8_t kBaseClassMassStorage = 0x01;
inline constexpr uint8_t kSubclassNvm = 0x08;
inline constexpr uint8_t kInterfaceNvme = 0x02;
inline constexpr uint32_t kClassCodeNvme = 0x010802;

// What a read returns when the function is gone.
inline constexpr uint16_t kVendorIdAbsent = 0xFFFF;

// Command register
inline constexpr uint16_t kCommandIoSpace = 1u << 0;
inline constexpr uint16_t kCommandMemorySpace = 1u << 1;
inline constexpr uint16_t kCommandBusMaster = 1u << 2;
inline constexpr uint16_t kCommandParityErrorResponse = 1u << 6;
inline constexpr uint16_t kCommandSerrEnable = 1u << 8;
inline constexpr uint16_t kCommandInterruptDisable = 1u << 10;

// Status register; bits 15:11 and 8 are cleared by writing 1.
inline constexpr uint16_t kStatusInterrupt = 1u << 3;
inline constexpr uint16_t kStatusCapabilitiesList = 1u << 4;
inline constexpr uint16_t kStatusWrite1Clear = 0xF900;

// Memory BAR: type 2:1 (10b is 64 bits), prefetchable 3.
inline constexpr uint32_t kBarIoSpace = 1u << 0;
inline constexpr uint32_t kBarType64 = 2u << 1;
inline constexpr uint32_t kBarTypeMask = 3u << 1;
inline constexpr uint32_t kBarPrefetchable = 1u << 3;
inline constexpr uint32_t kBarAddressMask = 0xFFFFFFF0;

// Capability identifiers; a capability opens with its identifier and the pointer to the next.
inline constexpr uint8_t kCapIdPowerManagement = 0x01;
inline constexpr uint8_t kCapIdMsi = 0x05;
inline constexpr uint8_t kCapIdVendor = 0x09;
inline constexpr uint8_t kCapIdPciExpress = 0x10;
inline constexpr uint8_t kCapIdMsix = 0x11;
inline constexpr uint8_t kCapId = 0x00;
inline constexpr uint8_t kCapNext = 0x01;

// Power management capability, 8 bytes.
namespace pm {
inline constexpr uint16_t kSize = 0x08;
inline constexpr uint16_t kPmc = 0x02;
inline constexpr uint16_t kPmcsr = 0x04;
inline constexpr uint16_t kPmcVersion3 = 3u << 0;  // PMC bits 2:0
inline constexpr uint16_t kPmcD1 = 1u << 9;
inline constexpr uint16_t kPmcD2 = 1u << 10;
inline constexpr uint16_t kPmcsrPowerStateMask = 0x0003;  // 0 is D0, 3 is D3hot
inline constexpr uint16_t kPmcsrNoSoftReset = 1u << 3;
inline constexpr uint16_t kPmcsrPmeEnable = 1u << 8;
inline constexpr uint16_t kPmcsrPmeStatus = 1u << 15;
}  // namespace pm

// MSI capability. With 64-bit addresses Message Data is at 0Ch, and masks (if any) follow at 10h.
namespace msi {
inline constexpr uint16_t kSize64 = 0x0E;
inline constexpr uint16_t kSize64Masked = 0x18;
inline constexpr uint16_t kControl = 0x02;
inline constexpr uint16_t kAddressLow = 0x04;
inline constexpr uint16_t kAddressHigh = 0x08;
inline constexpr uint16_t kData32 = 0x08;
inline constexpr uint16_t kData64 = 0x0C;
inline constexpr uint16_t kMask64 = 0x10;
inline constexpr uint16_t kPending64 = 0x14;
inline constexpr uint16_t kControlEnable = 1u << 0;
inline constexpr uint16_t kControl64Bit = 1u << 7;
inline constexpr uint16_t kControlPerVectorMask = 1u << 8;
// Both are log2 of a number of messages.
constexpr uint8_t multiple_message_capable(uint16_t control) {
  return static_cast<uint8_t>(bits(control, 3, 1));
}
constexpr uint8_t multiple_message_enable(uint16_t control) {
  return static_cast<uint8_t>(bits(control, 6, 4));
}
}  // namespace msi

// MSI-X capability, 12 bytes, and its table in a BAR.
namespace msix {
inline constexpr uint16_t kSize = 0x0C;
inline constexpr uint16_t kControl = 0x02;
inline constexpr uint16_t kTable = 0x04;                   // BIR 2:0, offset 31:3
inline constexpr uint16_t kPba = 0x08;                     // BIR 2:0, offset 31:3
inline constexpr uint16_t kControlTableSizeMask = 0x07FF;  // 0's based
inline constexpr uint16_t kControlFunctionMask = 1u << 14;
inline constexpr uint16_t kControlEnable = 1u << 15;
inline constexpr uint32_t kBirMask = 0x7;
inline constexpr uint32_t kOffsetMask = ~uint32_t{0x7};
inline constexpr uint32_t kVectorControlMask = 1u << 0;

struct TableEntry {
  uint32_t address_low;
  uint32_t address_high;
  uint32_t data;
  uint32_t vector_control;
};
static_assert(kIsWire<TableEntry> && sizeof(TableEntry) == 16);
static_assert(offsetof(TableEntry, data) == 8 && offsetof(TableEntry, vector_control) == 12);
}  // namespace msix

// PCI Express capability, version 2 (3Ch bytes).
namespace pcie {
inline constexpr uint16_t kSize = 0x3C;
inline constexpr uint16_t kCapabilities = 0x02;
inline constexpr uint16_t kDeviceCapabilities = 0x04;
inline constexpr uint16_t kDeviceControl = 0x08;
inline constexpr uint16_t kDeviceStatus = 0x0A;
inline constexpr uint16_t kLinkCapabilities = 0x0C;
inline constexpr uint16_t kLinkControl = 0x10;
inline constexpr uint16_t kLinkStatus = 0x12;
inline constexpr uint16_t kDeviceCapabilities2 = 0x24;
inline constexpr uint16_t kDeviceControl2 = 0x28;
inline constexpr uint16_t kLinkCapabilities2 = 0x2C;
inline constexpr uint16_t kLinkControl2 = 0x30;
inline constexpr uint16_t kLinkStatus2 = 0x32;

// PCI Express Capabilities: version 3:0, device/port type 7:4 (0 is an endpoint).
inline constexpr uint16_t kCapabilitiesVersion2 = 2u << 0;

inline constexpr uint32_t kDeviceCapMaxPayloadMask = 0x7;  // 128 << n bytes
inline constexpr uint32_t kDeviceCapExtendedTag = 1u << 5;
inline constexpr uint32_t kDeviceCapRoleBasedError = 1u << 15;
inline constexpr uint32_t kDeviceCapFlr = 1u << 28;

inline constexpr uint16_t kDeviceControlCorrectable = 1u << 0;
inline constexpr uint16_t kDeviceControlNonFatal = 1u << 1;
inline constexpr uint16_t kDeviceControlFatal = 1u << 2;
inline constexpr uint16_t kDeviceControlUnsupportedRequest = 1u << 3;
inline constexpr uint16_t kDeviceControlRelaxedOrdering = 1u << 4;
inline constexpr uint16_t kDeviceControlMaxPayloadMask = 0x7u << 5;
inline constexpr uint16_t kDeviceControlNoSnoop = 1u << 11;
inline constexpr uint16_t kDeviceControlMaxReadMask = 0x7u << 12;
inline constexpr uint16_t kDeviceControlInitiateFlr = 1u << 15;  // reads as 0

inline constexpr uint16_t kDeviceStatusWrite1Clear = 0x000F;
inline constexpr uint16_t kDeviceStatusTransactionsPending = 1u << 5;

// Link: speed 3:0 (1 is 2.5 GT/s, 2 5.0, 3 8.0, 4 16.0, 5 32.0), width 9:4 in capabilities and in
// status.
constexpr uint8_t link_speed(uint32_t link) { return static_cast<uint8_t>(bits(link, 3, 0)); }
constexpr uint8_t link_width(uint32_t link) { return static_cast<uint8_t>(bits(link, 9, 4)); }
// ASPM: bit 0 L0s, bit 1 L1; capabilities 11:10, control 1:0.
constexpr uint8_t link_cap_aspm(uint32_t capabilities) {
  return static_cast<uint8_t>(bits(capabilities, 11, 10));
}
inline constexpr uint16_t kLinkControlAspmMask = 0x3;
inline constexpr uint16_t kLinkControlReadCompletionBoundary = 1u << 3;
inline constexpr uint16_t kLinkControlDisable = 1u << 4;
inline constexpr uint16_t kLinkControlRetrain = 1u << 5;
inline constexpr uint16_t kLinkControlCommonClock = 1u << 6;
inline constexpr uint16_t kLinkStatusTraining = 1u << 11;
inline constexpr uint16_t kLinkStatusSlotClock = 1u << 12;
inline constexpr uint16_t kLinkStatusActive = 1u << 13;
inline constexpr uint16_t kLinkControl2TargetSpeedMask = 0xF;
}  // namespace pcie

// Extended capabilities begin at 100h: identifier 15:0, version 19:16, next 31:20. A zero dword at
// 100h is an empty list.
inline constexpr uint16_t kExtendedCapabilities = 0x100;
inline constexpr uint16_t kExtCapIdAer = 0x0001;
inline constexpr uint16_t kExtCapIdVirtualChannel = 0x0002;
inline constexpr uint16_t kExtCapIdSerialNumber = 0x0003;
inline constexpr uint16_t kExtCapIdVendor = 0x000B;
inline constexpr uint16_t kExtCapIdAri = 0x000E;
inline constexpr uint16_t kExtCapIdSrIov = 0x0010;
inline constexpr uint16_t kExtCapIdResizableBar = 0x0015;
inline constexpr uint16_t kExtCapIdLtr = 0x0018;
inline constexpr uint16_t kExtCapIdSecondaryPcie = 0x0019;
inline constexpr uint16_t kExtCapIdL1PmSubstates = 0x001E;
inline constexpr uint16_t kExtCapIdDataLinkFeature = 0x0025;
inline constexpr uint16_t kExtCapIdPhysicalLayer16 = 0x0026;
inline constexpr uint16_t kExtCapIdLaneMargining = 0x0027;

constexpr uint16_t ext_cap_id(uint32_t header) {
  return static_cast<uint16_t>(bits(header, 15, 0));
}
constexpr uint8_t ext_cap_version(uint32_t header) {
  return static_cast<uint8_t>(bits(header, 19, 16));
}
constexpr uint16_t ext_cap_next(uint32_t header) {
  return static_cast<uint16_t>(bits(header, 31, 20));
}
constexpr uint32_t make_ext_cap(uint16_t id, uint8_t version, uint16_t next) {
  return static_cast<uint32_t>(next) << 20 | (version & 0xFu) << 16 | id;
}

}  // namespace pynvme::spec::pci
