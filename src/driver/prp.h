// Data pointers for a piece of memory that is contiguous to the device: Physical Region Pages (NVMe
// Base 2.0 §4.1.1), PRP1, PRP2 and lists, whose own memory is the caller's or a PrpTable's; or the
// one SGL descriptor that is all a fabric needs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "driver/transport.h"
#include "pcie/dma_memory.h"

namespace pynvme::driver {

inline constexpr size_t kPrpPageSize = 4096;                             // CC.MPS = 0
inline constexpr size_t kPrpsPerPage = kPrpPageSize / sizeof(uint64_t);  // of a list

struct PrpPair {
  uint64_t prp1 = 0;
  uint64_t prp2 = 0;
};

// Memory for a list: whole pages.
struct PrpListMemory {
  uint64_t* data = nullptr;
  uint64_t iova = 0;
  size_t pages = 0;
};

// Pages of list that a transfer needs; 0 when PRP1 and PRP2 do.
size_t prp_list_pages(uint64_t iova, size_t size);

// Throws InvalidArgument when the iova is not a multiple of 4 or the list has too few pages. A size
// of 0 gives no pointers.
PrpPair build_prp(uint64_t iova, size_t size, const PrpListMemory& list);

// SGL1 as the driver hands it to a transport with SGLs: a data block whose address is the host's,
// of what the transport then makes a descriptor of its own.
inline PrpPair build_sgl(const void* data, size_t size) noexcept {
  return {reinterpret_cast<uintptr_t>(data), size};
}

// For one buffer per command slot, all alike: pointers made once, picked by length in the hot loop.
class PrpTable {
 public:
  // Buffer of slot i at iova + i * stride (a multiple of the page size), up to max_bytes each.
  PrpTable(uint64_t iova, size_t stride, size_t max_bytes, uint32_t slots);
  // The same for SGLs: buffer of slot i at data + i * stride.
  PrpTable(const void* data, size_t stride);

  // bytes: up to max_bytes.
  PrpPair get(uint32_t slot, size_t bytes) noexcept {
    const uint64_t base = iova_ + slot * stride_;
    if (bytes <= page_) return {base, 0};
    if (bytes <= 2 * page_) return {base, base + kPrpPageSize};
    // One list serves every length as long as no list continues in another page: the device reads
    // only the entries it needs.
    if (list_pages_ <= 1) [[likely]]
      return {base, lists_.iova() + slot * kPrpPageSize};
    return chained(slot, bytes);
  }

 private:
  PrpPair chained(uint32_t slot, size_t bytes) noexcept;

  uint64_t iova_;
  size_t stride_;
  size_t page_ = kPrpPageSize;  // 0 with SGLs, so that they cost PRPs nothing
  size_t list_pages_;
  pcie::DmaBlock lists_;
};

}  // namespace pynvme::driver
