// The function's configuration space: header, BAR0 and capabilities (power management, MSI, MSI-X,
// PCI Express, AER, serial number). Bits that are read-only stay so. It keeps state and says what a
// write touched; what that means for the controller is decided by the device.
#pragma once

#include <array>
#include <cstdint>

#include "ssd/config.h"
#include "ssd/frontend/interrupts.h"

namespace pynvme::ssd {

class PciSpace {
 public:
  struct Layout {
    uint64_t bar0_bytes;  // a power of two
    uint32_t msix_table_offset;
    uint32_t msix_pba_offset;
    uint16_t msix_vectors;
    uint64_t serial_number;
    InterruptCapability interrupts = InterruptCapability::kMsix;
  };

  // What a write may have changed.
  static constexpr unsigned kAccess = 1U << 0;      // memory enable, bus master, power state
  static constexpr unsigned kInterrupts = 1U << 1;  // anything of InterruptSetup
  static constexpr unsigned kFlr = 1U << 2;         // Initiate FLR was written

  enum class Reset : uint8_t { kPowerOn, kConventional, kFunctionLevel };

  explicit PciSpace(const Layout& layout);

  // 1, 2 or 4 bytes, naturally aligned; anything else reads all ones and writes nothing.
  uint32_t read(uint16_t offset, unsigned size) const;
  unsigned write(uint16_t offset, uint32_t value, unsigned size);
  void reset(Reset kind);

  bool memory_enabled() const;
  bool bus_master() const;
  bool in_d0() const;
  InterruptSetup interrupt_setup() const;

  // Bits that mirror what happens elsewhere.
  void set_interrupt_status(bool pin_asserted);
  void set_msi_pending(uint32_t bits);

 private:
  using Bytes = std::array<uint8_t, 4096>;

  void field(uint16_t offset, uint32_t value, uint32_t writable, unsigned size);
  void build_header();
  void build_capabilities();
  void build_msi();
  void build_msix();
  void build_pci_express();
  void build_extended();
  uint32_t get(uint16_t offset, unsigned size) const;
  void put(uint16_t offset, uint32_t value, unsigned size);

  Layout layout_;
  Bytes initial_{};
  Bytes writable_{};
  Bytes clear_by_one_{};  // RW1C
  Bytes sticky_{};        // survives every reset but power-on
  Bytes link_{};          // survives a function level reset (PCIe 5.0 §6.6.2)
  Bytes now_{};
};

}  // namespace pynvme::ssd
