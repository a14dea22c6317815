// Bytes that must not stay behind in memory, and what is done with them: keys, what is derived from
// them, and random ones that nobody may guess (rng.h is for sequences that repeat).
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>
#include <span>
#include <vector>

namespace pynvme::base {

// Zeroes memory in a way that is not optimised out.
void wipe(void* data, size_t bytes) noexcept;

template <class T>
struct WipingAllocator {
  using value_type = T;
  WipingAllocator() = default;
  template <class Other>
  explicit(false) WipingAllocator(const WipingAllocator<Other>&) noexcept {}
  T* allocate(size_t count) { return static_cast<T*>(::operator new(count * sizeof(T))); }
  void deallocate(T* data, size_t count) noexcept {
    wipe(data, count * sizeof(T));
    ::operator delete(data);
  }
  bool operator==(const WipingAllocator&) const noexcept { return true; }
};

// Zeroed when it is freed, also where it moved to a larger place.
using Secret = std::vector<uint8_t, WipingAllocator<uint8_t>>;

// In a time that depends on the lengths only.
bool same_secret(std::span<const uint8_t> a, std::span<const uint8_t> b) noexcept;

// From the kernel's generator. Throws std::system_error where there is none.
void random_bytes(void* data, size_t bytes);

}  // namespace pynvme::base
