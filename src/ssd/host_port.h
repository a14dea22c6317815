// The host as the embedded SSD sees it through its slot: someone who takes interrupt messages. The
// door that the SSD is plugged into (in-process, vfio-user) implements it. Calls come from whatever
// thread makes the SSD work and must not call back into the SSD.
#pragma once

#include <cstdint>

namespace pynvme::ssd {

class HostPort {
 public:
  virtual ~HostPort() = default;
  // A memory write by MSI or MSI-X.
  virtual void message(uint64_t address, uint32_t data) = 0;
  // The INTx pin's level changed.
  virtual void pin(bool asserted) = 0;
};

}  // namespace pynvme::ssd
