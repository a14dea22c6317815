// PCI configuration space from the host's side: capability lists, BAR set-up, and what must be
// saved and written back around a reset.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "pcie/function.h"

namespace pynvme::pcie {

struct Capability {
  uint16_t id;
  uint16_t offset;
  bool extended;
};

class ConfigSpace {
 public:
  explicit ConfigSpace(Function& function) : function_(function) {}

  // Both lists in the order of their links. Bounded: a list that loops or leaves the space ends
  // there.
  std::vector<Capability> capabilities() const;
  std::optional<uint16_t> find(uint8_t id) const;
  std::optional<uint16_t> find_extended(uint16_t id) const;

  // Gives every memory BAR without an address one of its own, and switches on memory space and bus
  // mastering.
  void set_up();
  void set_bus_master(bool on);

  // The writable state of the function (header, MSI, MSI-X, PCIe and power management controls),
  // dword by dword, and its way back after a reset.
  std::vector<uint32_t> save() const;
  void restore(const std::vector<uint32_t>& saved);

 private:
  Function& function_;
};

}  // namespace pynvme::pcie
