// The stamp of an LBA that was written by this process: its address in the first 8 bytes, a token
// in the last 8, both little-endian. The token tells one write of an LBA from the next.
#pragma once

#include <cstdint>
#include <cstring>

namespace pynvme::verify {

// Takes `count` tokens and returns the first of them. The counter belongs to the whole process,
// starts at 1 and goes up by one for every LBA written, whichever queue or worker writes it.
uint64_t take_tokens(uint32_t count) noexcept;
// The token that comes next.
uint64_t next_token() noexcept;

inline void stamp_lba(uint8_t* data, uint32_t lba_bytes, uint64_t lba, uint64_t token) noexcept {
  std::memcpy(data, &lba, sizeof(lba));
  std::memcpy(data + lba_bytes - sizeof(token), &token, sizeof(token));
}

// Stamps nlb LBAs at `data`, `stride` bytes from one to the next. Returns the token of the first.
inline uint64_t stamp(uint8_t* data, uint32_t lba_bytes, uint64_t slba, uint32_t nlb,
                      uint32_t stride) noexcept {
  const uint64_t token = take_tokens(nlb);
  for (uint32_t i = 0; i < nlb; ++i, data += stride) {
    stamp_lba(data, lba_bytes, slba + i, token + i);
  }
  return token;
}
// One behind another.
inline uint64_t stamp(uint8_t* data, uint32_t lba_bytes, uint64_t slba, uint32_t nlb) noexcept {
  return stamp(data, lba_bytes, slba, nlb, lba_bytes);
}

// The data of nlb LBAs that lie `stride` bytes apart, one behind another to `out`.
inline void gather(const uint8_t* data, uint32_t lba_bytes, uint64_t nlb, uint32_t stride,
                   uint8_t* out) noexcept {
  for (uint64_t i = 0; i < nlb; ++i, data += stride, out += lba_bytes) {
    std::memcpy(out, data, lba_bytes);
  }
}

inline uint64_t stamped_lba(const uint8_t* data) noexcept {
  uint64_t lba = 0;
  std::memcpy(&lba, data, sizeof(lba));
  return lba;
}

inline uint64_t stamped_token(const uint8_t* data, uint32_t lba_bytes) noexcept {
  uint64_t token = 0;
  std::memcpy(&token, data + lba_bytes - sizeof(token), sizeof(token));
  return token;
}

}  // namespace pynvme::verify
