#include "verify/lba_table.h"

#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <string>

namespace pynvme::verify {
namespace {

constexpr size_t kHugePageBytes = 2U << 20;

}  // namespace

LbaTable::LbaTable(uint64_t lba_count) : lba_count_(lba_count) {
  // One huge page more than needed, so that the table can start at the boundary of one.
  mapped_bytes_ = chunk_count() * kHugePageBytes + kHugePageBytes;
  mapping_ = mmap(nullptr, mapped_bytes_, PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapping_ == MAP_FAILED) {
    throw std::runtime_error("cannot reserve " + std::to_string(mapped_bytes_ >> 20) +
                             " MiB of address space for the CRC table of " +
                             std::to_string(lba_count) + " LBAs: " + std::strerror(errno) +
                             "; raise the limit (ulimit -v) or verify fewer LBAs (nlba_verify)");
  }
  const size_t past = reinterpret_cast<uintptr_t>(mapping_) % kHugePageBytes;
  const size_t skipped = past == 0 ? 0 : kHugePageBytes - past;
  values_ = reinterpret_cast<uint32_t*>(static_cast<uint8_t*>(mapping_) + skipped);
  touched_ = std::make_unique<std::atomic<bool>[]>(chunk_count());
  choose_pages();
}

// Random reads miss the TLB on nearly every look-up without huge pages; a refusal costs only speed.
void LbaTable::choose_pages() noexcept {
  const bool small = chunk_count() <= static_cast<uint64_t>(kHugeChunks);
  madvise(values_, chunk_count() * kHugePageBytes, small ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
  huge_left_.store(small ? 0 : kHugeChunks, std::memory_order_relaxed);
}

void LbaTable::first_touch(uint64_t chunk) noexcept {
  touched_[chunk].store(true, std::memory_order_relaxed);
  if (huge_left_.load(std::memory_order_relaxed) <= 0) return;
  huge_left_.fetch_sub(1, std::memory_order_relaxed);
  madvise(values_ + (chunk << kChunkShift), kHugePageBytes, MADV_HUGEPAGE);
}

LbaTable::~LbaTable() { munmap(mapping_, mapped_bytes_); }

void LbaTable::fill(uint64_t slba, uint64_t nlb, uint32_t state) noexcept {
  const bool may_skip = state == kUnknown || state == kDeallocated;
  const uint64_t end = slba + nlb;
  while (slba < end) {
    const uint64_t chunk = slba >> kChunkShift;
    const uint64_t stop = std::min(end, (chunk + 1) << kChunkShift);
    if (may_skip && !touched_[chunk].load(std::memory_order_relaxed)) {
      slba = stop;
      continue;
    }
    for (; slba < stop; ++slba) set(slba, state);
  }
}

void LbaTable::forget_all() noexcept {
  madvise(values_, chunk_count() * kHugePageBytes, MADV_DONTNEED);
  for (uint64_t i = 0; i < chunk_count(); ++i) touched_[i].store(false, std::memory_order_relaxed);
  choose_pages();
}

uint64_t LbaTable::touched_bytes() const noexcept {
  uint64_t bytes = 0;
  for (uint64_t i = 0; i < chunk_count(); ++i) {
    if (touched_[i].load(std::memory_order_relaxed)) bytes += kHugePageBytes;
  }
  return bytes;
}

}  // namespace pynvme::verify
