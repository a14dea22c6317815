// Address space that costs memory only where it is touched: the tables of a drive that is mostly
// never written. Zero-filled. Knows nothing of what is kept in it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

namespace pynvme::ssd {

class SparseMemory {
 public:
  enum class Access : uint8_t { kReadWrite, kNone };

  SparseMemory() = default;
  // Throws std::runtime_error; `what` says in it what the memory was for.
  SparseMemory(uint64_t bytes, Access access, const char* what);
  ~SparseMemory();
  SparseMemory(SparseMemory&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}
  SparseMemory& operator=(SparseMemory&&) = delete;

  uint8_t* data() const { return data_; }
  uint64_t bytes() const { return bytes_; }

 private:
  uint8_t* data_ = nullptr;
  uint64_t bytes_ = 0;
};

// An array of plain integers in such memory.
template <typename T>
class SparseArray {
 public:
  SparseArray(uint64_t size, const char* what)
      : memory_(size * sizeof(T), SparseMemory::Access::kReadWrite, what),
        data_(reinterpret_cast<T*>(memory_.data())) {}

  T& operator[](uint64_t index) { return data_[index]; }
  const T& operator[](uint64_t index) const { return data_[index]; }
  T* data() const { return data_; }

 private:
  SparseMemory memory_;
  T* data_;
};

}  // namespace pynvme::ssd
