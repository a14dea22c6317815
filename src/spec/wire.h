// What every wire structure of this folder shares: the promise that the host is little-endian (so
// plain integers are wire format), a 128-bit counter, and bit-range extraction for register and
// dword accessors. Knows no structure of any specification.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace pynvme::spec {

static_assert(std::endian::native == std::endian::little,
              "wire structures are plain integers: the host must be little-endian");

// A wire structure is copied with memcpy to and from memory a device wrote: it must be plain data.
template <typename T>
inline constexpr bool kIsWire =
    std::is_trivial_v<T>&& std::is_standard_layout_v<T>&& std::is_aggregate_v<T>;

// 16-byte little-endian integer (capacities and SMART counters). Kept as two halves: __int128 would
// raise the alignment of the structures to 16.
struct Uint128 {
  uint64_t lo;
  uint64_t hi;

  constexpr bool operator==(const Uint128&) const = default;
};
static_assert(kIsWire<Uint128> && sizeof(Uint128) == 16);

// Bits hi:lo of value, written in the order of the specifications' figures.
template <typename T>
constexpr T bits(T value, unsigned hi, unsigned lo) {
  static_assert(std::is_unsigned_v<T>);
  const unsigned width = hi - lo + 1;
  const uint64_t mask = width >= 64 ? ~uint64_t{0} : (uint64_t{1} << width) - 1;
  return static_cast<T>((static_cast<uint64_t>(value) >> lo) & mask);
}

template <typename T>
constexpr bool bit(T value, unsigned position) {
  return bits(value, position, position) != 0;
}

// value with bits hi:lo replaced by field; what does not fit the range is cut off.
template <typename T>
constexpr T with_bits(T value, unsigned hi, unsigned lo, uint64_t field) {
  static_assert(std::is_unsigned_v<T>);
  const unsigned width = hi - lo + 1;
  const uint64_t mask = width >= 64 ? ~uint64_t{0} : (uint64_t{1} << width) - 1;
  return static_cast<T>((static_cast<uint64_t>(value) & ~(mask << lo)) | ((field & mask) << lo));
}

}  // namespace pynvme::spec
