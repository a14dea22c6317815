// The versions of an LBA that are remembered, and their data as far as they can be made again: an
// IOWorker's from its pattern, a script's from the copies that are kept.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "verify/capture.h"
#include "verify/integrity.h"
#include "verify/write_log.h"
#include "verify/writer.h"

namespace pynvme::verify {

struct Version {
  LoggedChange change;
  uint32_t value = 0;                    // an LbaTable value
  std::shared_ptr<const Writer> writer;  // null: a script
};

class Versions {
 public:
  using Data = std::vector<uint8_t>;

  Versions(Integrity& integrity, const Capture& capture)
      : integrity_(integrity), capture_(capture) {}

  // Newest first.
  std::vector<Version> of(uint64_t lba) const;
  std::optional<Version> with_value(uint64_t lba, uint32_t value) const;
  // The newest of this value; of any value when that is kAmbiguous or the like.
  std::optional<Version> last(uint64_t lba, uint32_t value) const;

  // The data with this CRC, and how they were made; empty when they cannot be. The token is one
  // that they may have.
  Data data(uint64_t lba, uint32_t value, uint64_t token, std::string* how) const;
  // All versions but that one whose data can be made, newest first; with the token in `got` too.
  std::vector<Data> older_data(uint64_t lba, uint32_t value, const Data& got) const;

  // The patterns that agree with the data for longest from the start and from the end, stamps left
  // out; bytes.
  struct Match {
    uint32_t head = 0;
    uint32_t tail = 0;
    std::shared_ptr<const Writer> writer;
    std::shared_ptr<const Writer> tail_writer;
    uint16_t cid = 0;
    uint16_t tail_cid = 0;
  };
  Match best_pattern(const Data& got) const;

 private:
  // Patterns that are made for one question: what takes a tenth of a second.
  static constexpr uint64_t kMaxPatternBytes = 64U << 20;

  Data data_of(const Version& version, uint64_t lba) const;
  template <class Each>
  void each_pattern(Each&& each) const;

  Integrity& integrity_;
  const Capture& capture_;
};

}  // namespace pynvme::verify
