// The evidence of a miscompare, taken while its LBAs are still locked: what the read returned, and
// what the table said of each of its LBAs at that moment.
#pragma once

#include <cstdint>
#include <vector>

namespace pynvme::verify {

struct Capture {
  // A longer transfer is cut to so much around the LBA.
  static constexpr uint64_t kMaxBytes = 256 * 1024;

  uint64_t lba = 0;   // the first that is wrong
  uint64_t slba = 0;  // of `data`
  uint32_t lba_bytes = 0;
  uint64_t command_slba = 0;
  uint64_t command_nlb = 0;
  std::vector<uint8_t> data;
  std::vector<uint32_t> expected;      // an LbaTable value for each LBA of `data`
  std::vector<uint32_t> alternatives;  // of `lba`, when it was kAmbiguous
  uint64_t next_token = 0;

  const uint8_t* at(uint64_t which) const { return &data[(which - slba) * lba_bytes]; }
};

}  // namespace pynvme::verify
