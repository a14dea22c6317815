// Doorbells, error log entries and bookkeeping: what both ways of working share.
#include "ssd/frontend/engine.h"

#include <algorithm>
#include <cstring>

#include "spec/log.h"
#include "spec/opcode.h"
#include "ssd/admin/error_location.h"
#include "ssd/admin/error_log.h"
#include "ssd/admin/events.h"
#include "ssd/faults/faults.h"
#include "ssd/faults/held.h"
#include "ssd/model/health.h"
#include "ssd/model/power.h"

namespace pynvme::ssd {

Engine::Engine(const Parts& parts, Nvm& nvm, Admin& admin, Timekeeper& timekeeper)
    : parts_(parts),
      queues_(parts.queues),
      nvm_(nvm),
      admin_(admin),
      timekeeper_(timekeeper),
      timed_(!parts.timing.off()),
      blocked_(parts.queues.count()) {}

bool Engine::poll_doorbells() {
  if (!running()) return false;
  const bool whole = ++polls_ % kWholePollEvery == 0;
  const uint32_t end = 2 * (whole ? queues_.count() : queues_.in_use());
  bool any = false;
  for (uint32_t index = 0; index < end; ++index) {
    if (!queues_.doorbell_moved(index)) [[likely]]
      continue;
    any = true;
    rung(index, true);
  }
  return any;
}

void Engine::rung(uint32_t index, bool polled) {
  const uint32_t qid = index / 2;
  if (queues_.trace().on()) [[unlikely]] {
    const bool known = qid < queues_.count();
    queues_.trace().note(index % 2 == 0 ? TraceKind::kTail : TraceKind::kHead, qid,
                         known ? queues_.doorbell(index) : 0);
  }
  if (qid >= queues_.count()) {
    if (running()) wrong_doorbell(spec::aer::kErrorInvalidDoorbellRegister);
  } else if (index % 2 == 0) {
    tail_rung(static_cast<uint16_t>(qid), polled);
  } else {
    head_rung(static_cast<uint16_t>(qid), polled);
  }
}

void Engine::tail_rung(uint16_t qid, bool polled) {
  SubmissionQueue& sq = queues_.sq(qid);
  SqLock lock(sq.lock);
  if (!running() || (polled && !queues_.doorbell_moved(2U * qid))) return;
  const uint32_t tail = queues_.take_doorbell(2U * qid);
  if (!sq.live) {
    lock.unlock();
    wrong_doorbell(spec::aer::kErrorInvalidDoorbellRegister);
    return;
  }
  if (queues_.shadow().on() && qid != 0) [[unlikely]] {
    // The doorbell repeats what the shadow says, or comes late.
    if (queues_.shadow().moved(2U * qid) || queues_.shadow().used(2U * qid)) {
      if (follow_tail(sq)) take_tail(sq, lock);
      return;
    }
  }
  // Out of range, nothing new, or more than there is room for (NVMe Base 2.0 §5.2.1).
  const uint32_t added = tail >= sq.tail ? tail - sq.tail : sq.size - sq.tail + tail;
  if (tail >= sq.size || added == 0 || added > sq.size - 1 - sq.waiting()) {
    lock.unlock();
    wrong_doorbell(spec::aer::kErrorInvalidDoorbellValue);
    return;
  }
  sq.tail = tail;
  // What is not mapped was brought here before the host wrote its new entries.
  if (parts_.memory.elsewhere()) [[unlikely]]
    sq.memory.resolve(parts_.memory);
  take_tail(sq, lock);
}

void Engine::take_tail(SubmissionQueue& sq, SqLock& lock) {
  if (timed_) {
    lock.unlock();
    pump();
  } else {
    drain(sq, lock);
  }
}

void Engine::head_rung(uint16_t qid, bool polled) {
  CompletionQueue& cq = queues_.cq(qid);
  bool starved = false;
  uint8_t wrong = 0xFF;
  {
    const std::lock_guard guard(cq.lock);
    if (!running() || (polled && !queues_.doorbell_moved(2U * qid + 1))) return;
    const uint32_t head = queues_.take_doorbell(2U * qid + 1);
    ShadowDoorbells& shadow = queues_.shadow();
    if (shadow.on() && qid != 0 && cq.live &&
        (shadow.moved(2U * qid + 1) || shadow.used(2U * qid + 1))) [[unlikely]] {
      bool bad = false;
      follow_head(cq, &bad);
      if (bad) wrong = spec::aer::kErrorInvalidDoorbellValue;
      starved = cq.starved;
      cq.starved = false;
    } else if (!cq.live) {
      wrong = spec::aer::kErrorInvalidDoorbellRegister;
    } else {
      const uint32_t taken = head >= cq.head ? head - cq.head : cq.size - cq.head + head;
      if (head >= cq.size || taken == 0 || taken > cq.used()) {
        wrong = spec::aer::kErrorInvalidDoorbellValue;
      } else {
        cq.head = head;
        if (cq.head == cq.tail) parts_.interrupts.drained(qid);
        starved = cq.starved;
        cq.starved = false;
      }
    }
  }
  if (wrong != 0xFF) wrong_doorbell(wrong);
  if (starved) serve_starved(qid);
  if (qid == 0) parts_.events.deliver();
}

void Engine::serve_starved(uint16_t cqid) {
  if (parts_.held.next_due() != UINT64_MAX) [[unlikely]]
    post_held(parts_.clock.now_ns(), true);
  if (timed_) {
    pump();
    return;
  }
  for (uint32_t id = 0; id < queues_.count(); ++id) {
    SubmissionQueue& sq = queues_.sq(id);
    SqLock lock(sq.lock);
    if (running() && sq.live && sq.cqid == cqid && sq.head != sq.tail) drain(sq, lock);
  }
}

void Engine::wrong_doorbell(uint8_t event) {
  note_wrong_doorbell(event);
  parts_.events.deliver();
}

void Engine::note_wrong_doorbell(uint8_t event) {
  // An error that no command made: SQID and CID of all ones, and no LBA (NVMe Base 2.0 §5.16.1.2).
  spec::ErrorLogEntry entry{};
  entry.sqid = entry.cid = 0xFFFF;
  entry.parameter_error_location = 0xFFFF;
  parts_.error_log.add(entry);
  parts_.health.smart().add_error_log_entries(1);
  parts_.events.raise(spec::aer::kTypeError, event, spec::lid::kError);
}

uint16_t Engine::note_error(const spec::Sqe& sqe, uint16_t sqid, uint16_t status,
                            uint64_t information) {
  if (spec::status_sct(status) == spec::sct::kGeneric) {
    switch (spec::status_sc(status)) {
      // Not errors of the command, but what the host wanted or did to another one.
      case spec::sc::kAbortRequested:
      case spec::sc::kAbortedSqDeletion:
      case spec::sc::kAbortedFailedFused:
        return status;
      default:
        break;
    }
  }
  const uint16_t with_more = static_cast<uint16_t>(status | 0x4000);
  spec::ErrorLogEntry entry{};
  entry.sqid = sqid;
  entry.cid = sqe.cid;
  entry.status = with_more;
  if (sqid == 0) {
    entry.parameter_error_location = admin_error_location(sqe, status, parts_.config);
    entry.command_specific = information;
  } else {
    entry.parameter_error_location = io_error_location(sqe, status, parts_.config);
    if (has_slba(sqe)) entry.lba = information != 0 ? information : sqe.slba();
  }
  const bool inactive =
      parts_.namespaces.valid(sqe.nsid) && parts_.namespaces.find(sqe.nsid) == nullptr;
  if (inactive && status == kInvalidField &&
      (sqid != 0 || names_one_namespace(sqe, parts_.config))) {
    entry.parameter_error_location = kNsidLocation;
  }
  entry.nsid = sqe.nsid;
  parts_.error_log.add(entry);
  parts_.health.smart().add_error_log_entries(1);
  return with_more;
}

void Engine::account(const Tally& tally, uint64_t began_ns, uint64_t now_ns) {
  Smart& smart = parts_.health.smart();
  if (tally.read_bytes != 0) smart.add_reads(tally.read_commands, tally.read_bytes);
  if (tally.write_commands != 0) smart.add_writes(tally.write_commands, tally.written_bytes);
  if (tally.media_errors != 0) smart.add_media_errors(tally.media_errors);
  if (now_ns > began_ns) smart.add_busy(now_ns - began_ns);
  parts_.health.thermal().feed(tally.read_bytes + tally.written_bytes, now_ns);
  parts_.health.check(now_ns);
  parts_.events.deliver();
}

void Engine::advance_to(uint64_t now_ns) {
  if (queues_.shadow().on() && shadow_poll_ns_.load(std::memory_order_relaxed) <= now_ns) {
    shadow_poll_ns_ = now_ns + kShadowPollNs;
    if (timed_) {
      pump();
    } else {
      poll_shadows();
    }
    note_due();
  }
  if (next_due_.load(std::memory_order_relaxed) <= now_ns) {
    post_held(now_ns, false);
    if (timed_) pump();
  }
  if (parts_.interrupts.next_due() <= now_ns) parts_.interrupts.fire_due(now_ns);
  if (parts_.maintenance.next_due() <= now_ns) {
    parts_.maintenance.advance(now_ns);
    parts_.events.deliver();
    note_due();
  }
}

void Engine::note_due() {
  const uint64_t shadow =
      queues_.shadow().on() ? shadow_poll_ns_.load(std::memory_order_relaxed) : UINT64_MAX;
  timekeeper_.note(std::min({shadow, next_due_.load(std::memory_order_relaxed),
                             parts_.interrupts.next_due(), parts_.maintenance.next_due()}));
}

void Engine::resume() {
  if (!running()) return;
  if (queues_.polled()) queues_.poll_doorbells(true);
  for (uint32_t id = 0; id < queues_.count(); ++id) {
    SubmissionQueue& sq = queues_.sq(id);
    SqLock lock(sq.lock);
    if (!sq.live) continue;
    // Doorbells may have been written while nobody listened.
    const uint32_t tail = queues_.take_doorbell(2 * id);
    if (tail < sq.size) sq.tail = tail;
    if (!timed_ && sq.head != sq.tail) drain(sq, lock);
  }
  if (timed_) pump();
}

void Engine::start(bool weighted_arbitration) { arbiter_.start(weighted_arbitration); }

void Engine::forget() {
  running_ = false;
  parts_.outstanding.clear();
  parts_.held.clear();
  next_due_ = UINT64_MAX;
  timekeeper_.note(parts_.maintenance.next_due());
}

}  // namespace pynvme::ssd
