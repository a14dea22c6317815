// Walks and writes configuration space by dwords, as PCI allows every function to be used.
#include "pcie/config_space.h"

#include <algorithm>
#include <bitset>

#include "spec/pci.h"

namespace pynvme::pcie {
namespace {

namespace pci = spec::pci;

constexpr unsigned kBars = 6;
// Where BARs go that nobody has placed; the embedded SSD only checks that memory space is on.
constexpr uint64_t kFirstBarAddress = 0xC000'0000;
// A capability is at least a dword, so no list has more entries than this.
constexpr size_t kMaxCapabilities = 48;
constexpr size_t kMaxExtendedCapabilities = 960;

// The dwords of a capability that hold what the host has set. Restoring must not undo the order:
// the header's command register goes last, when everything else is in place.
struct Saved {
  uint8_t id;
  uint16_t offset;
};
constexpr Saved kSavedOfCapability[] = {
    {pci::kCapIdPciExpress, pci::pcie::kDeviceControl},
    {pci::kCapIdPciExpress, pci::pcie::kLinkControl},
    {pci::kCapIdPciExpress, pci::pcie::kDeviceControl2},
    {pci::kCapIdPciExpress, pci::pcie::kLinkControl2},
    {pci::kCapIdMsi, pci::msi::kAddressLow},
    {pci::kCapIdMsi, 0x08},
    {pci::kCapIdMsi, 0x0C},
    {pci::kCapIdMsi, pci::kCapId},
    {pci::kCapIdMsix, pci::kCapId},
};
// Device Status beside Device Control is cleared by writing ones, and so is PCI Status beside
// Command: these are restored as the lower word only.
bool lower_word_only(const Saved& saved) { return saved.id == pci::kCapIdPciExpress; }

}  // namespace

std::vector<Capability> ConfigSpace::capabilities() const {
  std::vector<Capability> found;
  const uint32_t status = function_.config_read(pci::kStatus, 2);
  if (status != 0xFFFF && (status & pci::kStatusCapabilitiesList) != 0) {
    std::bitset<pci::kConfigSize> seen;
    auto offset = static_cast<uint16_t>(function_.config_read(pci::kCapabilitiesPointer, 1) & 0xFC);
    while (offset >= 0x40 && !seen[offset] && found.size() < kMaxCapabilities) {
      seen[offset] = true;
      const uint32_t header = function_.config_read(offset, 2);
      if (header == 0xFFFF) break;
      found.push_back({static_cast<uint16_t>(header & 0xFF), offset, false});
      offset = static_cast<uint16_t>(header >> 8 & 0xFC);
    }
  }
  if (function_.config_size() <= pci::kConfigSize) return found;
  std::bitset<pci::kExtendedConfigSize> seen;
  uint16_t offset = pci::kExtendedCapabilities;
  for (size_t count = 0; count < kMaxExtendedCapabilities; ++count) {
    if (offset < pci::kExtendedCapabilities || seen[offset]) break;
    seen[offset] = true;
    const uint32_t header = function_.config_read(offset, 4);
    if (header == 0 || header == UINT32_MAX) break;
    found.push_back({pci::ext_cap_id(header), offset, true});
    offset = pci::ext_cap_next(header) & 0xFFC;
  }
  return found;
}

std::optional<uint16_t> ConfigSpace::find(uint8_t id) const {
  for (const auto& capability : capabilities()) {
    if (!capability.extended && capability.id == id) return capability.offset;
  }
  return std::nullopt;
}

std::optional<uint16_t> ConfigSpace::find_extended(uint16_t id) const {
  for (const auto& capability : capabilities()) {
    if (capability.extended && capability.id == id) return capability.offset;
  }
  return std::nullopt;
}

void ConfigSpace::set_up() {
  uint64_t next = kFirstBarAddress;
  for (unsigned bar = 0; bar < kBars; ++bar) {
    const auto offset = static_cast<uint16_t>(pci::kBar0 + 4 * bar);
    const uint32_t low = function_.config_read(offset, 4);
    if ((low & pci::kBarIoSpace) != 0) continue;
    const bool wide = (low & pci::kBarTypeMask) == pci::kBarType64;
    const uint64_t size = function_.bar_size(bar);
    const uint32_t high = wide ? function_.config_read(static_cast<uint16_t>(offset + 4), 4) : 0;
    const bool placed = (low & pci::kBarAddressMask) != 0 || high != 0;
    // Behind an IOMMU and in a simulation the register is only what the user reads; elsewhere it
    // decodes addresses of this machine, and the kernel alone knows which are free.
    if (size != 0 && !placed && !function_.physical_addresses()) {
      // A BAR lies at a multiple of its size, which is a power of two (PCI 3.0 §6.2.5.1).
      next = (next + size - 1) / size * size;
      function_.config_write(offset, static_cast<uint32_t>(next), 4);
      if (wide) {
        function_.config_write(static_cast<uint16_t>(offset + 4), static_cast<uint32_t>(next >> 32),
                               4);
      }
      next += size;
    }
    if (wide) ++bar;
  }
  const uint32_t command = function_.config_read(pci::kCommand, 2);
  function_.config_write(pci::kCommand, command | pci::kCommandMemorySpace | pci::kCommandBusMaster,
                         2);
}

void ConfigSpace::set_bus_master(bool on) {
  const uint32_t command = function_.config_read(pci::kCommand, 2);
  if (command == 0xFFFF) return;
  const uint32_t bit = pci::kCommandBusMaster;
  function_.config_write(pci::kCommand, on ? command | bit : command & ~bit, 2);
}

std::vector<uint32_t> ConfigSpace::save() const {
  std::vector<uint32_t> saved;
  saved.push_back(function_.config_read(pci::kCommand, 2));
  for (unsigned bar = 0; bar < kBars; ++bar) {
    saved.push_back(function_.config_read(static_cast<uint16_t>(pci::kBar0 + 4 * bar), 4));
  }
  saved.push_back(function_.config_read(pci::kInterruptLine, 1));
  for (const auto& entry : kSavedOfCapability) {
    const auto offset = find(entry.id);
    const unsigned size = lower_word_only(entry) ? 2 : 4;
    saved.push_back(
        offset ? function_.config_read(static_cast<uint16_t>(*offset + entry.offset), size) : 0);
  }
  return saved;
}

void ConfigSpace::restore(const std::vector<uint32_t>& saved) {
  size_t next = 0;
  const uint32_t command = saved[next++];
  for (unsigned bar = 0; bar < kBars; ++bar) {
    function_.config_write(static_cast<uint16_t>(pci::kBar0 + 4 * bar), saved[next++], 4);
  }
  function_.config_write(pci::kInterruptLine, saved[next++], 1);
  for (const auto& entry : kSavedOfCapability) {
    const uint32_t value = saved[next++];
    const auto offset = find(entry.id);
    if (!offset) continue;
    const unsigned size = lower_word_only(entry) ? 2 : 4;
    function_.config_write(static_cast<uint16_t>(*offset + entry.offset), value, size);
  }
  function_.config_write(pci::kCommand, command, 2);
}

}  // namespace pynvme::pcie
