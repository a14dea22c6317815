// The sanitize operation (NVMe Base 2.0 §5.24, §8.21) as a state machine that is told the time:
// what it does to the media, and what it refuses meanwhile, is the business of maintenance.cc. The
// state lives where it outlives resets, power cycles and, with a file, the process.
#pragma once

#include <cstdint>

#include "spec/command_fields.h"
#include "spec/identify.h"
#include "spec/log.h"
#include "ssd/status_word.h"

namespace pynvme::ssd {

inline constexpr uint32_t kSanicap = spec::kSanicapCryptoErase | spec::kSanicapBlockErase |
                                     spec::kSanicapOverwrite | spec::kSanicapNotModifiedAfter;

class Sanitize {
 public:
  // Little-endian, all zeros at first: never sanitized, and nothing was ever written.
  struct State {
    uint32_t status;  // SSTAT 2:0
    uint32_t cdw10;   // of the operation that runs or ran last
    uint32_t pattern;
    uint32_t unrestricted;  // it was started with AUSE
    uint64_t total_ns;
    uint64_t remaining_ns;     // as of the last power_off()
    uint64_t written_sectors;  // of SMART at its end
  };
  // Time at scale 1 for 256 GB; without a latency model a moment in which a poller sees it run.
  class Duration {
   public:
    Duration(double latency_scale, uint64_t capacity_bytes)
        : scale_(latency_scale), capacity_bytes_(capacity_bytes) {}
    uint64_t ns(uint32_t cdw10) const;
    uint32_t seconds(uint32_t cdw10) const;  // rounded up

   private:
    double scale_;
    uint64_t capacity_bytes_;
  };

  Sanitize(State& state, const Duration& duration) : state_(state), duration_(duration) {}

  bool in_progress() const { return state_.status == spec::sstat::kInProgress; }
  bool failed() const { return state_.status == spec::sstat::kFailed; }
  // Whether a Sanitize command may be carried out now; kSuccess or its status.
  uint16_t check(uint32_t cdw10) const;
  void start(uint32_t cdw10, uint32_t pattern, uint64_t now_ns);
  void exit_failure_mode() { state_.status = spec::sstat::kNever; }
  void set_failed() { state_.status = spec::sstat::kFailed; }
  const State& state() const { return state_; }

  // When it ends; UINT64_MAX for never. Time passes with power only.
  uint64_t due_ns() const;
  void complete(uint64_t written_sectors);
  void power_on(uint64_t now_ns) { resumed_ns_ = now_ns; }
  void power_off(uint64_t now_ns);

  spec::SanitizeStatusLog log(uint64_t now_ns, uint64_t written_sectors) const;

 private:
  uint64_t elapsed_ns(uint64_t now_ns) const;

  State& state_;
  const Duration duration_;
  uint64_t resumed_ns_ = 0;
};

}  // namespace pynvme::ssd
