// Who writes to a namespace: each IOWorker, and all that scripts send. A Writer says how the data
// of its writes can be made again, which is what lets a miscompare be explained without keeping
// data.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace pynvme::verify {

struct Writer {
  uint16_t id = 0;
  std::string name;  // "IOWorker on queue 3"
  uint16_t sqid = 0;
  // The pattern, without stamps, of LBA `index` of the data buffer of command slot `cid`; null when
  // it cannot be made again. Any thread.
  std::function<void(uint32_t cid, uint32_t index, uint8_t* out)> pattern;
  uint32_t slots = 0;
  uint32_t slot_lbas = 0;  // LBAs of each slot's buffer
};

}  // namespace pynvme::verify
