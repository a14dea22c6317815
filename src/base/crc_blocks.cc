// crc32c_blocks(): the CRCs of 512-byte blocks are folded by carry-less multiplication, all parts
// of a block at once, where the processor has AVX-512 and VPCLMULQDQ. One call of a CRC function
// for each block waits for the end of every block: a third more time for 4 KiB (measured; the
// figures are in docs/performance.md). Other block sizes and processors take crc32c().
//
// A block is a polynomial over GF(2), its first bit the highest power. A 128-bit part that stands
// T bits before the end is the same as its remainder multiplied by x^T, so with x^T mod P known
// each part becomes one that stands at the end (Gopal et al., "Fast CRC Computation for Generic
// Polynomials Using PCLMULQDQ Instruction", Intel, 2009).
#include <immintrin.h>

#include <array>

#include "base/crc.h"

namespace pynvme::base {
namespace {

constexpr size_t kBlockBytes = 512;
constexpr size_t kPartBytes = 64;
constexpr size_t kParts = kBlockBytes / kPartBytes;

// x^exponent mod P as the upper half of a 64-bit factor, bits reflected. The product of two
// reflected factors stands one power too high, hence the 1.
constexpr uint64_t factor(unsigned exponent) {
  constexpr uint32_t kPolynomial = 0x1EDC'6F41;
  uint32_t power = 1;
  for (unsigned i = 0; i < exponent - 1; ++i) {
    power = (power << 1) ^ ((power >> 31) != 0 ? kPolynomial : 0);
  }
  uint64_t reflected = 0;
  for (unsigned i = 0; i < 32; ++i) reflected |= uint64_t{(power >> i) & 1} << (63 - i);
  return reflected;
}

// What moves 128 bits, first and second half, to `bits` further back.
struct Move {
  uint64_t first;
  uint64_t second;
};

constexpr auto kMoves = [] {
  std::array<Move, kParts - 1> moves{};
  for (unsigned i = 0; i < moves.size(); ++i) {
    const unsigned bits = (static_cast<unsigned>(kParts) - 1 - i) * 8 * kPartBytes;
    moves[i] = {factor(bits + 64), factor(bits)};
  }
  return moves;
}();

#define PYNVME_FOLDS __attribute__((target("avx512f,avx512vl,vpclmulqdq,sse4.2")))

PYNVME_FOLDS void fold_blocks(const uint8_t* data, size_t count, uint32_t* crcs) noexcept {
  __m512i moves[kParts - 1];
  for (size_t i = 0; i < kParts - 1; ++i) {
    // With a mask that leaves nothing out: GCC 12 warns of its header's form without.
    moves[i] = _mm512_maskz_broadcast_i32x4(
        0xFFFF, _mm_loadu_si128(reinterpret_cast<const __m128i*>(&kMoves[i])));
  }
  const __m512i initial = _mm512_zextsi128_si512(_mm_cvtsi32_si128(-1));
  for (; count > 0; --count, data += kBlockBytes) {
    __m512i end = _mm512_loadu_si512(data + (kParts - 1) * kPartBytes);
    for (size_t i = 0; i < kParts - 1; ++i) {
      __m512i part = _mm512_loadu_si512(data + i * kPartBytes);
      if (i == 0) part = _mm512_xor_si512(part, initial);
      // 0x96: the XOR of all three.
      end = _mm512_ternarylogic_epi64(end, _mm512_clmulepi64_epi128(part, moves[i], 0x00),
                                      _mm512_clmulepi64_epi128(part, moves[i], 0x11), 0x96);
    }
    // The last 64 bytes by the crc32 instruction: it has a port of its own, beside the multiplier.
    alignas(64) std::array<uint64_t, 8> words;
    _mm512_store_si512(words.data(), end);
    uint64_t crc = 0;
    for (const uint64_t word : words) crc = _mm_crc32_u64(crc, word);
    *crcs++ = ~static_cast<uint32_t>(crc);
  }
}

bool can_fold() noexcept {
  return __builtin_cpu_supports("avx512f") != 0 && __builtin_cpu_supports("avx512vl") != 0 &&
         __builtin_cpu_supports("vpclmulqdq") != 0;
}

const bool folds = can_fold();

}  // namespace

void crc32c_blocks(const void* data, size_t block_bytes, size_t count, uint32_t* crcs) noexcept {
  const auto* bytes = static_cast<const uint8_t*>(data);
  if (block_bytes == kBlockBytes && folds) {
    fold_blocks(bytes, count, crcs);
    return;
  }
  for (size_t i = 0; i < count; ++i) crcs[i] = crc32c(bytes + i * block_bytes, block_bytes);
}

}  // namespace pynvme::base
