// The data buffers of an IOWorker: one for each command slot, in DMA memory, with its data pointers
// made beforehand.
#pragma once

#include <cstdint>
#include <optional>

#include "driver/prp.h"
#include "pcie/dma_memory.h"

namespace pynvme::ioworker {

class SlotBuffers {
 public:
  // `bytes` for each of `slots`. Throws std::bad_alloc-derived.
  SlotBuffers(uint32_t slots, uint64_t bytes, driver::DataPointers kind)
      : stride_(round_up(bytes)),
        block_(pcie::DmaMemory::instance().allocate(stride_ * slots)),
        prps_(kind == driver::DataPointers::kSgl
                  ? driver::PrpTable(block_.data(), stride_)
                  : driver::PrpTable(block_.iova(), stride_, stride_, slots)) {}

  uint8_t* data(uint32_t slot) const { return block_.data() + slot * stride_; }
  driver::PrpPair prps(uint32_t slot, uint64_t bytes) noexcept { return prps_.get(slot, bytes); }
  uint64_t stride() const { return stride_; }

 private:
  static uint64_t round_up(uint64_t bytes) {
    return (bytes + pcie::kPageSize - 1) / pcie::kPageSize * pcie::kPageSize;
  }

  uint64_t stride_;
  pcie::DmaBlock block_;
  driver::PrpTable prps_;
};

// All memory of an IOWorker that the device reaches. It lives until the device is through with it,
// which may be after the worker's end.
struct WorkerMemory {
  static constexpr uint32_t kRangeBytes = 16;

  std::optional<SlotBuffers> from_device;
  std::optional<SlotBuffers> to_device;
  pcie::DmaBlock ranges;  // Dataset Management: kRangeBytes for each slot
  // For MPTR, where metadata are not in the data: metadata_stride for each slot.
  pcie::DmaBlock metadata_from_device;
  pcie::DmaBlock metadata_to_device;  // zeroes
  uint64_t metadata_stride = 0;
};

}  // namespace pynvme::ioworker
