// Starting, ending and refusing.
#include "ssd/admin/maintenance.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <mutex>
#include <stdexcept>
#include <utility>

#include "base/rng.h"
#include "spec/opcode.h"
#include "ssd/admin/error_log.h"
#include "ssd/admin/events.h"
#include "ssd/admin/persistent_events.h"
#include "ssd/frontend/queues.h"
#include "ssd/model/health.h"
#include "ssd/nvm/namespaces.h"

namespace pynvme::ssd {
namespace {

constexpr uint64_t kMagic = 0x544E'4941'4D59'5950;  // "PYYMAINT"

// NVMe Base 2.0 §8.21.1: what is processed while a sanitize operation is in progress. Of the logs
// those that show no user data.
bool allowed_while_sanitizing(const spec::Sqe& sqe) {
  namespace admin = spec::admin;
  switch (sqe.opcode) {
    case admin::kDeleteIoSq:
    case admin::kCreateIoSq:
    case admin::kDeleteIoCq:
    case admin::kCreateIoCq:
    case admin::kIdentify:
    case admin::kAbort:
    case admin::kSetFeatures:
    case admin::kGetFeatures:
    case admin::kAsyncEventRequest:
    case admin::kKeepAlive:
    case admin::kMiSend:
    case admin::kMiReceive:
      return true;
    case admin::kGetLogPage:
      switch (spec::log_lid(sqe.cdw10)) {
        case spec::lid::kError:
        case spec::lid::kSmart:
        case spec::lid::kChangedNamespaceList:
        case spec::lid::kReservationNotification:
        case spec::lid::kSanitizeStatus:
          return true;
        default:
          return false;
      }
    default:
      return false;
  }
}

}  // namespace

Maintenance::Maintenance(const Parts& parts, std::span<uint8_t> persistent)
    : parts_(parts),
      state_(state_in(persistent)),
      sanitize_(state_.sanitize, {parts.config.latency_scale, parts.config.capacity_bytes}),
      self_test_(state_.self_test, parts.config.latency_scale) {
  // The process that began it may have ended in the middle.
  if (sanitize_.in_progress()) erase_media();
}

Maintenance::State& Maintenance::state_in(std::span<uint8_t> persistent) {
  if (persistent.size() < sizeof(State)) return own_;
  auto& state = *reinterpret_cast<State*>(persistent.data());
  if (state.magic != kMagic) {
    state = State{};
    state.magic = kMagic;
  }
  return state;
}

void Maintenance::note() {
  uint16_t status = kSuccess;
  if (sanitize_.in_progress()) status = fail_once(spec::sc::kSanitizeInProgress);
  if (sanitize_.failed()) status = fail(spec::sc::kSanitizeFailed);
  io_status_.store(status, std::memory_order_relaxed);
  const uint64_t due = std::min({sanitize_.due_ns(), self_test_.due_ns(), keep_alive_due_ns_});
  next_due_.store(powered_ ? due : UINT64_MAX, std::memory_order_relaxed);
}

void Maintenance::advance(uint64_t now_ns) {
  if (now_ns < next_due()) return;
  bool sanitized = false;
  {
    const std::lock_guard guard(lock_);
    if (!powered_) return;
    if (sanitize_.due_ns() <= now_ns) {
      if (sanitize_fails_) {
        note_failure("Sanitize operation failed");
        sanitize_.set_failed();
      } else {
        sanitize_.complete(parts_.health.smart().written_sectors());
      }
      log_sanitize_completion(now_ns);
      sanitized = true;
    }
    if (self_test_.due_ns() <= now_ns) finish_self_test(spec::self_test::kPassed, now_ns);
    if (keep_alive_due_ns_ <= now_ns) keep_alive_expired();
    note();
  }
  // Not under the lock: a reset takes it with all queues locked, and who delivers events has theirs
  // locked when it locks a queue.
  if (!sanitized) return;
  parts_.events.raise(spec::aer::kTypeIoCommandSpecific, spec::aer::kIoSanitizeCompleted,
                      spec::lid::kSanitizeStatus);
}

uint32_t Maintenance::set_keep_alive(uint32_t kato_ms, uint64_t now_ns) {
  constexpr uint64_t kUnitMs = kKeepAliveUnits100ms * 100;
  const std::lock_guard guard(lock_);
  const uint64_t ms = std::min<uint64_t>((kato_ms + kUnitMs - 1) / kUnitMs * kUnitMs, UINT32_MAX);
  keep_alive_ns_ = ms * 1'000'000;
  keep_alive_due_ns_ = keep_alive_ns_ == 0 ? UINT64_MAX : now_ns + keep_alive_ns_;
  note();
  return static_cast<uint32_t>(ms);
}

void Maintenance::keep_alive(uint64_t now_ns) {
  const std::lock_guard guard(lock_);
  if (keep_alive_ns_ == 0) return;
  keep_alive_due_ns_ = now_ns + keep_alive_ns_;
  note();
}

// §3.9.4: an error log entry, no command is processed any more, and CSTS.CFS says so.
void Maintenance::keep_alive_expired() {
  keep_alive_ns_ = 0;
  keep_alive_due_ns_ = UINT64_MAX;
  spec::ErrorLogEntry entry{};
  entry.sqid = entry.cid = entry.parameter_error_location = 0xFFFF;
  entry.status = fail_once(spec::sc::kKeepAliveTimerExpired);
  parts_.error_log.add(entry);
  parts_.health.smart().add_error_log_entries(1);
  parts_.queues.set_fatal();
  note_failure("Keep Alive Timer expired");
}

void Maintenance::note_failure(const char* reason) {
  failure_ = reason;
  failed_ = true;
}

std::string Maintenance::take_failure() {
  if (!failed_.load(std::memory_order_relaxed)) return {};
  const std::lock_guard guard(lock_);
  failed_ = false;
  return std::exchange(failure_, {});
}

uint16_t Maintenance::admin_status(const spec::Sqe& sqe) const {
  const uint16_t status = io_status();
  if (status == kSuccess || allowed_while_sanitizing(sqe)) [[likely]]
    return kSuccess;
  const std::lock_guard guard(lock_);
  // Only a sanitize operation ends a failed one.
  return sqe.opcode == spec::admin::kSanitize && sanitize_.failed() ? kSuccess : status;
}

// What is left of the data when it ends; until then nobody sees it.
void Maintenance::erase_media() {
  const Sanitize::State& state = sanitize_.state();
  const uint8_t action = spec::sanitize_action(state.cdw10);
  std::array<uint32_t, Media::kUnitBytes / 4> unit;
  // Erased flash is all ones. The last of several passes leaves OVRPAT, inverted between them or
  // not (§8.21.2). What was encrypted and has lost its key is noise.
  unit.fill(action == spec::sanact::kOverwrite ? state.pattern : UINT32_MAX);
  if (action == spec::sanact::kCryptoErase) {
    base::Rng rng(parts_.config.seed ^ parts_.health.smart().written_sectors());
    for (uint32_t& dword : unit) dword = static_cast<uint32_t>(rng.next());
  }
  try {
    for (const auto& ns : parts_.namespaces.all()) {
      ns->media.format(ns->media.lba_bytes());
      if (spec::sanitize_ndas(state.cdw10)) {
        ns->media.fill(reinterpret_cast<const uint8_t*>(unit.data()));
      }
    }
  } catch (const std::runtime_error&) {
    note_failure("Sanitize operation failed");
    sanitize_.set_failed();  // the machine below has no more disk
  }
}

uint16_t Maintenance::start_sanitize(uint32_t cdw10, uint32_t pattern, uint64_t now_ns) {
  const std::lock_guard guard(lock_);
  const bool fails = next_sanitize_fails_.exchange(false);
  if (const uint16_t status = sanitize_.check(cdw10); status != kSuccess) return status;
  if (spec::sanitize_action(cdw10) == spec::sanact::kExitFailureMode) {
    if (sanitize_.failed()) sanitize_.exit_failure_mode();
  } else {
    if (self_test_.in_progress()) finish_self_test(spec::self_test::kAbortedBySanitize, now_ns);
    sanitize_.start(cdw10, pattern, now_ns);
    sanitize_fails_ = fails;
    const spec::pel::SanitizeStart event{kSanicap, cdw10, pattern};
    parts_.persistent_events.add(spec::pel::Type::kSanitizeStart, event, now_ns);
    erase_media();
    if (sanitize_.failed()) log_sanitize_completion(now_ns);
  }
  note();
  return kSuccess;
}

void Maintenance::log_sanitize_completion(uint64_t now_ns) {
  const spec::SanitizeStatusLog log =
      sanitize_.log(now_ns, parts_.health.smart().written_sectors());
  const spec::pel::SanitizeCompletion event{log.sprog, log.sstat, 0, 0};
  parts_.persistent_events.add(spec::pel::Type::kSanitizeCompletion, event, now_ns);
}

uint16_t Maintenance::start_self_test(uint8_t code, uint32_t nsid, uint64_t now_ns) {
  const std::lock_guard guard(lock_);
  if (code == spec::self_test::kAbort) {
    if (self_test_.in_progress()) finish_self_test(spec::self_test::kAbortedByCommand, now_ns);
  } else if (self_test_.in_progress()) {
    return fail_specific(spec::sc::kDeviceSelfTestInProgress);
  } else {
    self_test_.start(code, nsid, now_ns);
  }
  note();
  return kSuccess;
}

void Maintenance::end_self_test(uint32_t nsid, uint8_t result, uint64_t now_ns) {
  const std::lock_guard guard(lock_);
  if (!self_test_.in_progress() || self_test_.nsid() == spec::kNsidNone) return;
  if (nsid != spec::kNsidBroadcast && self_test_.nsid() != spec::kNsidBroadcast &&
      self_test_.nsid() != nsid) {
    return;
  }
  finish_self_test(result, now_ns);
  note();
}

void Maintenance::finish_self_test(uint8_t result, uint64_t now_ns) {
  self_test_.end(result, parts_.health.smart().power_on_hours(now_ns));
}

spec::SanitizeStatusLog Maintenance::sanitize_log(uint64_t now_ns) {
  const std::lock_guard guard(lock_);
  return sanitize_.log(now_ns, parts_.health.smart().written_sectors());
}

spec::DeviceSelfTestLog Maintenance::self_test_log(uint64_t now_ns) {
  const std::lock_guard guard(lock_);
  return self_test_.log(now_ns);
}

void Maintenance::power_on(uint64_t now_ns) {
  const std::lock_guard guard(lock_);
  sanitize_.power_on(now_ns);
  self_test_.power_on(now_ns);
  powered_ = true;
  note();
}

void Maintenance::power_off(uint64_t now_ns) {
  const std::lock_guard guard(lock_);
  if (!powered_) return;
  sanitize_.power_off(now_ns);
  self_test_.power_off(now_ns);
  powered_ = false;
  note();
}

void Maintenance::reset(uint64_t now_ns) {
  const std::lock_guard guard(lock_);
  // A short one ends with any Controller Level Reset, an extended one goes on (§8.6.1, §8.6.2).
  if (self_test_.in_progress() && self_test_.is_short()) {
    finish_self_test(spec::self_test::kAbortedByReset, now_ns);
  }
  keep_alive_ns_ = 0;
  keep_alive_due_ns_ = UINT64_MAX;
  note();
}

}  // namespace pynvme::ssd
