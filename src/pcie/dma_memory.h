// DMA memory of the process: arenas of shareable memory (memfd), each mapped at one IOVA in every
// open function, so that one address serves every device and another process can map the same pages
// later. Allocations are whole, zeroed pages. Arenas are never taken away while a function is open.
// Where devices without an IOMMU are allowed, arenas are huge pages and the IOVA is the physical
// address (pcie/huge_pages.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

namespace pynvme::pcie {

class Function;

inline constexpr size_t kPageSize = 4096;

// An owned piece of DMA memory: contiguous for the host and for the device, page aligned.
class DmaBlock {
 public:
  DmaBlock() = default;
  ~DmaBlock();
  DmaBlock(DmaBlock&& other) noexcept;
  DmaBlock& operator=(DmaBlock&& other) noexcept;

  uint8_t* data() const { return data_; }
  size_t size() const { return size_; }
  uint64_t iova() const { return iova_; }
  explicit operator bool() const { return data_ != nullptr; }

 private:
  friend class DmaMemory;
  uint8_t* data_ = nullptr;
  size_t size_ = 0;
  uint64_t iova_ = 0;
};

class DmaMemory {
 public:
  static DmaMemory& instance();

  // Zeroed; size is rounded up to pages. Throws std::bad_alloc-derived with the size in its text.
  DmaBlock allocate(size_t size);

  // Maps every arena, now and later, into the function until detached. Throws std::runtime_error
  // (of dma_map(), or when the function needs physical addresses and memory has others).
  void attach(Function& function);
  void detach(Function& function);

 private:
  friend class DmaBlock;
  DmaMemory();
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace pynvme::pcie
