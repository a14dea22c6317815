// xoshiro256** seeded through splitmix64: the only random source. Copyable, so that a sequence can
// be replayed; same seed, same sequence, on every machine.
#pragma once

#include <cstdint>

namespace pynvme::base {

class Rng {
 public:
  explicit Rng(uint64_t seed) {
    for (auto& word : state_) {
      seed += 0x9E37'79B9'7F4A'7C15ULL;
      uint64_t z = seed;
      z = (z ^ (z >> 30)) * 0xBF58'476D'1CE4'E5B9ULL;
      z = (z ^ (z >> 27)) * 0x94D0'49BB'1331'11EBULL;
      word = z ^ (z >> 31);
    }
  }

  // The seed whose first next() is `value`: seeding and drawing once are both one to one.
  static constexpr uint64_t seed_of_first(uint64_t value) {
    // Backwards through next() (9 and 5 have inverses modulo 2^64) and splitmix64's second output.
    uint64_t z = rotate(value * 0x8E38'E38E'38E3'8E39ULL, 64 - 7) * 0xCCCC'CCCC'CCCC'CCCDULL;
    z = unshift(z, 31) * 0x3196'42B2'D24D'8EC3ULL;
    z = unshift(z, 27) * 0x96DE'1B17'3F11'9089ULL;
    return unshift(z, 30) - 2 * 0x9E37'79B9'7F4A'7C15ULL;
  }

  uint64_t next() noexcept {
    const uint64_t result = rotate(state_[1] * 5, 7) * 9;
    const uint64_t t = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= t;
    state_[3] = rotate(state_[3], 45);
    return result;
  }

  // Uniform in [0, bound) by multiply-high: no division, bias below 2^-40 for bounds a device can
  // have.
  uint64_t below(uint64_t bound) noexcept {
    return static_cast<uint64_t>((static_cast<Wide>(next()) * bound) >> 64);
  }

  // True in `percent` of 100 cases.
  bool percent(uint32_t percent) noexcept { return below(100) < percent; }

 private:
  __extension__ typedef unsigned __int128 Wide;

  // Undoes x ^ (x >> k).
  static constexpr uint64_t unshift(uint64_t x, int k) {
    uint64_t value = x;
    for (int shift = k; shift < 64; shift += k) value = x ^ (value >> k);
    return value;
  }
  static constexpr uint64_t rotate(uint64_t x, int k) { return (x << k) | (x >> (64 - k)); }
  uint64_t state_[4];
};

}  // namespace pynvme::base
