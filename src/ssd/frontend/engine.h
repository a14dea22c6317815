// The command engine: doorbells in, commands fetched, checked, carried out, completions posted.
// With the latency model off a doorbell works its own queue empty in the calling thread, under that
// queue's lock alone. With the model on commands are fetched by arbitration and completed when due,
// under the pump's lock.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>

#include "ssd/admin/admin.h"
#include "ssd/admin/maintenance.h"
#include "ssd/frontend/arbitration.h"
#include "ssd/frontend/outstanding.h"
#include "ssd/frontend/queues.h"
#include "ssd/nvm/nvm.h"
#include "ssd/parts.h"
#include "ssd/timekeeper.h"

namespace pynvme::ssd {

class Engine {
 public:
  Engine(const Parts& parts, Nvm& nvm, Admin& admin, Timekeeper& timekeeper);

  // The doorbell's new value lies in memory.
  void rung(uint32_t index) { rung(index, false); }
  // Finds the doorbells that the host stored to and does what rung() does for each. One thread, and
  // nobody else writes doorbells meanwhile but the host. True when there was any.
  bool poll_doorbells();
  // Brings about what is due.
  void advance() {
    if (next_due_.load(std::memory_order_relaxed) == UINT64_MAX &&
        parts_.interrupts.next_due() == UINT64_MAX && parts_.maintenance.next_due() == UINT64_MAX &&
        !queues_.shadow().on()) {
      return;
    }
    advance_to(parts_.clock.now_ns());
  }

  // Whether commands are worked on. Changed with every lock held; resume() afterwards, without.
  bool running() const { return running_.load(std::memory_order_relaxed); }
  void set_running(bool running) { running_ = running; }
  void resume();
  // After a stop that changed nothing else: what was asked for meanwhile.
  void catch_up() {
    if (timed_) pump();
  }

  // A controller starts, or everything outstanding disappears. With every lock held.
  void start(bool weighted_arbitration);
  void forget();

 private:
  // Doorbells of queues that nobody made are looked at once in so many polls.
  static constexpr uint32_t kWholePollEvery = 64;
  // Shadow doorbells are looked at so often when nobody rings.
  static constexpr uint64_t kShadowPollNs = 1'000'000;
  static constexpr uint32_t kBatch = 32;
  static constexpr uint32_t kPrefetchAhead = 4;
  // What a drive of this kind works on at a time; admin commands have room of their own.
  static constexpr uint32_t kInsideMax = 128;
  static constexpr uint32_t kAdminInsideMax = 32;

  using SqLock = std::unique_lock<base::SpinLock>;

  // engine.cc: doorbells, errors, bookkeeping. `polled`: another thread may have seen it already.
  void rung(uint32_t index, bool polled);
  void tail_rung(uint16_t qid, bool polled);
  void head_rung(uint16_t qid, bool polled);
  void take_tail(SubmissionQueue& sq, SqLock& lock);
  // engine_shadow.cc: Doorbell Buffer Config. True when there is something new. follow_tail() with
  // the queue's lock held; follow_head() too, which is why *wrong is the caller's to tell: events
  // are delivered the other way round, from their lock to a completion queue's.
  bool follow_tail(SubmissionQueue& sq);
  bool follow_head(CompletionQueue& cq, bool* wrong);
  bool look_at_head(CompletionQueue& cq);  // without the lock
  void poll_shadows();
  void wrong_doorbell(uint8_t event);
  void note_wrong_doorbell(uint8_t event);  // the event is not delivered yet
  void serve_starved(uint16_t cqid);
  // information: the LBA of an I/O command, the Command Specific Information of an admin command.
  uint16_t note_error(const spec::Sqe& sqe, uint16_t sqid, uint16_t status, uint64_t information);
  void account(const Tally& tally, uint64_t began_ns, uint64_t now_ns);
  void advance_to(uint64_t now_ns);
  // Tells the timekeeper what falls due next.
  void note_due();

  // engine_direct.cc: the latency model is off. drain() lets go of the lock.
  enum class Step : uint8_t { kMore, kWait, kFused };
  void drain(SubmissionQueue& sq, SqLock& lock);
  Step work_batch(SubmissionQueue& sq, Tally& tally, uint64_t now_ns);
  // At least one, unless a fused command is first (*step says so) or the queue's memory is gone.
  uint32_t fetch(SubmissionQueue& sq, uint32_t wanted, spec::Sqe* sqes, Step* step);
  // Commands that touch each other, with no other at work; false when it has to wait for room.
  bool work_fused(SubmissionQueue& sq, Tally& tally, uint64_t now_ns);

  // engine_timed.cc: the latency model is on
  void pump();
  void pump_locked();
  bool complete_due(uint64_t now_ns);
  bool fetch_admin(uint64_t now_ns);
  bool fetch_io(uint64_t now_ns);
  uint32_t fetch_burst(SubmissionQueue& sq, uint32_t burst, uint64_t now_ns);
  void enter(SubmissionQueue& sq, const spec::Sqe& sqe, uint64_t now_ns);
  void enter_pair(SubmissionQueue& sq, const spec::Sqe& first, const spec::Sqe& second,
                  uint64_t now_ns);
  void complete(const Outstanding::Command& command, uint64_t now_ns);

  // faults/engine_faults.cc: completions while a fault is planted, and those that it held back.
  void post_faulty(SubmissionQueue& sq, const spec::Sqe& sqe, spec::Cqe cqe, uint64_t now_ns);
  void post_held(uint64_t now_ns, bool made_room);
  bool post_duplicate(CompletionQueue& cq, const spec::Cqe& cqe, uint64_t now_ns);
  void note_held();

  // A fused command at the queue's head, and what to do with it.
  enum class Pair : uint8_t { kWhole, kBroken, kGone };
  Pair look_at_pair(SubmissionQueue& sq, spec::Sqe* first, spec::Sqe* second);

  Parts parts_;
  Queues& queues_;
  Nvm& nvm_;
  Admin& admin_;
  Timekeeper& timekeeper_;
  const bool timed_;
  std::atomic<bool> running_{false};
  std::atomic<uint64_t> next_due_{UINT64_MAX};
  base::SpinLock held_due_lock_;  // of next_due_, without the latency model
  std::atomic<uint32_t> pump_requests_{0};
  Arbiter arbiter_;
  uint64_t busy_since_ns_ = 0;  // the pump's: since when something is outstanding
  std::atomic<uint64_t> shadow_poll_ns_{0};
  uint32_t polls_ = 0;
  std::vector<bool> blocked_;  // the pump's: queues that wait for room in this round
};

}  // namespace pynvme::ssd
