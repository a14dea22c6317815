// What a controller of a fabric has that a PCI function has not: an identifier of its own among the
// controllers that share the subsystem, the subsystem's NQN, and the capsules' size. The commands
// that tell the host see it; the transport fills it in.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ssd/parts.h"

namespace pynvme::ssd {

struct Fabric {
  uint16_t cntlid;
  std::string subnqn;
  uint32_t in_capsule_bytes;
  const std::vector<uint16_t>& controllers;  // all that there are, ascending
};

inline constexpr uint16_t kPciControllerId = 1;

inline uint16_t controller_id(const Parts& parts) {
  return parts.fabric == nullptr ? kPciControllerId : parts.fabric->cntlid;
}
inline std::vector<uint16_t> controllers(const Parts& parts) {
  return parts.fabric == nullptr ? std::vector<uint16_t>{kPciControllerId}
                                 : parts.fabric->controllers;
}

}  // namespace pynvme::ssd
