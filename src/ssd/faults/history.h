// Older versions of LBAs, for the action `stale`: what an LBA held before it was last written, of
// those that were written last, kBytesKept of them. The caller's lock guards it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <utility>
#include <vector>

namespace pynvme::ssd {

class FaultHistory {
 public:
  // Random I/O comes back to an LBA after about as many bytes as the region has: a load on a small
  // region finds older versions there, and the host's memory does not feel it.
  static constexpr size_t kBytesKept = 64UL << 20;

  void keep(uint32_t nsid, uint64_t lba, std::vector<uint8_t> data);
  // Null when there is none, or one of another size (the namespace had another format).
  const std::vector<uint8_t>* find(uint32_t nsid, uint64_t lba, size_t lba_bytes) const;
  void clear();

 private:
  using Key = std::pair<uint32_t, uint64_t>;
  struct Version {
    std::vector<uint8_t> data;
    std::list<Key>::iterator place;  // in order_
  };
  std::map<Key, Version> versions_;
  std::list<Key> order_;  // in which they were written, the oldest first
  size_t bytes_ = 0;
};

}  // namespace pynvme::ssd
