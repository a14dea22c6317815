#include "base/crc.h"

#ifdef PYNVME_HAVE_ISAL
#include <isa-l/crc.h>
#else
#include <nmmintrin.h>

#include <cstring>
#endif

namespace pynvme::base {

#ifdef PYNVME_HAVE_ISAL

namespace {

const bool has_avx = __builtin_cpu_supports("avx") != 0;

// ISA-L's AVX code returns with the upper halves of its registers in use, and every SSE instruction
// that follows pays for them: 250 ns for the 8 LBAs of 4 KiB, four times what their CRCs cost
// (measured).
void leave_avx() noexcept {
  if (has_avx) asm volatile("vzeroupper");
}

}  // namespace

uint32_t crc32c(const void* data, size_t size) noexcept {
  // crc32_iscsi() only reads; its prototype lacks the const, and its length is an int.
  auto* bytes = const_cast<unsigned char*>(static_cast<const unsigned char*>(data));
  const uint32_t crc = ~crc32_iscsi(bytes, static_cast<int>(size), 0xFFFF'FFFFU);
  leave_avx();
  return crc;
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
