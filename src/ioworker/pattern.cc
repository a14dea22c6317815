#include "ioworker/pattern.h"

#include <algorithm>
#include <cstring>

#include "ioworker/workload.h"

namespace pynvme::ioworker {
namespace {

void fill_random(uint8_t* data, size_t size, base::Rng& rng) {
  for (size_t i = 0; i < size; i += sizeof(uint64_t)) {
    const uint64_t word = rng.next();
    std::memcpy(data + i, &word, std::min(sizeof(word), size - i));
  }
}

}  // namespace

void fill_pattern(std::span<uint8_t> data, uint32_t lba_bytes, uint32_t ptype, uint64_t pvalue,
                  base::Rng& rng) {
  if (ptype == kPatternRandom) {
    std::fill(data.begin(), data.end(), uint8_t{0});
    const size_t random_bytes = lba_bytes * pvalue / 100;
    for (size_t at = 0; at < data.size(); at += lba_bytes) {
      fill_random(&data[at], std::min(random_bytes, data.size() - at), rng);
    }
    return;
  }
  const auto dword =
      static_cast<uint32_t>(ptype == kPatternConstant && pvalue != 0 ? UINT32_MAX : pvalue);
  for (size_t i = 0; i < data.size(); i += sizeof(dword)) {
    std::memcpy(&data[i], &dword, std::min(sizeof(dword), data.size() - i));
  }
}

void fill_slot_lba(std::span<uint8_t> lba, uint32_t ptype, uint64_t pvalue, uint64_t seed,
                   uint32_t slot, uint32_t index) {
  base::Rng rng(seed ^ (uint64_t{slot} << 32 | index) * 0xD1B5'4A32'D192'ED03ULL);
  fill_pattern(lba, static_cast<uint32_t>(lba.size()), ptype, pvalue, rng);
}

}  // namespace pynvme::ioworker
