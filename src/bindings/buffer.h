// nvme.Buffer: DMA memory with the pattern, index and slice rules of the public API.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <nanobind/nanobind.h>

#include "pcie/dma_memory.h"

namespace pynvme::bindings {

class Buffer;

// What commands keep alive: the memory may outlive the Python object.
struct BufferMemory {
  pcie::DmaBlock block;
  Buffer* owner = nullptr;  // null: the object is gone, or has other memory by now; with the GIL
  std::atomic<uint32_t> stamped_writes{0};  // under way; see command.h
};

class Buffer {
 public:
  Buffer(uint64_t size, std::string name, uint64_t pvalue, uint64_t ptype);
  ~Buffer() { memory_->owner = nullptr; }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;

  // Leaves the memory to a device that may still write to it, and goes on in a copy.
  void move_out();
  // Python objects that look at the memory itself (memoryview, numpy).
  void viewed(int more) { views_ += more; }

  const std::shared_ptr<BufferMemory>& memory() const { return memory_; }
  const std::string& name() const { return name_; }
  void set_name(std::string name) { name_ = std::move(name); }
  uint64_t offset() const { return offset_; }
  void set_offset(uint64_t offset);
  // What a command transfers: from the data pointer on, which is at the offset.
  uint64_t size() const { return std::min(size_, allocated_ - offset_); }
  void set_size(uint64_t size);
  uint8_t* data() const { return bytes() + offset_; }
  uint64_t phys_addr() const { return memory_->block.iova() + offset_; }
  // What indexes see: from the start of the memory to the end of what is transferred.
  uint8_t* bytes() const { return memory_->block.data(); }
  uint64_t length() const { return offset_ + size(); }
  // Memory is allocated in pages, so a short buffer may take a longer transfer unharmed.
  uint64_t room() const { return memory_->block.size() - offset_; }

 private:
  std::shared_ptr<BufferMemory> memory_;
  std::string name_;
  uint64_t allocated_;
  uint64_t size_;
  uint64_t offset_ = 0;
  int64_t views_ = 0;
  std::vector<std::shared_ptr<BufferMemory>> left_;  // what views still look at
};

// The process's random source, seeded by srand().
void seed_random(uint64_t seed);
uint64_t random_u64();

}  // namespace pynvme::bindings
