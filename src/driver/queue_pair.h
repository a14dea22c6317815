// One SQ and one CQ with fixed command slots, CID = slot: the driver's hot path. Nothing is
// allocated and nothing is locked; one thread at a time owns a pair. Doorbells are rung per batch
// and time is stamped there. What comes back is checked before it is believed. Buffers, callbacks
// and waiting are the caller's (CommandQueue for scripts, the IOWorker's own loop).
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/clock.h"
#include "base/spinlock.h"
#include "driver/cmdlog.h"
#include "driver/queue.h"
#include "driver/transport.h"
#include "spec/command.h"

namespace pynvme::driver {

// A completion that cannot be true. It is reported, never followed.
enum class AnomalyKind : uint8_t {
  kNone,
  kUnknownCid,   // no slot has this CID, or its command was never rung
  kRepeatedCid,  // the slot is free: its command is already complete
  kForeignSqid,  // names another submission queue
  kBadSqhd,      // the SQ head lies outside the queue; the command itself is completed
};

struct Anomaly {
  AnomalyKind kind = AnomalyKind::kNone;
  spec::Cqe cqe{};
  uint64_t time_ns = 0;
};

// "unknown CID 17" and the like, for log lines and errors.
const char* anomaly_text(AnomalyKind kind);

class QueuePair {
 public:
  static constexpr uint32_t kFull = UINT32_MAX;

  // At most min(entries) - 1 commands are outstanding, so neither ring can overflow.
  QueuePair(const SubmissionQueue& sq, const CompletionQueue& cq, const base::Clock& clock,
            DataPointers data_pointers = DataPointers::kPrp);
  QueuePair(const QueuePair&) = delete;
  QueuePair& operator=(const QueuePair&) = delete;

  SubmissionQueue& sq() { return sq_; }
  CompletionQueue& cq() { return cq_; }
  uint16_t id() const { return sq_.id(); }
  uint32_t slots() const { return slot_count_; }
  // Slots in use, abandoned ones included.
  uint32_t used() const { return slot_count_ - free_count_; }
  uint32_t room() const { return free_count_; }
  uint32_t abandoned() const { return abandoned_; }
  const std::shared_ptr<CmdLog>& cmdlog() const { return log_owner_; }
  const base::Clock& clock() const { return *clock_; }
  // What the commands of this queue carry.
  DataPointers data_pointers() const { return data_pointers_; }

  // The CID that the next submit() will use, or kFull: for callers with buffers per slot.
  uint32_t next_cid() const noexcept { return free_count_ == 0 ? kFull : free_[free_count_ - 1]; }
  // Writes the command into the ring under a CID of its own (sqe.cid is overwritten) and returns
  // it, or kFull. The device sees it at ring().
  uint32_t submit(const spec::Sqe& sqe) noexcept {
    if (free_count_ == 0) [[unlikely]]
      return kFull;
    const uint16_t cid = free_[--free_count_];
    const SqeWords words = to_words(sqe, cid);
    sq_.push(words);
    Slot& slot = slots_[cid];
    slot.sequence_state = log_->append(words) << kStateBits | kFilled;
    batch_[batch_count_++] = cid;
    return cid;
  }
  // One doorbell for all that was submitted since the last one. Returns the time stamped on them.
  uint64_t ring() noexcept {
    if (batch_count_ == 0) return 0;
    const uint64_t now = clock_->now_ns();
    for (uint32_t i = 0; i < batch_count_; ++i) {
      Slot& slot = slots_[batch_[i]];
      slot.submit_ns = now;
      slot.sequence_state ^= kFilled ^ kOutstanding;
      log_->submitted(slot.sequence_state >> kStateBits, now);
    }
    batch_count_ = 0;
    sq_.ring();
    return now;
  }

  // Takes up to `max` completions: handler(uint16_t cid, const spec::Cqe&, uint64_t latency_ns) for
  // each command that finished, its slot being free already, so that the handler may submit() the
  // next one; late(uint16_t cid) when the completion of an abandoned command came after all. The
  // clock is read once, the doorbell rung once. Returns how many entries were taken.
  template <class Handler, class Late>
  unsigned reap(unsigned max, Handler&& handler, Late&& late) {
    spec::Cqe cqe;
    if (!cq_.pop(&cqe)) {
      if (!cq_.polls()) return 0;
      cq_.poll();
      if (!cq_.pop(&cqe)) return 0;
    }
    const uint64_t now = clock_->now_ns();
    unsigned taken = 0;
    do {
      ++taken;
      const uint16_t cid = cqe.cid;
      const uint64_t state = cid < slot_count_ ? slots_[cid].sequence_state & kStateMask : kNoSlot;
      if (state < kOutstanding || cqe.sqid != sq_.id()) [[unlikely]] {
        refuse(cqe, state, now);
        continue;
      }
      if (cqe.sqhd >= sq_.entries()) [[unlikely]]
        report(AnomalyKind::kBadSqhd, cqe, now);
      Slot& slot = slots_[cid];
      const uint64_t sequence = slot.sequence_state >> kStateBits;
      slot.sequence_state = kFree;
      free_[free_count_++] = cid;
      if (state == kAbandoned) [[unlikely]] {
        --abandoned_;
        late(cid);
        continue;
      }
      log_->completed(sequence, cqe, now);
      handler(cid, static_cast<const spec::Cqe&>(cqe), now - slot.submit_ns);
    } while (taken < max && cq_.pop(&cqe));
    cq_.ring();
    return taken;
  }
  template <class Handler>
  unsigned reap(unsigned max, Handler&& handler) {
    return reap(max, static_cast<Handler&&>(handler), [](uint16_t) {});
  }

  // Whether expire() would find something. Completions are to be looked at once more before it
  // does.
  bool overdue(uint64_t now_ns, uint64_t timeout_ns) const {
    for (uint32_t cid = 0; cid < slot_count_; ++cid) {
      if (overdue(slots_[cid], now_ns, timeout_ns)) return true;
    }
    return false;
  }
  // Slow path, every few milliseconds: abandons commands rung `timeout_ns` or longer ago and calls
  // expired(uint16_t cid) for each. The slot stays taken until its completion comes after all or
  // the queue is reset, so a late completion can never be taken for another command's.
  template <class Expired>
  unsigned expire(uint64_t now_ns, uint64_t timeout_ns, Expired&& expired) {
    unsigned count = 0;
    for (uint32_t cid = 0; cid < slot_count_; ++cid) {
      if (!overdue(slots_[cid], now_ns, timeout_ns)) continue;
      abandon(static_cast<uint16_t>(cid), now_ns);
      ++count;
      expired(static_cast<uint16_t>(cid));
    }
    if (count != 0 && cq_.overtaken()) report_overtaken();
    return count;
  }
  // Takes a command out of expire()'s reach: an AER waits as long as it takes.
  void never_expires(uint16_t cid) noexcept { slots_[cid].sequence_state |= kEndless; }
  // Submitted, not completed, not given up.
  bool outstanding(uint16_t cid) const {
    const uint64_t state = slots_[cid].sequence_state & kStateMask;
    return state == kFilled || state == kOutstanding || state == kEndless;
  }

  // The queue was created anew on the device: empty rings, all slots free, whatever was outstanding
  // forgotten; alive again.
  void reset();

  // The queue is not on the device any more (deleted, or a reset took it away); any thread. The
  // reason, a literal, completes the sentence "queue 3 is dead: ...".
  void kill(const char* reason) noexcept {
    disconnected_.store(false, std::memory_order_relaxed);
    death_.store(reason, std::memory_order_release);
  }
  // The same, and returns when no owner is at work inside gate() any more: what it still rings must
  // not reach a queue that is made later under the same identifier.
  void kill_and_wait(const char* reason) noexcept {
    kill(reason);
    gate_.lock();
    gate_.unlock();
  }
  // For an owner in a thread of its own, around each round of work on the pair.
  base::SpinLock& gate() noexcept { return gate_; }
  // The same, when it was not the host that ended it: the way to the device is cut. Of a queue that
  // the host ended before that is no news.
  void disconnect(const char* reason) noexcept {
    if (dead()) return;
    disconnected_.store(true, std::memory_order_relaxed);
    death_.store(reason, std::memory_order_release);
  }
  bool disconnected() const noexcept {
    return dead() && disconnected_.load(std::memory_order_relaxed);
  }
  bool dead() const noexcept { return death_.load(std::memory_order_relaxed) != nullptr; }
  const char* death() const noexcept { return death_.load(std::memory_order_acquire); }

  uint64_t anomalies() const { return anomalies_; }
  const Anomaly& last_anomaly() const { return last_anomaly_; }

 private:
  // The low bits of Slot::sequence_state; what may be completed is not below kOutstanding.
  static constexpr unsigned kStateBits = 3;
  static constexpr uint64_t kStateMask = (1U << kStateBits) - 1;
  static constexpr uint64_t kFree = 0;
  static constexpr uint64_t kNoSlot = 1;
  static constexpr uint64_t kFilled = 2;
  static constexpr uint64_t kOutstanding = 4;
  static constexpr uint64_t kEndless = 5;  // outstanding, without a timeout
  static constexpr uint64_t kAbandoned = 6;

  struct Slot {
    uint64_t submit_ns = 0;
    uint64_t sequence_state = kFree;
  };
  static bool overdue(const Slot& slot, uint64_t now_ns, uint64_t timeout_ns) {
    return (slot.sequence_state & kStateMask) == kOutstanding && now_ns >= slot.submit_ns &&
           now_ns - slot.submit_ns >= timeout_ns;
  }

  void refuse(const spec::Cqe& cqe, uint64_t state, uint64_t now_ns);
  void report(AnomalyKind kind, const spec::Cqe& cqe, uint64_t now_ns);
  void report_overtaken();
  void abandon(uint16_t cid, uint64_t now_ns);

  SubmissionQueue sq_;
  CompletionQueue cq_;
  // Shared by both sides; one line.
  alignas(kCacheLine) Slot* slots_;
  uint16_t* free_;
  uint16_t* batch_;
  CmdLog* log_;
  const base::Clock* clock_;
  uint32_t slot_count_;
  uint32_t free_count_;
  uint32_t batch_count_ = 0;
  uint32_t abandoned_ = 0;
  // Set-up and bad news.
  alignas(kCacheLine) std::vector<Slot> slots_owner_;
  std::vector<uint16_t> free_owner_;
  std::vector<uint16_t> batch_owner_;
  std::shared_ptr<CmdLog> log_owner_;
  std::atomic<const char*> death_{nullptr};
  std::atomic<bool> disconnected_{false};
  base::SpinLock gate_;
  const DataPointers data_pointers_;
  uint64_t anomalies_ = 0;
  Anomaly last_anomaly_;
};

}  // namespace pynvme::driver
