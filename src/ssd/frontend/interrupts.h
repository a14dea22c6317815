// From "this completion queue got entries" to a message or a pin: MSI-X table and pending bits,
// MSI, INTx, the controller's own mask (INTMS, INTMC) and interrupt coalescing. Which queue uses
// which vector, and when it got entries, is the queues' business.
#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

#include "base/spinlock.h"
#include "ssd/frontend/trace.h"
#include "ssd/host_port.h"

namespace pynvme::ssd {

inline constexpr unsigned kMsiVectors = 32;

enum class InterruptMode : uint8_t { kNone, kPin, kMsi, kMsix };

// What configuration space says about interrupts.
struct InterruptSetup {
  InterruptMode mode = InterruptMode::kNone;
  bool pin_disabled = false;  // Command's Interrupt Disable: no assertion, but a status
  bool msix_function_mask = false;
  uint64_t msi_address = 0;
  uint16_t msi_data = 0;
  uint8_t msi_vectors = 1;  // granted by Multiple Message Enable
  uint32_t msi_mask = 0;
};

class Interrupts {
 public:
  Interrupts(uint16_t vectors, uint16_t queues, Trace& trace);

  // Whether a queue may use the vector, as things are set up now.
  bool accepts(uint16_t vector);
  uint16_t vectors() const { return static_cast<uint16_t>(vectors_.size()); }

  // The caller sees to it that nothing raises meanwhile.
  void plug(HostPort* port) { port_ = port; }
  // Table, pending bits, masks and levels as after a reset; configuration space is set again apart.
  void reset_table();
  // What a controller reset clears: INTMS, coalescing, levels, pending messages.
  void reset_controller();

  void configure(const InterruptSetup& setup);
  InterruptMode mode() const { return mode_.load(std::memory_order_relaxed); }
  uint32_t msi_pending();
  // Interrupt Status: whether the pin is asserted, or would be were it not disabled (PCI 3.0
  // §6.2.3).
  bool pin_status();

  // MSI-X table and pending bit array, by dword.
  uint32_t table_read(uint32_t offset);
  void table_write(uint32_t offset, uint32_t value);
  uint32_t pba_read(uint32_t offset);

  uint32_t mask();
  void mask_set(uint32_t bits);
  void mask_clear(uint32_t bits);

  // `entries` were posted to a queue with interrupts enabled.
  void raise(uint16_t cqid, uint16_t vector, uint32_t entries, uint64_t now_ns) {
    if (mode_.load(std::memory_order_relaxed) == InterruptMode::kNone) return;
    raise_now_or_later(cqid, vector, entries, now_ns);
  }
  // The host has taken all entries of the queue.
  void drained(uint16_t cqid) {
    if (mode_.load(std::memory_order_relaxed) == InterruptMode::kPin) lower(cqid);
  }

  // threshold: entries, 1 or less is off; time 0 is off.
  void set_coalescing(uint32_t threshold, uint64_t time_ns);
  void set_coalescing_disabled(uint16_t vector, bool disabled);
  // Messages that coalescing held back until now, and when the next one is due (UINT64_MAX: none).
  void fire_due(uint64_t now_ns);
  uint64_t next_due() const { return next_due_.load(std::memory_order_relaxed); }

 private:
  struct Vector {
    base::SpinLock lock;
    uint64_t address = 0;
    uint32_t data = 0;
    uint32_t control = 1;  // bit 0: masked, as after reset
    bool pending = false;
    bool coalescing_disabled = false;
    uint32_t held_entries = 0;
    uint64_t held_until = 0;
  };

  void raise_now_or_later(uint16_t cqid, uint16_t vector, uint32_t entries, uint64_t now_ns);
  void fire(uint16_t vector);
  void fire_msix(Vector& vector);  // its lock is held
  void fire_msi(uint16_t vector);
  void deliver_msi();  // lock_ is held
  void lower(uint16_t cqid);
  void update_pin();  // lock_ is held

  std::atomic<InterruptMode> mode_{InterruptMode::kNone};
  std::atomic<bool> function_mask_{false};
  std::atomic<uint32_t> coalescing_threshold_{0};
  std::atomic<uint64_t> coalescing_time_ns_{0};
  std::atomic<uint64_t> next_due_{UINT64_MAX};
  HostPort* port_ = nullptr;
  Trace& trace_;
  std::vector<Vector> vectors_;

  base::SpinLock lock_;  // guards what follows: MSI and pin, which are rare
  InterruptSetup setup_;
  uint32_t controller_mask_ = 0;
  uint32_t msi_pending_ = 0;
  std::vector<bool> level_;  // by completion queue
  uint32_t levels_ = 0;
  bool pin_ = false;
};

}  // namespace pynvme::ssd
