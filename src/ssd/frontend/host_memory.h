// Host memory that the SSD may reach: IOVA ranges and where they lie in this process; what lies
// elsewhere the slot's host may bring here (HostPort::reach). Translation takes no lock: whoever
// translates, or uses a translated pointer, holds a queue's lock, and map() and unmap() are called
// with all of them held, so unmap() returns to a device that uses the range no more.
#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

#include "ssd/host_port.h"

namespace pynvme::ssd {

class HostMemory {
 public:
  // Which accesses a mapping allows.
  struct Rights {
    bool read = true;
    bool write = true;
  };

  HostMemory() {
    for (auto* ranges : {&all_, &readable_, &writable_}) ranges->push_back({0, 0, nullptr});
  }

  // Throws std::invalid_argument when the range is empty, not of whole pages, wraps, or overlaps
  // one that is mapped.
  void map(uint64_t iova, uint8_t* memory, uint64_t size, Rights rights);
  void map(uint64_t iova, uint8_t* memory, uint64_t size) { map(iova, memory, size, Rights()); }
  // Takes away whatever of the range is mapped.
  void unmap(uint64_t iova, uint64_t size);

  // Who is asked for what is not mapped; null for nobody.
  void set_host(HostPort* host) {
    host_ = host;
    elsewhere_ = false;
  }
  // Whether any memory had to be asked for, and so may be older than what the host has.
  bool elsewhere() const { return elsewhere_.load(std::memory_order_relaxed); }

  // A fabric has no host memory: the data pointer of every command is a buffer of this process, in
  // prp1, and its DirectBuffer, in prp2. Both come from the SSD's own transport, never from the
  // host.
  void set_direct() { direct_ = true; }
  bool direct() const { return direct_; }

  // Null unless all of it lies in one range that may be accessed so. `hint` is where the caller's
  // last access went.
  uint8_t* translate(DmaAccess access, uint64_t iova, uint64_t size,
                     uint32_t& hint) const noexcept {
    const Ranges& ranges = of(access);
    if (hint < ranges.size()) [[likely]] {
      const Range& range = ranges[hint];
      const uint64_t offset = iova - range.iova;
      if (offset < range.size && size <= range.size - offset) [[likely]] {
        return range.memory + offset;
      }
    }
    return reach(access, iova, size, hint, false);
  }
  // The same for what is used on and on: a queue's entries.
  uint8_t* translate_kept(DmaAccess access, uint64_t iova, uint64_t size,
                          uint32_t& hint) const noexcept {
    return reach(access, iova, size, hint, true);
  }
  // Mapped memory only: the host's stores are seen at any time.
  uint8_t* translate_mapped(DmaAccess access, uint64_t iova, uint64_t size,
                            uint32_t& hint) const noexcept {
    return search(of(access), iova, size, hint);
  }

 private:
  struct Range {
    uint64_t iova;
    uint64_t size;
    uint8_t* memory;
  };
  using Ranges = std::vector<Range>;  // ascending; the first is empty, so that there always is one
  const Ranges& of(DmaAccess access) const noexcept {
    return access == DmaAccess::kWrite ? writable_ : readable_;
  }
  static uint8_t* search(const Ranges& ranges, uint64_t iova, uint64_t size,
                         uint32_t& hint) noexcept;
  uint8_t* reach(DmaAccess access, uint64_t iova, uint64_t size, uint32_t& hint,
                 bool kept) const noexcept;

  bool direct_ = false;
  Ranges all_;  // who is in the way of a new mapping
  Ranges readable_;
  Ranges writable_;
  HostPort* host_ = nullptr;
  mutable std::atomic<bool> elsewhere_{false};
};

}  // namespace pynvme::ssd
