// The IOVA tables: sorted vectors, because there are a handful of ranges and they hardly ever
// change. One for each kind of access, so that a translation compares nothing but addresses.
#include "ssd/frontend/host_memory.h"

#include <algorithm>
#include <cstdio>
#include <stdexcept>
#include <string>

namespace pynvme::ssd {

void HostMemory::map(uint64_t iova, uint8_t* memory, uint64_t size, Rights rights) {
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
  const auto behind = [iova](Ranges& ranges) {
    return std::upper_bound(ranges.begin() + 1, ranges.end(), iova,
                            [](uint64_t a, const Range& r) { return a < r.iova; });
  };
  const auto next = behind(all_);
  const bool hits_next = next != all_.end() && next->iova - iova < size;
  const bool hits_previous =
      next != all_.begin() + 1 && iova - std::prev(next)->iova < std::prev(next)->size;
  if (hits_next || hits_previous) {
    throw std::invalid_argument(std::string(where) + " overlaps a mapping: unmap that one first");
  }
  all_.insert(next, {iova, size, memory});
  if (rights.read) readable_.insert(behind(readable_), {iova, size, memory});
  if (rights.write) writable_.insert(behind(writable_), {iova, size, memory});
}

void HostMemory::unmap(uint64_t iova, uint64_t size) {
  if (size == 0) return;
  const uint64_t last = iova + (size - 1) < iova ? UINT64_MAX : iova + (size - 1);
  for (Ranges* const ranges : {&all_, &readable_, &writable_}) {
    Ranges kept{{0, 0, nullptr}};
    for (size_t i = 1; i < ranges->size(); ++i) {
      const Range& range = (*ranges)[i];
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
    *ranges = std::move(kept);
  }
}

uint8_t* HostMemory::reach(DmaAccess access, uint64_t iova, uint64_t size, uint32_t& hint,
                           bool kept) const noexcept {
  uint8_t* const mapped = search(of(access), iova, size, hint);
  if (mapped != nullptr) return mapped;
  uint8_t* const reached = host_ == nullptr ? nullptr : host_->reach(access, iova, size, kept);
  if (reached != nullptr) elsewhere_.store(true, std::memory_order_relaxed);
  return reached;
}

uint8_t* HostMemory::search(const Ranges& ranges, uint64_t iova, uint64_t size,
                            uint32_t& hint) noexcept {
  auto next = std::upper_bound(ranges.begin() + 1, ranges.end(), iova,
                               [](uint64_t a, const Range& r) { return a < r.iova; });
  if (next == ranges.begin() + 1) return nullptr;
  const auto range = std::prev(next);
  const uint64_t offset = iova - range->iova;
  if (offset >= range->size || size > range->size - offset) return nullptr;
  hint = static_cast<uint32_t>(range - ranges.begin());
  return range->memory + offset;
}

}  // namespace pynvme::ssd
