// LBAs of which more than one content is right: after a loss of power those with writes that were
// not flushed, after a reset those with writes that were under way. The first read of such an LBA
// settles it. Not thread safe; Integrity guards it.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

namespace pynvme::verify {

class Alternatives {
 public:
  static constexpr uint32_t kNoGroup = UINT32_MAX;

  enum class Verdict : uint8_t {
    kAccepted,
    kRefused,
    kTorn,  // right for the LBA, but another LBA of the same atomic write shows the other version
    kNone,  // nothing is known of the LBA: it was settled meanwhile
  };
  struct Settled {
    Verdict verdict = Verdict::kNone;
    uint32_t value = 0;    // kAccepted: what the LBA holds
    uint64_t witness = 0;  // kTorn: the LBA that shows the other version
  };

  // LBA values as in LbaTable: CRCs and kZeroed. Adding one twice changes nothing.
  void add(uint64_t lba, uint32_t value);
  // The LBAs of a write that the device writes as a whole or not at all: `written` is what the LBA
  // holds after it.
  uint32_t new_group();
  void add_to_group(uint64_t lba, uint32_t group, uint32_t written);
  void forget(uint64_t lba) { lbas_.erase(lba); }
  void clear();

  bool empty() const { return lbas_.empty(); }
  bool knows(uint64_t lba) const { return lbas_.count(lba) != 0; }
  std::vector<uint32_t> of(uint64_t lba) const;
  // `crc` of the data as a table value; zero: all bytes are zero.
  Settled settle(uint64_t lba, uint32_t crc, bool zero);

 private:
  struct Lba {
    std::vector<uint32_t> values;
    uint32_t group = kNoGroup;
    uint32_t written = 0;
  };
  struct Group {
    bool decided = false;
    bool written = false;
    uint64_t witness = 0;
  };

  std::unordered_map<uint64_t, Lba> lbas_;
  std::vector<Group> groups_;
};

}  // namespace pynvme::verify
