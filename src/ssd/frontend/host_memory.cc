// The IOVA table: a sorted vector, because there are a handful of ranges and they hardly ever
// change.
#include "ssd/frontend/host_memory.h"

#include <algorithm>
#include <cstdio>
#include <stdexcept>
#include <string>

namespace pynvme::ssd {

void HostMemory::map(uint64_t iova, uint8_t* memory, uint64_t size) {
  char where[64];
  std::snprintf(where, sizeof where, "DMA mapping of %#llx + %#llx",
                static_cast<unsigned long long>(iova), static_cast<unsigned long long>(size));
  if (size == 0 || memory == nullptr) throw std::invalid_argument(std::string(where) + " is empty");
  if ((iova | size | reinterpret_cast<uintptr_t>(memory)) % 4096 != 0) {
    throw std::invalid_argument(std::string(where) + " is not made of whole pages");
  }
  if (iova + (size - 1) < iova) {
    throw std::invalid_argument(std::string(where) + " goes beyond 64 bits");
  }
  const auto next = std::upper_bound(ranges_.begin() + 1, ranges_.end(), iova,
                                     [](uint64_t a, const Range& r) { return a < r.iova; });
  const bool hits_next = next != ranges_.end() && next->iova - iova < size;
  const bool hits_previous =
      next != ranges_.begin() + 1 && iova - std::prev(next)->iova < std::prev(next)->size;
  if (hits_next || hits_previous) {
    throw std::invalid_argument(std::string(where) + " overlaps a mapping: unmap that one first");
  }
  ranges_.insert(next, {iova, size, memory});
}

void HostMemory::unmap(uint64_t iova, uint64_t size) {
  if (size == 0) return;
  const uint64_t last = iova + (size - 1) < iova ? UINT64_MAX : iova + (size - 1);
  std::vector<Range> kept;
  kept.push_back({0, 0, nullptr});
  for (size_t i = 1; i < ranges_.size(); ++i) {
    const Range& range = ranges_[i];
    const uint64_t range_last = range.iova + (range.size - 1);
    if (range_last < iova || range.iova > last) {
      kept.push_back(range);
      continue;
    }
    if (range.iova < iova) kept.push_back({range.iova, iova - range.iova, range.memory});
    if (range_last > last) {
      kept.push_back({last + 1, range_last - last, range.memory + (last + 1 - range.iova)});
    }
  }
  ranges_ = std::move(kept);
}

uint8_t* HostMemory::reach(uint64_t iova, uint64_t size, uint32_t& hint, bool kept) const noexcept {
  if (uint8_t* const mapped = search(iova, size, hint); mapped != nullptr) return mapped;
  uint8_t* const reached = host_ == nullptr ? nullptr : host_->reach(iova, size, kept);
  if (reached != nullptr) elsewhere_.store(true, std::memory_order_relaxed);
  return reached;
}

uint8_t* HostMemory::search(uint64_t iova, uint64_t size, uint32_t& hint) const noexcept {
  auto next = std::upper_bound(ranges_.begin() + 1, ranges_.end(), iova,
                               [](uint64_t a, const Range& r) { return a < r.iova; });
  if (next == ranges_.begin() + 1) return nullptr;
  const auto range = std::prev(next);
  const uint64_t offset = iova - range->iova;
  if (offset >= range->size || size > range->size - offset) return nullptr;
  hint = static_cast<uint32_t>(range - ranges_.begin());
  return range->memory + offset;
}

}  // namespace pynvme::ssd
