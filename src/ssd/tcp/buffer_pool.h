// Buffers for the data of commands: from when a command arrives until its data went to the media,
// or out of the door. Powers of two; freed ones again first, the latest first, which is warm. One
// thread's.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <memory>
#include <new>
#include <vector>

namespace pynvme::ssd::tcp {

class BufferPool {
 public:
  ~BufferPool() {
    for (unsigned c = 0; c < kClasses; ++c) {
      for (uint8_t* const buffer : free_[c]) release(buffer);
    }
  }
  BufferPool() = default;
  BufferPool(const BufferPool&) = delete;
  BufferPool& operator=(const BufferPool&) = delete;

  // bytes: 1 to 1 MiB.
  uint8_t* take(uint32_t bytes) {
    const unsigned c = class_of(bytes);
    if (free_[c].empty()) {
      return static_cast<uint8_t*>(::operator new (kLeastBytes << c, std::align_val_t{4096}));
    }
    uint8_t* const buffer = free_[c].back();
    free_[c].pop_back();
    kept_bytes_ -= kLeastBytes << c;
    return buffer;
  }
  void give_back(uint8_t* buffer, uint32_t bytes) {
    const unsigned c = class_of(bytes);
    if (kept_bytes_ + (kLeastBytes << c) > kKeptBytesMax) {
      release(buffer);
      return;
    }
    kept_bytes_ += kLeastBytes << c;
    free_[c].push_back(buffer);
  }

 private:
  static constexpr size_t kLeastBytes = 4096;
  static constexpr unsigned kClasses = 9;  // up to 1 MiB
  static constexpr size_t kKeptBytesMax = 64 << 20;

  static unsigned class_of(uint32_t bytes) {
    return bytes <= kLeastBytes ? 0
                                : static_cast<unsigned>(std::bit_width(
                                      (bytes - 1) / static_cast<uint32_t>(kLeastBytes)));
  }
  static void release(uint8_t* buffer) { ::operator delete (buffer, std::align_val_t{4096}); }

  std::array<std::vector<uint8_t*>, kClasses> free_;
  size_t kept_bytes_ = 0;
};

}  // namespace pynvme::ssd::tcp
