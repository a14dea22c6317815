// One command of a script followed through Integrity, whatever its opcode: what to lock, what to
// record, what to check at its end. IOWorkers, which know their commands, use Integrity itself.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "driver/lba_layout.h"
#include "spec/command.h"
#include "verify/effect.h"
#include "verify/integrity.h"

namespace pynvme::verify {

class TrackedCommand {
 public:
  // `data`: the host memory of the command's data, null when it has none or it is not known. It
  // must stay until the end. `lba` says how LBAs lie there; their metadata are not followed.
  TrackedCommand(std::shared_ptr<Integrity> integrity, const spec::Sqe& sqe, uint8_t* data,
                 uint64_t bytes, const driver::LbaLayout& lba);
  // A command that was begun and not ended counts as failed.
  ~TrackedCommand();
  TrackedCommand(const TrackedCommand&) = delete;
  TrackedCommand& operator=(const TrackedCommand&) = delete;

  // Before the command is sent. False: another command is under way for one of its LBAs; the caller
  // reaps completions and tries again, or goes on with begin_anyway(). `stamped`: a Write gets its
  // stamps here, when the LBAs are its own and before the CRC.
  bool begin(bool stamped);
  void begin_anyway(bool stamped);

  // After its completion, or when it is given up (ok = false). refused: a Compare found a
  // difference.
  Mismatch end(bool ok, bool refused = false);
  // A reset or a loss of power took it away: it was carried out or not, and will not be any more.
  void end_interrupted();

  const Access& access() const { return access_; }
  Integrity& integrity() { return *integrity_; }

 private:
  bool lock();
  bool lock_ranges();
  void prepare_data(bool stamped);
  void compare();
  // LBAs one behind another, which they are not yet where metadata lie between them.
  std::span<const uint8_t> data_alone();
  void end_ranges(bool ok);

  std::shared_ptr<Integrity> integrity_;
  Access access_;
  uint8_t* data_;
  uint64_t bytes_;
  uint32_t lba_bytes_;
  uint32_t stride_;
  Attempt attempt_ = Attempt::kFresh;
  bool compares_;
  bool compares_metadata_;
  bool begun_ = false;
  Integrity::Comparison comparison_;
  Ticket ticket_;
  std::vector<uint8_t> data_alone_;
  std::vector<LbaRange> ranges_;           // kDeallocate
  std::vector<RangeLocks::Range> locked_;  // kDeallocate: disjoint; empty when begun anyway
};

}  // namespace pynvme::verify
