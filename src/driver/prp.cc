// Lists are built by pages: the last entry of a full list page points to the next one when more
// than one entry is left (NVMe Base 2.0 §4.1.1).
#include "driver/prp.h"

#include <algorithm>
#include <string>

#include "driver/errors.h"

namespace pynvme::driver {
namespace {

// Memory pages that [iova, iova + size) touches.
size_t pages_touched(uint64_t iova, size_t size) {
  const size_t offset = iova % kPrpPageSize;
  return (offset + size + kPrpPageSize - 1) / kPrpPageSize;
}

// Writes `left` entries for the pages from `page` on.
void fill(uint64_t page, size_t left, const PrpListMemory& list) noexcept {
  for (size_t p = 0; left != 0; ++p) {
    uint64_t* entries = list.data + p * kPrpsPerPage;
    const bool last = left <= kPrpsPerPage;
    const size_t here = last ? left : kPrpsPerPage - 1;
    for (size_t i = 0; i < here; ++i, page += kPrpPageSize) entries[i] = page;
    if (!last) entries[kPrpsPerPage - 1] = list.iova + (p + 1) * kPrpPageSize;
    left -= here;
  }
}

}  // namespace

size_t prp_list_pages(uint64_t iova, size_t size) {
  const size_t pages = pages_touched(iova, size);
  if (pages <= 2) return 0;
  const size_t entries = pages - 1;
  // Every page but the last gives one of its entries to the link.
  if (entries <= kPrpsPerPage) return 1;
  return 1 + (entries - kPrpsPerPage + kPrpsPerPage - 2) / (kPrpsPerPage - 1);
}

PrpPair build_prp(uint64_t iova, size_t size, const PrpListMemory& list) {
  if (size == 0) return {};
  if (iova % 4 != 0) {
    throw InvalidArgument("a data pointer must be a multiple of 4, not " + std::to_string(iova) +
                          " (NVMe Base 2.0 §4.1.1)");
  }
  const size_t pages = pages_touched(iova, size);
  const uint64_t second = iova / kPrpPageSize * kPrpPageSize + kPrpPageSize;
  if (pages == 1) return {iova, 0};
  if (pages == 2) return {iova, second};
  const size_t list_pages = prp_list_pages(iova, size);
  if (list.pages < list_pages || list.data == nullptr) {
    throw InvalidArgument("a transfer of " + std::to_string(size) + " bytes needs " +
                          std::to_string(list_pages) + " PRP list pages, there are " +
                          std::to_string(list.pages));
  }
  fill(second, pages - 1, list);
  return {iova, list.iova};
}

PrpTable::PrpTable(uint64_t iova, size_t stride, size_t max_bytes, uint32_t slots)
    : iova_(iova), stride_(stride), list_pages_(prp_list_pages(iova, max_bytes)) {
  if (iova % kPrpPageSize != 0 || stride % kPrpPageSize != 0) {
    throw InvalidArgument("buffers of a PRP table must begin at a page");
  }
  if (list_pages_ == 0) return;
  lists_ = pcie::DmaMemory::instance().allocate(slots * list_pages_ * kPrpPageSize);
  for (uint32_t slot = 0; slot < slots; ++slot) chained(slot, max_bytes);
}

PrpTable::PrpTable(const void* data, size_t stride)
    : iova_(reinterpret_cast<uintptr_t>(data)), stride_(stride), page_(0), list_pages_(SIZE_MAX) {}

PrpPair PrpTable::chained(uint32_t slot, size_t bytes) noexcept {
  const uint64_t base = iova_ + slot * stride_;
  if (page_ == 0) return {base, bytes};
  const size_t at = slot * list_pages_ * kPrpPageSize;
  const PrpListMemory list{reinterpret_cast<uint64_t*>(lists_.data() + at), lists_.iova() + at,
                           list_pages_};
  fill(base + kPrpPageSize, pages_touched(base, bytes) - 1, list);
  return {base, list.iova};
}

}  // namespace pynvme::driver
