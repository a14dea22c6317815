// Status Field values as this SSD gives them: Do Not Retry is set wherever the same command would
// fail again (NVMe Base 2.0 §3.3.3.2.1). The phase bit is left to whoever posts the entry.
#pragma once

#include <cstdint>

#include "spec/command.h"
#include "spec/status.h"

namespace pynvme::ssd {

inline constexpr uint16_t kSuccess = 0;

constexpr uint16_t fail(uint8_t sct, uint8_t sc) { return spec::make_status(sct, sc, true); }
constexpr uint16_t fail(uint8_t generic_sc) { return fail(spec::sct::kGeneric, generic_sc); }
constexpr uint16_t fail_specific(uint8_t sc) { return fail(spec::sct::kCommandSpecific, sc); }
constexpr uint16_t fail_media(uint8_t sc) { return fail(spec::sct::kMedia, sc); }
// The same command may succeed when it is sent again.
constexpr uint16_t fail_once(uint8_t generic_sc) {
  return spec::make_status(spec::sct::kGeneric, generic_sc, false);
}

inline constexpr uint16_t kInvalidField = fail(spec::sc::kInvalidField);

// How a command ended, or that it has not yet (Asynchronous Event Request).
struct Outcome {
  uint16_t status = kSuccess;
  bool pending = false;
  uint32_t cdw0 = 0;
  uint64_t information = 0;  // Command Specific Information for the error log

  constexpr Outcome() = default;
  constexpr Outcome(uint16_t status_word) : status(status_word) {}  // NOLINT: reads as a status
  static constexpr Outcome with_cdw0(uint32_t cdw0) {
    Outcome outcome;
    outcome.cdw0 = cdw0;
    return outcome;
  }
  static constexpr Outcome not_yet() {
    Outcome outcome;
    outcome.pending = true;
    return outcome;
  }
};

}  // namespace pynvme::ssd
