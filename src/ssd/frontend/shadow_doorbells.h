// The Shadow Doorbell and EventIdx buffers of Doorbell Buffer Config (NVMe Base 2.0 §8.6): a page
// each in host memory, laid out like the doorbells. The host stores tails and heads in the first,
// and rings the real doorbell only when it passes what stands in the second. I/O queues only: hosts
// do not keep the admin queue's up to date. Off, it costs one load where it is asked.
#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

#include "ssd/frontend/host_memory.h"

namespace pynvme::ssd {

class ShadowDoorbells {
 public:
  ShadowDoorbells(uint32_t indices, uint8_t stride) : stride_(stride), seen_(indices) {}

  bool on() const { return on_.load(std::memory_order_acquire); }
  // False when a page is not reachable. No I/O queue is worked on meanwhile, as for close().
  bool open(const HostMemory& memory, uint64_t doorbells, uint64_t event_indices);
  void close() { on_ = false; }
  // Translates anew after mappings changed.
  void resolve(const HostMemory& memory);

  // Whether the host has changed a shadow since take(), and whether it ever did: one that leaves
  // the shadows alone is served by its doorbells. With the lock of the queue held.
  bool moved(uint32_t index) const;
  bool used(uint32_t index) const { return seen_[index].used; }
  uint32_t take(uint32_t index);
  // The host shall ring when it goes beyond this.
  void set_event_index(uint32_t index, uint32_t value);
  // A queue is created or deleted.
  void restart(uint32_t index);

 private:
  struct Seen {
    uint32_t value = 0;
    bool used = false;
  };
  // Null beyond the page, of which there is only one.
  uint32_t* dword(uint8_t* page, uint32_t index) const;

  const uint8_t stride_;
  std::atomic<bool> on_{false};
  uint64_t doorbells_iova_ = 0;
  uint64_t event_indices_iova_ = 0;
  uint8_t* doorbells_ = nullptr;
  uint8_t* event_indices_ = nullptr;
  std::vector<Seen> seen_;
};

}  // namespace pynvme::ssd
