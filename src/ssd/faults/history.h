// Older versions of LBAs, for the action `stale`: what an LBA held before it was last written, of
// the last kLbasKept that were. The caller's lock guards it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <span>
#include <utility>
#include <vector>

namespace pynvme::ssd {

class FaultHistory {
 public:
  static constexpr size_t kLbasKept = 4096;

  void keep(uint32_t nsid, uint64_t lba, std::vector<uint8_t> data);
  // Null when there is none, or one of another size (the namespace had another format).
  const std::vector<uint8_t>* find(uint32_t nsid, uint64_t lba, size_t lba_bytes) const;
  void clear();

 private:
  using Key = std::pair<uint32_t, uint64_t>;
  std::map<Key, std::vector<uint8_t>> versions_;
  std::deque<Key> order_;  // in which they came
};

}  // namespace pynvme::ssd
