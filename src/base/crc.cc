#include "base/crc.h"

#ifdef PYNVME_HAVE_ISAL
#include <isa-l/crc.h>
#else
#include <nmmintrin.h>

#include <cstring>
#endif

namespace pynvme::base {

#ifdef PYNVME_HAVE_ISAL

uint32_t crc32c(const void* data, size_t size) noexcept {
  // crc32_iscsi() only reads; its prototype lacks the const, and its length is an int.
  auto* bytes = const_cast<unsigned char*>(static_cast<const unsigned char*>(data));
  return ~crc32_iscsi(bytes, static_cast<int>(size), 0xFFFF'FFFFU);
}

#else

uint32_t crc32c(const void* data, size_t size) noexcept {
  const auto* bytes = static_cast<const unsigned char*>(data);
  uint64_t crc = 0xFFFF'FFFFU;
  for (; size >= 8; size -= 8, bytes += 8) {
    uint64_t word = 0;
    std::memcpy(&word, bytes, 8);
    crc = _mm_crc32_u64(crc, word);
  }
  auto tail = static_cast<uint32_t>(crc);
  for (; size > 0; --size, ++bytes) tail = _mm_crc32_u8(tail, *bytes);
  return ~tail;
}

#endif

}  // namespace pynvme::base
