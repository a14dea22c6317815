// The host as the embedded SSD sees it through its slot: someone who takes interrupt messages, and
// whose memory may not lie in this process. The door that the SSD is plugged into (in-process,
// vfio-user) implements it. Calls come from whatever thread makes the SSD work and must not call
// back into the SSD.
#pragma once

#include <cstdint>

namespace pynvme::ssd {

// What the SSD is about to do with host memory. Mappings may allow one of the two alone.
enum class DmaAccess : uint8_t { kRead, kWrite };

class HostPort {
 public:
  virtual ~HostPort() = default;
  // A memory write by MSI or MSI-X, and the vector that it stands for.
  virtual void message(uint64_t address, uint32_t data, uint32_t vector) = 0;
  // The INTx pin's level changed.
  virtual void pin(bool asserted) = 0;
  // Host memory that was not mapped, brought here as it is now; null when it cannot be reached.
  // What the SSD changes in it goes back when this step of its work is over. `kept`: a queue's
  // memory, used for longer than that. Called with the locks of the queues that use it held.
  virtual uint8_t* reach(DmaAccess /*access*/, uint64_t /*iova*/, uint64_t /*size*/,
                         bool /*kept*/) noexcept {
    return nullptr;
  }
};

}  // namespace pynvme::ssd
