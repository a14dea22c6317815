// Contents and access rules of configuration space, as PCI Local Bus 3.0 §6, PCI Power
// Management 1.2 and PCI Express Base 5.0 §7 lay them out.
#include "ssd/frontend/pci_space.h"

#include "spec/pci.h"

namespace pynvme::ssd {
namespace {

namespace pci = spec::pci;

constexpr uint16_t kPmCap = 0x40;
constexpr uint16_t kMsiCap = 0x50;
constexpr uint16_t kPcieCap = 0x70;
constexpr uint16_t kMsixCap = 0xB0;
constexpr uint16_t kAerCap = 0x100;
constexpr uint16_t kSerialCap = 0x148;

// Not assigned to anybody by the PCI-SIG at the time of writing, and easy to recognise.
constexpr uint16_t kVendor = 0x1D1D;
constexpr uint16_t kDevice = 0x1F1F;

constexpr uint8_t kGen4 = 4;
constexpr uint8_t kLanes = 4;

bool accepts(uint16_t offset, unsigned size) {
  return (size == 1 || size == 2 || size == 4) && offset % size == 0 && offset + size <= 4096;
}

}  // namespace

PciSpace::PciSpace(const Layout& layout) : layout_(layout) {
  build_header();
  build_capabilities();
  build_pci_express();
  build_extended();
  now_ = initial_;
}

void PciSpace::field(uint16_t offset, uint32_t value, uint32_t writable, unsigned size) {
  for (unsigned i = 0; i < size; ++i) {
    initial_[offset + i] = static_cast<uint8_t>(value >> (8 * i));
    writable_[offset + i] = static_cast<uint8_t>(writable >> (8 * i));
  }
}

void PciSpace::build_header() {
  field(pci::kVendorId, kVendor, 0, 2);
  field(pci::kDeviceId, kDevice, 0, 2);
  field(pci::kCommand, 0,
        pci::kCommandMemorySpace | pci::kCommandBusMaster | pci::kCommandParityErrorResponse |
            pci::kCommandSerrEnable | pci::kCommandInterruptDisable,
        2);
  field(pci::kStatus, pci::kStatusCapabilitiesList, 0, 2);
  clear_by_one_[pci::kStatus + 1] = pci::kStatusWrite1Clear >> 8;
  field(pci::kRevisionId, 0x01, 0, 1);
  field(pci::kClassCode, pci::kInterfaceNvme, 0, 1);
  field(pci::kClassCode + 1, pci::kSubclassNvm, 0, 1);
  field(pci::kClassCode + 2, pci::kBaseClassMassStorage, 0, 1);
  field(pci::kCacheLineSize, 0, 0xFF, 1);
  const uint64_t bar_mask = ~(layout_.bar0_bytes - 1);
  field(pci::kBar0, pci::kBarType64, static_cast<uint32_t>(bar_mask) & pci::kBarAddressMask, 4);
  field(pci::kBar1, 0, static_cast<uint32_t>(bar_mask >> 32), 4);
  field(pci::kSubsystemVendorId, kVendor, 0, 2);
  field(pci::kSubsystemId, 0x0001, 0, 2);
  field(pci::kCapabilitiesPointer, kPmCap, 0, 1);
  field(pci::kInterruptLine, 0xFF, 0xFF, 1);
  field(pci::kInterruptPin, 1, 0, 1);
}

void PciSpace::build_capabilities() {
  const bool msi = layout_.interrupts != InterruptCapability::kPin;
  field(kPmCap, pci::kCapIdPowerManagement | (msi ? kMsiCap : kPcieCap) << 8, 0, 2);
  field(kPmCap + pci::pm::kPmc, pci::pm::kPmcVersion3, 0, 2);
  field(kPmCap + pci::pm::kPmcsr, pci::pm::kPmcsrNoSoftReset, pci::pm::kPmcsrPowerStateMask, 2);

  if (msi) build_msi();
  if (layout_.interrupts == InterruptCapability::kMsix) build_msix();
}

void PciSpace::build_msi() {
  field(kMsiCap, pci::kCapIdMsi | kPcieCap << 8, 0, 2);
  // Five is 32 messages; bits 6:4 are how many the host grants.
  field(kMsiCap + pci::msi::kControl,
        5 << 1 | pci::msi::kControl64Bit | pci::msi::kControlPerVectorMask,
        pci::msi::kControlEnable | 0x70, 2);
  field(kMsiCap + pci::msi::kAddressLow, 0, 0xFFFF'FFFC, 4);
  field(kMsiCap + pci::msi::kAddressHigh, 0, 0xFFFF'FFFF, 4);
  field(kMsiCap + pci::msi::kData64, 0, 0xFFFF, 2);
  field(kMsiCap + pci::msi::kMask64, 0, 0xFFFF'FFFF, 4);
}

void PciSpace::build_msix() {
  field(kMsixCap, pci::kCapIdMsix, 0, 2);
  field(kMsixCap + pci::msix::kControl, layout_.msix_vectors - 1U,
        pci::msix::kControlFunctionMask | pci::msix::kControlEnable, 2);
  field(kMsixCap + pci::msix::kTable, layout_.msix_table_offset, 0, 4);
  field(kMsixCap + pci::msix::kPba, layout_.msix_pba_offset, 0, 4);
}

void PciSpace::build_pci_express() {
  namespace pcie = pci::pcie;
  const uint16_t next = layout_.interrupts == InterruptCapability::kMsix ? kMsixCap : 0;
  field(kPcieCap, pci::kCapIdPciExpress | next << 8, 0, 2);
  field(kPcieCap + pcie::kCapabilities, pcie::kCapabilitiesVersion2, 0, 2);
  // 256 bytes of payload; acceptable L0s and L1 latencies without limit (bits 8:6 and 11:9).
  field(kPcieCap + pcie::kDeviceCapabilities,
        1 | pcie::kDeviceCapExtendedTag | 7 << 6 | 7 << 9 | pcie::kDeviceCapRoleBasedError |
            pcie::kDeviceCapFlr,
        0, 4);
  field(kPcieCap + pcie::kDeviceControl,
        pcie::kDeviceControlRelaxedOrdering | pcie::kDeviceControlNoSnoop | 2 << 12 | 1 << 8,
        0x7FFF & ~(1U << 9 | 1U << 10), 2);
  clear_by_one_[kPcieCap + pcie::kDeviceStatus] = pcie::kDeviceStatusWrite1Clear;
  // ASPM L0s and L1 (bits 11:10), their exit latencies, clock power management, ASPM optionality.
  field(kPcieCap + pcie::kLinkCapabilities,
        kGen4 | kLanes << 4 | 3U << 10 | 5U << 12 | 6U << 15 | 1U << 18 | 1U << 22, 0, 4);
  field(kPcieCap + pcie::kLinkControl, 0,
        pcie::kLinkControlAspmMask | pcie::kLinkControlReadCompletionBoundary |
            pcie::kLinkControlCommonClock | 1U << 7 | 1U << 8,
        2);
  field(kPcieCap + pcie::kLinkStatus, kGen4 | kLanes << 4 | pcie::kLinkStatusSlotClock, 0, 2);
  field(kPcieCap + pcie::kDeviceCapabilities2, 0xF | 1 << 4, 0, 4);
  field(kPcieCap + pcie::kDeviceControl2, 0, 0x1F, 2);
  field(kPcieCap + pcie::kLinkCapabilities2, 0xF << 1, 0, 4);
  field(kPcieCap + pcie::kLinkControl2, kGen4, pcie::kLinkControl2TargetSpeedMask, 2);

  link_[kPcieCap + pcie::kDeviceControl] = 0xE0;  // Max Payload Size
  link_[kPcieCap + pcie::kLinkControl] = 0xFF;
  link_[kPcieCap + pcie::kLinkControl + 1] = 0xFF;
  sticky_[kPcieCap + pcie::kLinkControl2] = pcie::kLinkControl2TargetSpeedMask;
}

void PciSpace::build_extended() {
  // Advanced Error Reporting, PCIe 5.0 §7.8.4. Nothing is ever reported; all that software sets
  // stays.
  field(kAerCap, pci::make_ext_cap(pci::kExtCapIdAer, 2, kSerialCap), 0, 4);
  constexpr uint32_t kUncorrectable = 0x0007'F010 | 1U << 20;
  constexpr uint32_t kCorrectable = 0x0000'31C1;
  field(kAerCap + 0x08, 0, kUncorrectable, 4);
  field(kAerCap + 0x0C, 0x0006'2010, kUncorrectable, 4);
  field(kAerCap + 0x14, 0x0000'2000, kCorrectable, 4);
  for (uint16_t i = 0; i < 4; ++i) {
    clear_by_one_[kAerCap + 0x04 + i] = static_cast<uint8_t>(kUncorrectable >> (8 * i));
    clear_by_one_[kAerCap + 0x10 + i] = static_cast<uint8_t>(kCorrectable >> (8 * i));
  }
  for (uint16_t i = 0x04; i < 0x18; ++i) sticky_[kAerCap + i] = 0xFF;

  field(kSerialCap, pci::make_ext_cap(pci::kExtCapIdSerialNumber, 1, 0), 0, 4);
  field(kSerialCap + 4, static_cast<uint32_t>(layout_.serial_number), 0, 4);
  field(kSerialCap + 8, static_cast<uint32_t>(layout_.serial_number >> 32), 0, 4);
}

uint32_t PciSpace::get(uint16_t offset, unsigned size) const {
  uint32_t value = 0;
  for (unsigned i = 0; i < size; ++i) value |= static_cast<uint32_t>(now_[offset + i]) << (8 * i);
  return value;
}

void PciSpace::put(uint16_t offset, uint32_t value, unsigned size) {
  for (unsigned i = 0; i < size; ++i) now_[offset + i] = static_cast<uint8_t>(value >> (8 * i));
}

uint32_t PciSpace::read(uint16_t offset, unsigned size) const {
  return accepts(offset, size) ? get(offset, size) : 0xFFFF'FFFF;
}

unsigned PciSpace::write(uint16_t offset, uint32_t value, unsigned size) {
  if (!accepts(offset, size)) return 0;
  unsigned changes = 0;
  const auto touches = [&](uint16_t first, uint16_t bytes) {
    return offset < first + bytes && first < offset + size;
  };
  const uint32_t power_before = get(kPmCap + pci::pm::kPmcsr, 1) & 3;
  for (unsigned i = 0; i < size; ++i) {
    const auto byte = static_cast<uint8_t>(value >> (8 * i));
    const uint16_t at = static_cast<uint16_t>(offset + i);
    const uint8_t mask = writable_[at];
    now_[at] = static_cast<uint8_t>((now_[at] & ~mask) | (byte & mask));
    now_[at] = static_cast<uint8_t>(now_[at] & ~(byte & clear_by_one_[at]));
  }
  // D1 and D2 are not there: software that asks for them gets no transition (PM 1.2 §3.2.4).
  const uint32_t power = get(kPmCap + pci::pm::kPmcsr, 1);
  if ((power & 3) == 1 || (power & 3) == 2) {
    put(kPmCap + pci::pm::kPmcsr, (power & ~3U) | power_before, 1);
  }
  if (touches(pci::kCommand, 2)) changes |= kAccess | kInterrupts;
  if (touches(kPmCap + pci::pm::kPmcsr, 2)) changes |= kAccess;
  if (touches(kMsiCap, pci::msi::kSize64Masked) || touches(kMsixCap, pci::msix::kSize)) {
    changes |= kInterrupts;
  }
  const uint16_t flr_byte = kPcieCap + pci::pcie::kDeviceControl + 1;
  if (touches(flr_byte, 1) &&
      ((value >> (8 * (flr_byte - offset))) & (pci::pcie::kDeviceControlInitiateFlr >> 8)) != 0) {
    changes |= kFlr;
  }
  return changes;
}

void PciSpace::reset(Reset kind) {
  for (size_t i = 0; i < now_.size(); ++i) {
    uint8_t kept = 0;
    if (kind != Reset::kPowerOn) kept |= sticky_[i];
    if (kind == Reset::kFunctionLevel) kept |= link_[i];
    now_[i] = static_cast<uint8_t>((now_[i] & kept) | (initial_[i] & ~kept));
  }
}

bool PciSpace::memory_enabled() const {
  return (get(pci::kCommand, 2) & pci::kCommandMemorySpace) != 0;
}

bool PciSpace::bus_master() const { return (get(pci::kCommand, 2) & pci::kCommandBusMaster) != 0; }

bool PciSpace::in_d0() const {
  return (get(kPmCap + pci::pm::kPmcsr, 1) & pci::pm::kPmcsrPowerStateMask) == 0;
}

InterruptSetup PciSpace::interrupt_setup() const {
  InterruptSetup setup;
  const uint32_t command = get(pci::kCommand, 2);
  const uint32_t msi = get(kMsiCap + pci::msi::kControl, 2);
  const uint32_t msix = get(kMsixCap + pci::msix::kControl, 2);
  setup.msix_function_mask = (msix & pci::msix::kControlFunctionMask) != 0;
  setup.msi_address = get(kMsiCap + pci::msi::kAddressLow, 4) |
                      static_cast<uint64_t>(get(kMsiCap + pci::msi::kAddressHigh, 4)) << 32;
  setup.msi_data = static_cast<uint16_t>(get(kMsiCap + pci::msi::kData64, 2));
  // Values above five are reserved and mean no more than what was asked for.
  const uint8_t granted = pci::msi::multiple_message_enable(static_cast<uint16_t>(msi));
  setup.msi_vectors = static_cast<uint8_t>(1U << (granted > 5 ? 5 : granted));
  setup.msi_mask = get(kMsiCap + pci::msi::kMask64, 4);
  if ((msix & pci::msix::kControlEnable) != 0) {
    setup.mode = InterruptMode::kMsix;
  } else if ((msi & pci::msi::kControlEnable) != 0) {
    setup.mode = InterruptMode::kMsi;
  } else {
    setup.mode = InterruptMode::kPin;
    setup.pin_disabled = (command & pci::kCommandInterruptDisable) != 0;
  }
  // A message is a memory write of ours: without bus mastering there is none.
  if (setup.mode != InterruptMode::kPin && !bus_master()) setup.mode = InterruptMode::kNone;
  return setup;
}

void PciSpace::set_interrupt_status(bool pin_asserted) {
  uint8_t& status = now_[pci::kStatus];
  const uint8_t bit = pci::kStatusInterrupt;
  status = static_cast<uint8_t>(pin_asserted ? status | bit : status & ~bit);
}

void PciSpace::set_msi_pending(uint32_t bits) { put(kMsiCap + pci::msi::kPending64, bits, 4); }

}  // namespace pynvme::ssd
