#include "ioworker/worker.h"

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <cstring>

#include "base/log.h"
#include "spec/opcode.h"
#include "spec/status.h"
#include "verify/stamp.h"

namespace pynvme::ioworker {
namespace {

using verify::Effect;

constexpr uint64_t kSecond = 1'000'000'000;
// Completions taken and commands sent per step: enough to spread the cost of the doorbells and
// clock readings, few enough that the data are still in the cache when they are checked.
constexpr unsigned kBatch = 32;
// How often timeouts are looked for.
constexpr uint64_t kCheckIntervalNs = 2'000'000;
// A longer time between two steps of a paced worker is taken for a host that was busy elsewhere.
constexpr uint64_t kHostAwayNs = 1'000'000;
// A paced command that is late by up to this much, without what the host was away for, counts for
// the second it was due in, and is still sent when `time` is over: so every second has its exact
// number.
constexpr uint64_t kLatenessNs = 50'000'000;
// How much longer than a command may take a drawn command waits for LBAs that another one holds.
constexpr uint64_t kGraceNs = 5 * kSecond;

std::string command_text(uint8_t opcode, uint64_t slba, uint32_t nlb) {
  char text[96];
  snprintf(text, sizeof(text), "%s (opcode %02xh), LBA 0x%" PRIx64 ", %u LBAs",
           spec::io_command_name(opcode), opcode, slba, nlb);
  return text;
}

}  // namespace

void Worker::begin() {
  state_ = State::kRunning;
  now_ns_ = start_ns_ = pair_.clock().now_ns();
  second_end_ns_ = paced_second_end_ns_ = start_ns_ + kSecond;
  next_check_ns_ = start_ns_ + kCheckIntervalNs;
  if (duration_ns_ != 0) end_ns_ = start_ns_ + duration_ns_;
  if (iops_ != 0) pacer_.emplace(iops_, start_ns_);
  result_.io_per_second.assign(1, 0);
  draw_next();
  publish();
}

Worker::Progress Worker::step() noexcept {
  if (state_ == State::kDone) return Progress::kDone;
  if (state_ == State::kNew) [[unlikely]]
    begin();
  if (pair_.dead()) [[unlikely]] {
    const char* reason = pair_.death();
    fail(HostError::kSuddenlyTerminated, 0,
         "queue " + std::to_string(pair_.id()) + " is dead: " + (reason != nullptr ? reason : ""));
    finish();
    return Progress::kDone;
  }
  const bool waiting = pair_.used() != 0;
  const uint64_t last_poll_ns = now_ns_;
  const unsigned taken = reap(fw_debug_ ? 1 : kBatch);
  // A command that waits for LBAs which this worker itself may just have released leaves them to
  // others for one step: they had no chance yet.
  const bool gives_way = taken != 0 && drawn_ && attempt_ == verify::Attempt::kRetry;
  unsigned sent = 0;
  if (state_ == State::kRunning && !gives_way) [[likely]]
    sent = submit();
  // The doorbell's time stamp is the step's reading of the clock; only steps that send nothing need
  // one of their own.
  now_ns_ = sent != 0 ? pair_.ring() : pair_.clock().now_ns();
  if (waiting) [[likely]]
    result_.poll_gap_ns.record(now_ns_ - last_poll_ns);
  account(pacer_ ? 0 : sent);
  if (pacer_ && now_ns_ - last_poll_ns > kHostAwayNs) [[unlikely]]
    pacer_->host_was_away(last_poll_ns, now_ns_);
  if (state_ == State::kRunning) [[likely]] {
    if (is_over()) [[unlikely]]
      drain();
  }
  if (now_ns_ >= next_check_ns_) [[unlikely]]
    expire();
  if (state_ == State::kDraining &&
      (outstanding() == 0 || (fw_debug_ && result_.error != HostError::kNone))) [[unlikely]] {
    finish();
    return Progress::kDone;
  }
  if (gives_way) [[unlikely]]
    return Progress::kGivesWay;
  return taken + sent != 0 ? Progress::kBusy : Progress::kIdle;
}

unsigned Worker::reap(unsigned max) noexcept {
  return pair_.reap(max, [this](uint16_t cid, const spec::Cqe& cqe, uint64_t latency) {
    on_complete(cid, cqe, latency);
  });
}

bool Worker::is_over() const noexcept {
  if (stop_requested_.load(std::memory_order_relaxed)) [[unlikely]]
    return true;
  if (now_ns_ < end_ns_) [[likely]]
    return false;
  return !pacer_ || pacer_->due_ns() >= end_ns_ || pacer_->lateness_ns(now_ns_) > kLatenessNs;
}

void Worker::account(unsigned sent) noexcept {
  while (now_ns_ >= second_end_ns_ && second_end_ns_ < end_ns_) [[unlikely]] {
      result_.io_per_second.push_back(0);
      second_end_ns_ += kSecond;
    }
  result_.io_per_second.back() += sent;
}

void Worker::count_paced() noexcept {
  const uint64_t when_ns = pacer_->lateness_ns(now_ns_) <= kLatenessNs ? pacer_->due_ns() : now_ns_;
  while (when_ns >= paced_second_end_ns_ && paced_second_end_ns_ < end_ns_) [[unlikely]] {
      ++paced_second_;
      paced_second_end_ns_ += kSecond;
    }
  ++result_.io_per_second[paced_second_];
}

void Worker::publish() noexcept {
  LiveFigures figures;
  figures.running = state_ == State::kDone ? 0 : 1;
  figures.elapsed_ns = now_ns_ - start_ns_;
  figures.latency_min_ns = UINT64_MAX;
  for (const OpcodeFigures& opcode : result_.opcodes) {
    if (opcode.completed == 0) continue;
    const bool is_read = opcode.opcode == spec::io::kRead;
    (is_read ? figures.io_count_read : figures.io_count_nonread) += opcode.completed;
    if (opcode.opcode == spec::io::kWrite) figures.io_count_write = opcode.completed;
    figures.latency_min_ns = std::min(figures.latency_min_ns, opcode.latency_ns.min());
    figures.latency_sum_ns += opcode.latency_ns.sum();
    figures.latency_max_ns = std::max(figures.latency_max_ns, opcode.latency_ns.max());
  }
  if (figures.latency_min_ns == UINT64_MAX) figures.latency_min_ns = 0;
  figures.outstanding = outstanding();
  const std::vector<uint64_t>& seconds = result_.io_per_second;
  figures.last_second = seconds.size() > 1 ? seconds[seconds.size() - 2] : seconds.back();
  figures.poll_gap_max_ns = result_.poll_gap_ns.max();
  live_->publish(figures);
}

bool Worker::is_due() const noexcept {
  if (pacer_) return pacer_->is_due(now_ns_) && pacer_->due_ns() < end_ns_;
  return now_ns_ - start_ns_ >= draw_.due_us * 1000;
}

void Worker::draw_next() noexcept {
  has_next_ = sequence_.next(next_);
  if (integrity_ != nullptr) integrity_->prefetch_locks(next_.slba);
}

bool Worker::draw() noexcept {
  if (remaining_ == 0 || !has_next_) {
    drain();
    return false;
  }
  --remaining_;
  draw_ = next_;
  draw_next();
  drawn_ = true;
  attempt_ = verify::Attempt::kFresh;
  return true;
}

unsigned Worker::submit() noexcept {
  unsigned sent = 0;
  for (; sent < kBatch; ++sent) {
    const uint32_t cid = pair_.next_cid();
    if (cid == driver::QueuePair::kFull) break;
    if (!drawn_ && !draw()) [[unlikely]]
      break;
    if (timed_ && !is_due()) break;
    Slot& slot = slots_[cid];
    const Operation& operation = operations_[draw_.opcode];
    if (integrity_ != nullptr && !hold(operation, slot)) [[unlikely]] {
      if (attempt_ == verify::Attempt::kFresh) refused_since_ns_ = now_ns_;
      attempt_ = verify::Attempt::kRetry;
      break;
    }
    send(cid, operation, slot);
    drawn_ = false;
    if (timed_ && pacer_) {
      count_paced();
      pacer_->sent(now_ns_);
    }
  }
  return sent;
}

bool Worker::hold(const Operation& operation, Slot& slot) noexcept {
  slot.ticket.held = verify::Ticket::Held::kNothing;
  switch (operation.effect) {
    case Effect::kNone:
      return true;
    case Effect::kFlush:
      slot.ticket.logged = integrity_->begin_flush();
      return true;
    case Effect::kForget:
      integrity_->begin_unfollowed(slot.ticket);
      return true;
    case Effect::kRead:
    case Effect::kObserve:
      integrity_->prefetch(draw_.slba);
      return (!integrity_->checking() && !holds_all_reads_) ||
             integrity_->begin_read(slot.ticket, draw_.slba, draw_.nlb, attempt_);
    case Effect::kZero:
    case Effect::kUncorrectable: {
      if (!integrity_->begin_change(slot.ticket, draw_.slba, draw_.nlb, attempt_)) return false;
      const bool zero = operation.effect == Effect::kZero;
      integrity_->record_state(
          slot.ticket, zero ? verify::LoggedKind::kZero : verify::LoggedKind::kUncorrectable,
          {log_, verify::next_token(), now_ns_, static_cast<uint16_t>(pair_.next_cid()), false});
      return true;
    }
    default:
      return integrity_->begin_change(slot.ticket, draw_.slba, draw_.nlb, attempt_);
  }
}

void Worker::send(uint32_t cid, const Operation& operation, Slot& slot) noexcept {
  slot.slba = draw_.slba;
  slot.nlb = draw_.nlb;
  slot.opcode = draw_.opcode;
  slot.busy = true;
  slot.figures = operation.figures;
  spec::Sqe sqe = sqe_;
  sqe.opcode = draw_.opcode;
  if (operation.has_lbas) [[likely]] {
    sqe.set_slba(draw_.slba);
    sqe.cdw12 = draw_.nlb - 1;
  }
  const uint64_t bytes = static_cast<uint64_t>(draw_.nlb) * operation.stride;
  driver::PrpPair prps;
  switch (operation.data) {
    case Data::kNone:
      break;
    case Data::kFromDevice:
      prps = buffers_->from_device->prps(cid, bytes);
      break;
    case Data::kToDevice:
      prps = buffers_->to_device->prps(cid, bytes);
      if (operation.effect == Effect::kWrite) {
        uint8_t* data = buffers_->to_device->data(cid);
        const uint64_t token =
            verify::stamp(data, lba_bytes_, draw_.slba, draw_.nlb, operation.stride);
        if (integrity_ != nullptr)
          integrity_->record_data(slot.ticket, data_alone(data, operation, draw_.nlb),
                                  uint64_t{draw_.nlb} * lba_bytes_,
                                  {log_, token, now_ns_, static_cast<uint16_t>(cid), true});
      }
      break;
    case Data::kRange: {
      // One range (NR is 0-based), AD: deallocate.
      uint8_t* range = buffers_->ranges.data() + cid * WorkerMemory::kRangeBytes;
      std::memcpy(range + 4, &draw_.nlb, sizeof(draw_.nlb));
      std::memcpy(range + 8, &draw_.slba, sizeof(draw_.slba));
      prps = pair_.data_pointers() == driver::DataPointers::kSgl
                 ? driver::build_sgl(range, WorkerMemory::kRangeBytes)
                 : driver::PrpPair{buffers_->ranges.iova() + cid * WorkerMemory::kRangeBytes, 0};
      sqe.cdw11 = 0x4;
      break;
    }
  }
  sqe.prp1 = prps.prp1;
  sqe.prp2 = prps.prp2;
  if (has_metadata_) [[unlikely]]
    add_metadata(cid, operation, sqe);
  pair_.submit(sqe);
  ++operation.figures->sent;
  if (result_.last_commands.capacity() != 0) [[unlikely]] {
    const SentCommand sent{draw_.slba, draw_.nlb, draw_.opcode};
    if (result_.last_commands.size() < result_.last_commands.capacity()) {
      result_.last_commands.push_back(sent);
    } else {
      result_.last_commands[last_command_] = sent;
      if (++last_command_ == result_.last_commands.size()) last_command_ = 0;
    }
  }
}

void Worker::add_metadata(uint32_t cid, const Operation& operation, spec::Sqe& sqe) const noexcept {
  const bool pract = lba_.takes_pract(sqe.opcode);
  if (pract) driver::protect(sqe, lba_);
  if (lba_.separate_bytes(pract) == 0) return;
  const WorkerMemory& memory = *buffers_;
  if (operation.data == Data::kFromDevice) {
    sqe.mptr = memory.metadata_from_device.iova() + cid * memory.metadata_stride;
  } else if (operation.data == Data::kToDevice) {
    sqe.mptr = memory.metadata_to_device.iova() + cid * memory.metadata_stride;
  }
}

const uint8_t* Worker::data_alone(const uint8_t* data, const Operation& operation,
                                  uint32_t nlb) noexcept {
  if (operation.stride == lba_bytes_) [[likely]]
    return data;
  verify::gather(data, lba_bytes_, nlb, operation.stride, data_alone_.data());
  return data_alone_.data();
}

void Worker::on_complete(uint16_t cid, const spec::Cqe& cqe, uint64_t latency_ns) noexcept {
  Slot& slot = slots_[cid];
  slot.busy = false;
  slot.figures->latency_ns.record(latency_ns);
  ++slot.figures->completed;
  const bool ok = cqe.ok();
  bool matches = true;
  bool spoiled = false;
  if (integrity_ != nullptr) {
    if (!ok && holds_all_reads_) spoiled = integrity_->any_uncorrectable(slot.slba, slot.nlb);
    matches = release(operations_[slot.opcode], slot, cid, ok);
  }
  if (ok && matches) [[likely]]
    return;
  if (!matches) {
    on_mismatch(slot, cid);
  } else if (spoiled && cqe.sct() == spec::sct::kMedia &&
             cqe.sc() == spec::sc::kUnrecoveredReadError) {
    ++result_.skipped_uncorrectable;
  } else {
    on_error(slot, cqe.status);
  }
}

bool Worker::release(const Operation& operation, Slot& slot, uint32_t cid, bool ok) noexcept {
  using verify::LbaTable;
  switch (operation.effect) {
    case Effect::kNone:
      break;
    case Effect::kRead: {
      const uint64_t bytes = static_cast<uint64_t>(slot.nlb) * lba_bytes_;
      const uint8_t* data = data_alone(buffers_->from_device->data(cid), operation, slot.nlb);
      return integrity_->end_read(slot.ticket, ok, data, bytes, &mismatch_);
    }
    case Effect::kObserve:
      integrity_->end_observe(slot.ticket);
      break;
    case Effect::kFlush:
      integrity_->end_flush(static_cast<uint32_t>(slot.ticket.logged), ok);
      break;
    case Effect::kWrite:
      integrity_->end_write(slot.ticket, ok, log_);
      break;
    case Effect::kZero:
      integrity_->end_change(slot.ticket, LbaTable::kZeroed, ok, log_);
      break;
    case Effect::kUncorrectable:
      integrity_->end_change(slot.ticket, LbaTable::kUncorrectable, ok, log_);
      break;
    case Effect::kDeallocate:
      integrity_->end_change(slot.ticket, LbaTable::kDeallocated, ok);
      break;
    case Effect::kForget:
      integrity_->invalidate_all();
      integrity_->end_change(slot.ticket, LbaTable::kUnknown, ok);
      break;
  }
  return true;
}

void Worker::interrupt(const Operation& operation, Slot& slot, uint32_t cid) noexcept {
  switch (operation.effect) {
    case Effect::kWrite:
    case Effect::kZero:
    case Effect::kUncorrectable:
      integrity_->end_interrupted(slot.ticket, log_);
      break;
    default:
      release(operation, slot, cid, false);
  }
}

void Worker::on_error(const Slot& slot, uint16_t status) noexcept {
  char text[24];
  snprintf(text, sizeof(text), "%02x/%02x", spec::status_sct(status), spec::status_sc(status));
  fail(HostError::kIoCommandError, spec::with_phase(status, false),
       command_text(slot.opcode, slot.slba, slot.nlb) + ": status " + text + ", " +
           spec::status_text(spec::status_sct(status), spec::status_sc(status)));
}

void Worker::on_mismatch(const Slot& slot, uint16_t cid) noexcept {
  const bool first = result_.error == HostError::kNone;
  const std::string text = command_text(slot.opcode, slot.slba, slot.nlb) + ": " + mismatch_.text();
  base::log(base::LogLevel::kError, "ioworker on queue %u: %s", pair_.id(), text.c_str());
  fail(HostError::kIoCommandError,
       spec::make_status(spec::sct::kVendor, spec::sc::kDataVerifyMismatch), text);
  if (!first) return;
  spec::Sqe sqe = sqe_;
  sqe.opcode = slot.opcode;
  sqe.cid = cid;
  sqe.set_slba(slot.slba);
  sqe.cdw12 = slot.nlb - 1;
  result_.miscompare =
      verify::explain(mismatch_, *integrity_, device_, sqe, pair_.id(),
                      cmdlogs_ ? cmdlogs_() : verify::CmdLogs{pair_.cmdlog()}, now_ns_);
}

// Only the first error counts; what is under way is still finished.
void Worker::fail(HostError error, uint16_t status, std::string detail) {
  drain();
  if (result_.error != HostError::kNone) return;
  result_.error = error;
  result_.status = status;
  result_.detail = std::move(detail);
}

void Worker::drain() noexcept {
  if (state_ == State::kRunning) state_ = State::kDraining;
}

void Worker::expire() noexcept {
  next_check_ns_ = now_ns_ + kCheckIntervalNs;
  publish();
  if (pacer_) pacer_->limit_backlog(now_ns_);
  // A device is not blamed for what it completed while the host did not look.
  if (pair_.overdue(now_ns_, timeout_ns_)) [[unlikely]] {
    uint32_t left = pair_.slots();
    while (left != 0 && !(fw_debug_ && result_.error != HostError::kNone)) {
      // It ends with one that takes nothing, because only an empty queue has its device polled.
      const unsigned taken = reap(fw_debug_ ? 1 : left);
      if (taken == 0) break;
      left -= std::min(left, taken);
    }
    pair_.expire(now_ns_, timeout_ns_, [this](uint16_t cid) {
      give_up(cid, " within " + std::to_string(timeout_ns_ / 1'000'000) + " ms");
    });
  }
  if (state_ == State::kRunning && drawn_ && attempt_ == verify::Attempt::kRetry &&
      outstanding() == 0 && now_ns_ - refused_since_ns_ > timeout_ns_ + kGraceNs) {
    fail(HostError::kWorkerTimeout, 0,
         command_text(draw_.opcode, draw_.slba, draw_.nlb) +
             " could not be sent: another command holds its LBAs and does not end");
  }
}

void Worker::give_up(uint32_t cid, const std::string& why) noexcept {
  Slot& slot = slots_[cid];
  slot.busy = false;
  fail(HostError::kIoTimeout, 0,
       command_text(slot.opcode, slot.slba, slot.nlb) + " was not completed" + why);
  // The device may still carry it out: the end of a failed command leaves its LBAs in doubt.
  if (integrity_ != nullptr) release(operations_[slot.opcode], slot, cid, false);
}

void Worker::abandon() noexcept {
  if (state_ == State::kDone) return;
  now_ns_ = pair_.clock().now_ns();
  pair_.expire(now_ns_, 0, [this](uint16_t cid) { give_up(cid, ""); });
  fail(HostError::kIoTimeout, 0, "there was nothing under way");
}

void Worker::finish() noexcept {
  state_ = State::kDone;
  for (uint32_t cid = 0; cid < pair_.slots(); ++cid) {
    Slot& slot = slots_[cid];
    if (!slot.busy) continue;
    slot.busy = false;
    if (integrity_ == nullptr) continue;
    if (pair_.dead()) {
      interrupt(operations_[slot.opcode], slot, cid);
    } else {
      release(operations_[slot.opcode], slot, cid, false);
    }
  }
  // Completions beyond those of the commands are looked at as well, so that they are reported.
  if (outstanding() == 0 && !pair_.dead()) {
    pair_.reap(kBatch, [](uint16_t, const spec::Cqe&, uint64_t) {});
  }
  now_ns_ = pair_.clock().now_ns();
  result_.mseconds = (now_ns_ - start_ns_ + 500'000) / 1'000'000;
  result_.sum_up();
  publish();
  result_.anomalies = pair_.anomalies();
  std::rotate(result_.last_commands.begin(),
              result_.last_commands.begin() + static_cast<std::ptrdiff_t>(last_command_),
              result_.last_commands.end());
}

uint64_t Worker::idle_until_ns() const {
  if (state_ != State::kRunning || outstanding() != 0 || attempt_ == verify::Attempt::kRetry)
    return 0;
  uint64_t due = 0;
  if (pacer_) {
    due = pacer_->due_ns();
  } else if (traced_ && drawn_) {
    due = start_ns_ + draw_.due_us * 1000;
  }
  return std::min(due, end_ns_);
}

}  // namespace pynvme::ioworker
