// What the host knows of every LBA of a namespace, 4 bytes each: the CRC-32C of its content, or a
// state. Address space is reserved for all LBAs, memory is touched only for those that were
// written. Knows nothing of commands or locks: two threads at one LBA are kept apart by RangeLocks.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

namespace pynvme::verify {

class LbaTable {
 public:
  // States; every larger value is the CRC-32C of the LBA's content.
  static constexpr uint32_t kUnknown = 0;  // never written since the table was made, or in doubt
  static constexpr uint32_t kDeallocated = 1;
  static constexpr uint32_t kZeroed = 2;
  static constexpr uint32_t kUncorrectable = 3;
  static constexpr uint32_t kAmbiguous = 4;  // one of several: see Alternatives

  // Throws std::runtime_error when the address space cannot be reserved.
  explicit LbaTable(uint64_t lba_count);
  ~LbaTable();
  LbaTable(const LbaTable&) = delete;
  LbaTable& operator=(const LbaTable&) = delete;

  uint64_t lba_count() const { return lba_count_; }

  static constexpr bool is_crc(uint32_t value) { return value > kAmbiguous; }
  // The CRCs 0..4 would be taken for states: they share the values 5..9 with other CRCs.
  static constexpr uint32_t from_crc(uint32_t crc) { return is_crc(crc) ? crc : crc + 5; }

  // `lba` below lba_count().
  uint32_t get(uint64_t lba) const noexcept {
    return std::atomic_ref<uint32_t>(values_[lba]).load(std::memory_order_relaxed);
  }
  void set(uint64_t lba, uint32_t value) noexcept {
    touch(lba);
    std::atomic_ref<uint32_t>(values_[lba]).store(value, std::memory_order_relaxed);
  }
  // set() in two parts, for many LBAs in a row: touch() of all, and a store to at() of each.
  std::atomic_ref<uint32_t> at(uint64_t lba) noexcept {
    return std::atomic_ref<uint32_t>(values_[lba]);
  }
  void touch(uint64_t slba, uint64_t nlb) noexcept {
    touch(slba);
    for (uint64_t chunk = slba >> kChunkShift; chunk < (slba + nlb - 1) >> kChunkShift;) {
      touch(++chunk << kChunkShift);
    }
  }
  // Sets nlb LBAs to one state. Memory that was never touched is not touched for a state that means
  // as much as "unknown" (unknown, deallocated): those LBAs stay unknown.
  void fill(uint64_t slba, uint64_t nlb, uint32_t state) noexcept;
  // Every LBA is unknown again, and the memory goes back to the system.
  void forget_all() noexcept;

  void prefetch(uint64_t lba) const noexcept { __builtin_prefetch(values_ + lba); }
  // At most so much: in huge pages.
  uint64_t touched_bytes() const noexcept;

 private:
  // What one huge page of the table describes.
  static constexpr unsigned kChunkShift = 19;
  static constexpr uint64_t kChunkLbas = 1ULL << kChunkShift;

  // Huge pages are for the chunks that are written first, so many: 16 GiB of 512 byte LBAs. A write
  // here and there of a large namespace must not take 2 MiB of memory each.
  static constexpr int64_t kHugeChunks = 64;

  void touch(uint64_t lba) noexcept {
    const uint64_t chunk = lba >> kChunkShift;
    if (!touched_[chunk].load(std::memory_order_relaxed)) [[unlikely]]
      first_touch(chunk);
  }
  void first_touch(uint64_t chunk) noexcept;
  void choose_pages() noexcept;  // while nothing is touched
  uint64_t chunk_count() const { return (lba_count_ + kChunkLbas - 1) >> kChunkShift; }

  uint64_t lba_count_;
  size_t mapped_bytes_ = 0;
  void* mapping_ = nullptr;
  uint32_t* values_ = nullptr;
  std::unique_ptr<std::atomic<bool>[]> touched_;
  std::atomic<int64_t> huge_left_{0};
};

}  // namespace pynvme::verify
