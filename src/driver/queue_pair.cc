// The cold half of a queue pair: construction, reset, and completions that cannot be true.
#include "driver/queue_pair.h"

#include <algorithm>
#include <cinttypes>

#include "base/log.h"

namespace pynvme::driver {
namespace {

// A device gone mad must not flood the log; the counter goes on.
constexpr uint64_t kMaxAnomaliesLogged = 32;

}  // namespace

const char* anomaly_text(AnomalyKind kind) {
  switch (kind) {
    case AnomalyKind::kNone:
      return "none";
    case AnomalyKind::kUnknownCid:
      return "completes a CID that was never sent";
    case AnomalyKind::kRepeatedCid:
      return "completes a CID that is not outstanding (a second time?)";
    case AnomalyKind::kForeignSqid:
      return "names another submission queue";
    case AnomalyKind::kBadSqhd:
      return "has an SQ head pointer outside the queue";
  }
  return "unknown";
}

QueuePair::QueuePair(const SubmissionQueue& sq, const CompletionQueue& cq, const base::Clock& clock,
                     DataPointers data_pointers)
    : sq_(sq),
      cq_(cq),
      slots_(nullptr),
      free_(nullptr),
      batch_(nullptr),
      log_(nullptr),
      clock_(&clock),
      slot_count_(std::min({sq.entries(), cq.entries(), 65536U}) - 1),
      free_count_(0),
      slots_owner_(slot_count_),
      free_owner_(slot_count_),
      batch_owner_(slot_count_),
      log_owner_(std::make_shared<CmdLog>(sq.id())),
      data_pointers_(data_pointers) {
  slots_ = slots_owner_.data();
  free_ = free_owner_.data();
  batch_ = batch_owner_.data();
  log_ = log_owner_.get();
  reset();
}

void QueuePair::reset() {
  sq_.reset();
  cq_.reset();
  std::fill(slots_owner_.begin(), slots_owner_.end(), Slot{});
  // Popped from the end: the first commands get CIDs 0, 1, 2.
  for (uint32_t i = 0; i < slot_count_; ++i) free_[i] = static_cast<uint16_t>(slot_count_ - 1 - i);
  free_count_ = slot_count_;
  batch_count_ = 0;
  abandoned_ = 0;
  disconnected_.store(false, std::memory_order_relaxed);
  death_.store(nullptr, std::memory_order_release);
}

void QueuePair::refuse(const spec::Cqe& cqe, uint64_t state, uint64_t now_ns) {
  if (cqe.sqid != sq_.id()) {
    report(AnomalyKind::kForeignSqid, cqe, now_ns);
  } else {
    report(state == kFree ? AnomalyKind::kRepeatedCid : AnomalyKind::kUnknownCid, cqe, now_ns);
  }
}

void QueuePair::report(AnomalyKind kind, const spec::Cqe& cqe, uint64_t now_ns) {
  last_anomaly_ = {kind, cqe, now_ns};
  if (++anomalies_ > kMaxAnomaliesLogged) return;
  base::log(base::LogLevel::kError,
            "completion queue %u: an entry %s: sqid %u, cid %u, sqhd %u, cdw0 %08" PRIx32
            ", status %04x",
            cq_.id(), anomaly_text(kind), cqe.sqid, cqe.cid, cqe.sqhd, cqe.cdw0, cqe.status);
}

void QueuePair::report_overtaken() {
  if (++anomalies_ > kMaxAnomaliesLogged) return;
  base::log(
      base::LogLevel::kError,
      "completion queue %u: entry %u is not new, and entry %u behind it is: a phase bit was not "
      "toggled, and no completion behind it can be seen before a reset",
      cq_.id(), cq_.head(), cq_.head() + 1 == cq_.entries() ? 0 : cq_.head() + 1);
}

void QueuePair::abandon(uint16_t cid, uint64_t now_ns) {
  Slot& slot = slots_[cid];
  const uint64_t sequence = slot.sequence_state >> kStateBits;
  spec::Cqe none;
  std::memset(static_cast<void*>(&none), 0xFF, sizeof(none));
  log_->completed(sequence, none, now_ns);
  slot.sequence_state = sequence << kStateBits | kAbandoned;
  ++abandoned_;
}

}  // namespace pynvme::driver
