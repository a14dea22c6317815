#include "verify/tracked_command.h"

#include <algorithm>
#include <mutex>
#include <utility>

#include "base/clock.h"
#include "spec/opcode.h"
#include "verify/stamp.h"

namespace pynvme::verify {
namespace {

// A script's command has no CID before it is sent.
constexpr uint16_t kNoCid = 0xFFFF;

// The locks of several ranges, each lock once: ranges of one command may overlap, and a command
// must not be refused by itself.
std::vector<RangeLocks::Range> disjoint_locks(const std::vector<LbaRange>& ranges) {
  std::vector<RangeLocks::Range> parts;
  for (const LbaRange& range : ranges) {
    const RangeLocks::Range part = RangeLocks::range_of(range.slba, range.nlb);
    const uint32_t before_wrap = std::min(part.count, RangeLocks::kLocks - part.first);
    parts.push_back({part.first, before_wrap});
    if (before_wrap < part.count) parts.push_back({0, part.count - before_wrap});
  }
  std::sort(parts.begin(), parts.end(),
            [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<RangeLocks::Range> merged;
  for (const RangeLocks::Range& next : parts) {
    if (merged.empty() || merged.back().first + merged.back().count < next.first) {
      merged.push_back(next);
      continue;
    }
    RangeLocks::Range& last = merged.back();
    last.count = std::max(last.first + last.count, next.first + next.count) - last.first;
  }
  return merged;
}

}  // namespace

TrackedCommand::TrackedCommand(std::shared_ptr<Integrity> integrity, const spec::Sqe& sqe,
                               uint8_t* data, uint64_t bytes, const driver::LbaLayout& lba)
    : integrity_(std::move(integrity)),
      access_(classify_io(sqe)),
      data_(data),
      bytes_(bytes),
      lba_bytes_(lba.data_bytes),
      stride_(lba.stride(spec::io_pract(sqe.cdw12))),
      compares_(sqe.opcode == spec::io::kCompare && data != nullptr),
      compares_metadata_(lba.metadata_bytes != 0) {
  if (data_ == nullptr) bytes_ = 0;
  if (access_.effect == Effect::kDeallocate) ranges_ = dataset_ranges(sqe, data_, bytes_);
}

TrackedCommand::~TrackedCommand() {
  if (begun_) end(false);
}

bool TrackedCommand::begin(bool stamped) {
  if (!lock()) {
    attempt_ = Attempt::kRetry;
    return false;
  }
  begun_ = true;
  prepare_data(stamped);
  return true;
}

bool TrackedCommand::lock() {
  switch (access_.effect) {
    case Effect::kNone:
      return true;
    case Effect::kFlush:
      ticket_.logged = integrity_->begin_flush();
      return true;
    case Effect::kForget:
      integrity_->begin_unfollowed(ticket_);
      return true;
    case Effect::kRead:
    case Effect::kObserve:
      return !integrity_->checking() ||
             integrity_->begin_read(ticket_, access_.slba, access_.nlb, attempt_);
    case Effect::kDeallocate:
      return lock_ranges();
    default:
      return integrity_->begin_change(ticket_, access_.slba, access_.nlb, attempt_);
  }
}

bool TrackedCommand::lock_ranges() {
  auto& locks = integrity_->locks();
  locked_ = disjoint_locks(ranges_);
  for (size_t i = 0; i < locked_.size(); ++i) {
    if (locks.try_lock_exclusive(locked_[i], attempt_)) continue;
    for (size_t j = 0; j < i; ++j) locks.unlock_exclusive(locked_[j]);
    locked_.clear();
    return false;
  }
  return true;
}

void TrackedCommand::begin_anyway(bool stamped) {
  begun_ = true;
  if (access_.effect == Effect::kDeallocate) {
    integrity_->begin_unfollowed(ticket_);
    integrity_->count_conflict();
    end_ranges(false);
  } else if (is_change(access_.effect)) {
    integrity_->begin_change_anyway(ticket_, access_.slba, access_.nlb);
  } else {
    integrity_->count_conflict();
  }
  prepare_data(stamped);
}

void TrackedCommand::prepare_data(bool stamped) {
  if (compares_) compare();
  if (!is_change(access_.effect)) return;
  ScriptData& script = integrity_->script_data();
  const uint64_t now_ns = base::Clock::real().now_ns();
  if (access_.effect == Effect::kZero || access_.effect == Effect::kUncorrectable) {
    const std::lock_guard guard(script.lock());
    const bool zero = access_.effect == Effect::kZero;
    integrity_->record_state(ticket_, zero ? LoggedKind::kZero : LoggedKind::kUncorrectable,
                             {script.log().get(), next_token(), now_ns, kNoCid, false});
  }
  if (access_.effect != Effect::kWrite) return;
  const auto whole = static_cast<uint32_t>(std::min<uint64_t>(access_.nlb, bytes_ / stride_));
  const std::lock_guard guard(script.lock());
  const uint64_t token =
      stamped ? stamp(data_, lba_bytes_, access_.slba, whole, stride_) : next_token();
  const std::span<const uint8_t> data = data_alone();
  integrity_->record_data(ticket_, data.data(), data.size(),
                          {script.log().get(), token, now_ns, kNoCid, stamped});
  if (integrity_->checking()) script.keep(access_.slba, lba_bytes_, data.data(), data.size());
}

std::span<const uint8_t> TrackedCommand::data_alone() {
  if (stride_ == lba_bytes_) return {data_, bytes_};
  const uint64_t whole = std::min<uint64_t>(access_.nlb, bytes_ / stride_);
  data_alone_.resize(whole * lba_bytes_);
  gather(data_, lba_bytes_, whole, stride_, data_alone_.data());
  return data_alone_;
}

void TrackedCommand::compare() {
  using Outcome = Integrity::Comparison::Outcome;
  const std::span<const uint8_t> data = data_alone();
  comparison_ = integrity_->compare(ticket_, data.data(), data.size());
  // Metadata are compared as well, and may differ (NVM Command Set 1.0 §3.2.1).
  if (compares_metadata_ && comparison_.outcome == Outcome::kSame) {
    comparison_.outcome = Outcome::kUnknown;
  }
}

void TrackedCommand::end_ranges(bool ok) {
  for (const LbaRange& range : ranges_) {
    integrity_->set_state(range.slba, range.nlb, ok ? LbaTable::kDeallocated : LbaTable::kUnknown);
  }
}

void TrackedCommand::end_interrupted() {
  switch (access_.effect) {
    case Effect::kWrite:
    case Effect::kZero:
    case Effect::kUncorrectable:
      if (std::exchange(begun_, false))
        integrity_->end_interrupted(ticket_, integrity_->script_data().log().get());
      break;
    default:
      end(false);
  }
}

Mismatch TrackedCommand::end(bool ok, bool refused) {
  if (!std::exchange(begun_, false)) return {};
  WriteLog* const log = integrity_->script_data().log().get();
  switch (access_.effect) {
    case Effect::kNone:
      break;
    case Effect::kFlush:
      integrity_->end_flush(static_cast<uint32_t>(ticket_.logged), ok);
      break;
    case Effect::kRead: {
      Mismatch mismatch;
      const std::span<const uint8_t> data = data_alone();
      if (!integrity_->end_read(ticket_, ok, data.data(), data.size(), &mismatch)) return mismatch;
      break;
    }
    case Effect::kObserve: {
      Mismatch mismatch;
      if (!compares_) {
        integrity_->end_observe(ticket_);
        break;
      }
      const std::span<const uint8_t> data = data_alone();
      if (!integrity_->end_compare(ticket_, comparison_, ok, refused, data.data(), data.size(),
                                   &mismatch)) {
        return mismatch;
      }
      break;
    }
    case Effect::kWrite:
      integrity_->end_write(ticket_, ok, log, access_.durable);
      break;
    case Effect::kZero:
      integrity_->end_change(ticket_, LbaTable::kZeroed, ok, log, access_.durable);
      break;
    case Effect::kUncorrectable:
      integrity_->end_change(ticket_, LbaTable::kUncorrectable, ok, log);
      break;
    case Effect::kDeallocate:
      // In spite of a conflict: whatever came before or after, nothing is known.
      end_ranges(ok && ticket_.held != Ticket::Held::kUnlocked);
      for (const RangeLocks::Range& range : locked_) {
        integrity_->locks().unlock_exclusive(range);
      }
      integrity_->end_change(ticket_, LbaTable::kUnknown, ok);
      break;
    case Effect::kForget:
      integrity_->invalidate_all();
      integrity_->end_change(ticket_, LbaTable::kUnknown, ok);
      break;
  }
  return {};
}

}  // namespace pynvme::verify
