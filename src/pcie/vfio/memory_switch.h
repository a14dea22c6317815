// What switches a function's memory space off: the Memory Space bit of the command register, and
// D3hot (PCI Power Management 1.2 §5.4.1). On configuration space that is read through `Read`,
// uint32_t(uint16_t offset, unsigned size).
#pragma once

#include <cstdint>

#include "spec/pci.h"

namespace pynvme::pcie::vfio {

// The bytes of [offset, offset + size) that lie in a register of `width` bytes at `at`.
inline bool overlaps(uint16_t offset, unsigned size, unsigned at, unsigned width) {
  return offset < at + width && at < offset + size;
}

// Whether a write there may change it. power_management: offset of the capability, 0 for none.
inline bool switches_memory(uint16_t power_management, uint16_t offset, unsigned size) {
  namespace pci = spec::pci;
  return overlaps(offset, size, pci::kCommand, 1) ||
         (power_management != 0 && overlaps(offset, size, power_management + pci::pm::kPmcsr, 1));
}

// Whether memory answers, after a write of `value` at `offset`; with a size of 0, now.
template <typename Read>
bool memory_reachable(const Read& read, uint16_t power_management, uint16_t offset, uint32_t value,
                      unsigned size) {
  namespace pci = spec::pci;
  const auto after = [&](uint16_t at) {
    return overlaps(offset, size, at, 1) ? value >> (8 * (at - offset)) & 0xFF : read(at, 1U);
  };
  if ((after(pci::kCommand) & pci::kCommandMemorySpace) == 0) return false;
  if (power_management == 0) return true;
  const uint32_t state = after(static_cast<uint16_t>(power_management + pci::pm::kPmcsr));
  return (state & pci::pm::kPmcsrPowerStateMask) != pci::pm::kPmcsrPowerStateMask;
}

}  // namespace pynvme::pcie::vfio
