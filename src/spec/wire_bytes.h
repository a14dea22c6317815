// For tests only: a structure seen as raw bytes. The byte offsets given to it are transcribed from
// the specifications' figures, never taken from the structures, so that a wrong offset shows.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <string_view>
#include <vector>

#include "spec/wire.h"

namespace pynvme::spec {

class WireBytes {
 public:
  explicit WireBytes(size_t size) : bytes_(size) {}

  template <typename T>
  static WireBytes of(const T& wire) {
    static_assert(kIsWire<T>);
    WireBytes result(sizeof(T));
    std::memcpy(result.bytes_.data(), &wire, sizeof(T));
    return result;
  }

  WireBytes& put(size_t offset, std::initializer_list<uint8_t> values) {
    for (uint8_t value : values) bytes_.at(offset++) = value;
    return *this;
  }
  WireBytes& put(size_t offset, std::string_view text) {
    for (char c : text) bytes_.at(offset++) = static_cast<uint8_t>(c);
    return *this;
  }

  template <typename T>
  T as() const {
    static_assert(kIsWire<T>);
    T wire{};
    if (bytes_.size() == sizeof(T)) std::memcpy(&wire, bytes_.data(), sizeof(T));
    return wire;
  }

  bool operator==(const WireBytes&) const = default;

 private:
  std::vector<uint8_t> bytes_;
};

}  // namespace pynvme::spec
