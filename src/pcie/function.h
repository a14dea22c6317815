// The first seam: a PCI function as host software sees it. Embedded SSD, VFIO and vfio-user each
// meet it; the driver above never learns which one it talks to. Crossed at set-up and on register
// accesses; the hot loop holds the plain pointers that doorbells() and DmaMemory hand out.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "pcie/dma_memory.h"

namespace pynvme::pcie {

// BAR0 from 1000h as plain memory. Hardware watches the stores itself: rung and poll are null. A
// device that works in its caller's thread (the embedded SSD) sets both: rung(device, index) after
// the store of doorbell `index` (in units of the stride), poll(device) whenever a queue was found
// empty. Within direct_bytes of base a store alone is enough, and rung is not called.
struct Doorbells {
  volatile uint32_t* base = nullptr;
  uint32_t stride_bytes = 4;
  void (*rung)(void* device, uint32_t index) = nullptr;
  void (*poll)(void* device) = nullptr;
  void* device = nullptr;
  uint64_t direct_bytes = 0;
};

enum class InterruptKind : uint8_t { kNone, kPin, kMsi, kMsix };

class Function {
 public:
  virtual ~Function() = default;

  // "sim", "0000:01:00.0": what errors call the device.
  virtual const std::string& name() const = 0;
  // Whether another program answers each access, which may take its time.
  virtual bool is_served() const { return false; }

  // Configuration space, 1, 2 or 4 bytes, naturally aligned. All ones when the device is gone.
  virtual uint32_t config_read(uint16_t offset, unsigned size) = 0;
  virtual void config_write(uint16_t offset, uint32_t value, unsigned size) = 0;
  virtual uint32_t config_size() const = 0;

  // Memory BARs, 4 or 8 bytes, naturally aligned; 0 for a BAR that is not there.
  virtual uint64_t bar_size(unsigned bar) const = 0;
  virtual uint64_t bar_read(unsigned bar, uint64_t offset, unsigned size) = 0;
  virtual void bar_write(unsigned bar, uint64_t offset, uint64_t value, unsigned size) = 0;
  virtual Doorbells doorbells(uint32_t stride_bytes) = 0;

  // Makes host memory reachable by the device at `iova`. DmaMemory calls these for each arena.
  virtual void dma_map(uint64_t iova, void* memory, uint64_t size, int fd, uint64_t fd_offset) = 0;
  virtual void dma_unmap(uint64_t iova, uint64_t size) = 0;
  // Nothing translates addresses for the device: `iova` has to be the physical address.
  virtual bool physical_addresses() const { return false; }

  // Interrupts. take_interrupts() returns how many messages arrived on the vector since the last
  // call and forgets them; it never blocks. Masking is per vector (MSI-X, maskable MSI).
  virtual unsigned interrupt_vectors(InterruptKind kind) const = 0;
  virtual void enable_interrupts(InterruptKind kind, unsigned vectors) = 0;
  virtual void disable_interrupts() = 0;
  virtual uint64_t take_interrupts(unsigned vector) = 0;
  virtual void mask_interrupt(unsigned vector, bool masked) = 0;
  virtual bool interrupt_pending(unsigned vector) = 0;

  // Resets of the function itself. hot_reset() goes through the port above it. Both return when the
  // device may be accessed again; configuration space is restored by the caller (DmaMemory mappings
  // stay).
  virtual void function_level_reset() = 0;
  virtual void hot_reset() = 0;

  // Slot power. power_off() throws std::runtime_error where the slot has none (has_slot_power());
  // power_on() also takes back a device that left when others switched its power and is there
  // again.
  virtual bool has_slot_power() const { return false; }
  virtual void power_off() = 0;
  virtual void power_on() = 0;

  // The device left for good (pulled out, taken back by the system): what its name stands for from
  // now on is to be opened anew.
  virtual bool removed() const { return false; }
  // What became of a device that is removed(), and what to do: sentences without a full stop.
  virtual std::string removal() const {
    return "It was pulled out; when it is back, close this one and open it anew";
  }
  // Whether it left, also when the system has not said so yet: for whoever waits in vain. A device
  // in D3hot or with memory space off has not left.
  virtual bool absent() { return removed() || config_read(0, 2) == 0xFFFF; }
};

}  // namespace pynvme::pcie
