// Walks along a command's pieces of host memory while sectors of media are moved to, from or
// compared with them. Trusts that the pieces are long enough: the controller cut them to the
// transfer's length.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <span>

#include "ssd/frontend/iovec.h"

namespace pynvme::ssd {

class IoCursor {
 public:
  explicit IoCursor(std::span<const IoVec> pieces) : pieces_(pieces) {}

  void to_host(const uint8_t* from, uint32_t bytes) {
    walk(bytes, [&](uint8_t* host, uint32_t done, uint32_t size) {
      std::memcpy(host, from + done, size);
      return true;
    });
  }
  void zero_host(uint32_t bytes) {
    walk(bytes, [](uint8_t* host, uint32_t, uint32_t size) {
      std::memset(host, 0, size);
      return true;
    });
  }
  void from_host(uint8_t* to, uint32_t bytes) {
    walk(bytes, [&](const uint8_t* host, uint32_t done, uint32_t size) {
      std::memcpy(to + done, host, size);
      return true;
    });
  }
  bool equals(const uint8_t* media, uint32_t bytes) {
    return walk(bytes, [&](const uint8_t* host, uint32_t done, uint32_t size) {
      return std::memcmp(host, media + done, size) == 0;
    });
  }

 private:
  // Calls visit(host, bytes done before, bytes) piece by piece while it returns true.
  template <typename Visit>
  bool walk(uint32_t bytes, Visit visit) {
    for (uint32_t done = 0; done < bytes;) {
      const IoVec& piece = pieces_[index_];
      const uint32_t size = std::min(bytes - done, piece.size - offset_);
      if (!visit(piece.base + offset_, done, size)) return false;
      done += size;
      offset_ += size;
      if (offset_ == piece.size) {
        ++index_;
        offset_ = 0;
      }
    }
    return true;
  }

  std::span<const IoVec> pieces_;
  size_t index_ = 0;
  uint32_t offset_ = 0;
};

}  // namespace pynvme::ssd
