// Progress, and which command is good in which state.
#include "ssd/admin/sanitize.h"

#include <algorithm>
#include <cmath>

namespace pynvme::ssd {
namespace {

constexpr double kSecond = 1e9;
constexpr double kBlockEraseSeconds = 2;
constexpr double kCryptoEraseSeconds = 1;
constexpr double kPassSeconds = 1;
constexpr double kPassBytesPerSecond = 128e9;
// Without a latency model.
constexpr uint64_t kMomentNs = 300'000'000;
constexpr uint64_t kMomentPassNs = 10'000'000;

}  // namespace

uint64_t Sanitize::Duration::ns(uint32_t cdw10) const {
  const uint8_t action = spec::sanitize_action(cdw10);
  const uint32_t passes = spec::sanitize_passes(cdw10);
  if (scale_ == 0) {
    return kMomentNs + (action == spec::sanact::kOverwrite ? passes * kMomentPassNs : 0);
  }
  double seconds = kBlockEraseSeconds;
  if (action == spec::sanact::kCryptoErase) seconds = kCryptoEraseSeconds;
  if (action == spec::sanact::kOverwrite) {
    seconds = passes * (kPassSeconds + static_cast<double>(capacity_bytes_) / kPassBytesPerSecond);
  }
  return static_cast<uint64_t>(seconds * scale_ * kSecond);
}

uint32_t Sanitize::Duration::seconds(uint32_t cdw10) const {
  return static_cast<uint32_t>(std::ceil(static_cast<double>(ns(cdw10)) / kSecond));
}

uint16_t Sanitize::check(uint32_t cdw10) const {
  const uint8_t action = spec::sanitize_action(cdw10);
  if (action < spec::sanact::kExitFailureMode || action > spec::sanact::kCryptoErase) {
    return kInvalidField;
  }
  // After a failure in restricted completion mode only another restricted one gets out (§8.21.3).
  if (failed() && state_.unrestricted == 0 &&
      (action == spec::sanact::kExitFailureMode || spec::sanitize_ause(cdw10))) {
    return fail(spec::sc::kSanitizeFailed);
  }
  return kSuccess;
}

void Sanitize::start(uint32_t cdw10, uint32_t pattern, uint64_t now_ns) {
  state_.cdw10 = cdw10;
  state_.pattern = pattern;
  state_.unrestricted = spec::sanitize_ause(cdw10) ? 1 : 0;
  state_.total_ns = state_.remaining_ns = duration_.ns(cdw10);
  resumed_ns_ = now_ns;
  state_.status = spec::sstat::kInProgress;
}

uint64_t Sanitize::due_ns() const {
  return in_progress() ? resumed_ns_ + state_.remaining_ns : UINT64_MAX;
}

void Sanitize::complete(uint64_t written_sectors) {
  state_.remaining_ns = 0;
  state_.written_sectors = written_sectors;
  state_.status = spec::sstat::kCompleted;
}

void Sanitize::power_off(uint64_t now_ns) {
  state_.remaining_ns -= std::min(state_.remaining_ns, now_ns - resumed_ns_);
  resumed_ns_ = now_ns;
}

uint64_t Sanitize::elapsed_ns(uint64_t now_ns) const {
  const uint64_t left = state_.remaining_ns - std::min(state_.remaining_ns, now_ns - resumed_ns_);
  return state_.total_ns - left;
}

spec::SanitizeStatusLog Sanitize::log(uint64_t now_ns, uint64_t written_sectors) const {
  spec::SanitizeStatusLog log{};
  log.sprog = 0xFFFF;
  uint32_t passes_done = 0;
  const bool overwrites = spec::sanitize_action(state_.cdw10) == spec::sanact::kOverwrite;
  const uint32_t passes = spec::sanitize_passes(state_.cdw10);
  if (in_progress() && state_.total_ns != 0) {
    const double part =
        static_cast<double>(elapsed_ns(now_ns)) / static_cast<double>(state_.total_ns);
    // FFFFh is for one that is over: hosts wait for that and look at nothing else.
    log.sprog = static_cast<uint16_t>(std::min(part * 65536, 65534.0));
    if (overwrites) passes_done = std::min(static_cast<uint32_t>(part * passes), passes - 1);
  } else if (overwrites && state_.status == spec::sstat::kCompleted) {
    passes_done = passes;
  }
  const bool erased =
      (state_.status == spec::sstat::kNever || state_.status == spec::sstat::kCompleted) &&
      written_sectors == state_.written_sectors;
  log.sstat = static_cast<uint16_t>(state_.status | passes_done << 3 |
                                    (erased ? spec::sstat::kGlobalDataErased : 0));
  log.scdw10 = state_.cdw10;
  // Those for 16 passes (OWPASS 0), and the same with the blocks left allocated.
  log.overwrite_time = log.overwrite_no_deallocate_time =
      duration_.seconds(spec::sanact::kOverwrite);
  log.block_erase_time = log.block_erase_no_deallocate_time =
      duration_.seconds(spec::sanact::kBlockErase);
  log.crypto_erase_time = log.crypto_erase_no_deallocate_time =
      duration_.seconds(spec::sanact::kCryptoErase);
  return log;
}

}  // namespace pynvme::ssd
