// Work with the latency model: fetched by arbitration, carried out at fetch (reads: when due),
// completed when due. One thread at a time pumps; others leave it a note and go on.
#include <array>
#include <cstring>

#include "spec/opcode.h"
#include "ssd/admin/events.h"
#include "ssd/admin/features.h"
#include "ssd/faults/faults.h"
#include "ssd/faults/held.h"
#include "ssd/frontend/engine.h"
#include "ssd/model/health.h"
#include "ssd/model/power.h"
#include "ssd/model/timing.h"

namespace pynvme::ssd {

void Engine::pump() {
  pump_requests_.fetch_add(1);
  for (;;) {
    if (!queues_.pump_lock().try_lock()) return;  // whoever has it looks at the requests once more
    const uint32_t seen = pump_requests_.load();
    pump_locked();
    queues_.pump_lock().unlock();
    // An addition, not a load: whose request comes after it finds the lock free, the others are
    // counted here. A load may be done before the lock is seen free, and a doorbell is lost.
    if (pump_requests_.fetch_add(0) == seen) break;
  }
  parts_.events.deliver();
}

void Engine::pump_locked() {
  if (!running()) {
    // resume() comes back here.
    next_due_.store(UINT64_MAX, std::memory_order_relaxed);
    note_due();
    return;
  }
  const bool was_idle = parts_.outstanding.empty();
  uint64_t now = parts_.clock.now_ns();
  if (was_idle) busy_since_ns_ = now;
  if (queues_.shadow().on()) [[unlikely]]
    poll_shadows();
  while (!queues_.fatal()) {
    const bool completed = complete_due(now);
    const bool fetched_admin = fetch_admin(now);
    const bool fetched_io = fetch_io(now);
    if (!completed && !fetched_admin && !fetched_io) break;
    now = parts_.clock.now_ns();
  }
  if (now > busy_since_ns_) parts_.health.smart().add_busy(now - busy_since_ns_);
  busy_since_ns_ = now;
  parts_.health.check(now);
  parts_.timing.set_throttle(parts_.health.throttle());
  const uint64_t next = std::min(parts_.outstanding.next_due(), parts_.held.next_due());
  const uint64_t due = queues_.fatal() ? UINT64_MAX : next;
  next_due_.store(due, std::memory_order_relaxed);
  note_due();
}

bool Engine::complete_due(uint64_t now_ns) {
  bool any = false;
  while (parts_.outstanding.next_due() <= now_ns) {
    complete(parts_.outstanding.take_next(), now_ns);
    any = true;
  }
  return any;
}

void Engine::complete(const Outstanding::Command& command, uint64_t now_ns) {
  SubmissionQueue& sq = queues_.sq(command.sqid);
  Tally tally;
  const SqLock lock(sq.lock);
  Outcome outcome = command.outcome;
  if (command.executes_late) {
    outcome.status = nvm_.execute_late(command.sqe, command.epoch, sq.data, tally);
    if (outcome.status != kSuccess) {
      outcome.status = note_error(command.sqe, sq.id, outcome.status, tally.error_lba);
    }
    account(tally, now_ns, now_ns);
  }
  spec::Cqe cqe{};
  cqe.cdw0 = outcome.cdw0;
  cqe.sqhd = static_cast<uint16_t>(sq.head);
  cqe.sqid = sq.id;
  cqe.cid = command.sqe.cid;
  cqe.status = outcome.status;
  --sq.inside;
  if (command.owns_cid) sq.cids[command.sqe.cid] = false;
  // Idle time begins when the last command is over.
  if (sq.id != 0) parts_.power.touch(now_ns);
  if (parts_.faults.armed(FaultPoint::kComplete) || queues_.fatal()) [[unlikely]] {
    post_faulty(sq, command.sqe, cqe, now_ns);
  } else {
    queues_.post(queues_.cq(sq.cqid), {&cqe, 1}, now_ns);
  }
}

bool Engine::fetch_admin(uint64_t now_ns) {
  SubmissionQueue& sq = queues_.sq(0);
  bool any = false;
  for (;;) {
    const SqLock lock(sq.lock);
    sq.skip_aborted();
    if (!sq.live || sq.head == sq.tail || sq.inside >= kAdminInsideMax || queues_.fatal()) break;
    CompletionQueue& cq = queues_.cq(0);
    if (queues_.reserve(cq, 1) == 0) break;
    spec::Sqe sqe;
    Step step = Step::kMore;
    const uint32_t fetched = fetch(sq, 1, &sqe, &step);
    sq.head_for_completions.store(static_cast<uint16_t>(sq.head), std::memory_order_relaxed);
    if (fetched == 0) {
      queues_.unreserve(cq, 1);
      break;
    }
    any = true;
    Outstanding::Command command{sqe, 0, false, admin_.execute(sqe, now_ns)};
    if (command.outcome.pending) {
      queues_.unreserve(cq, 1);
      continue;
    }
    if (command.outcome.status != kSuccess) {
      command.outcome.status =
          note_error(sqe, 0, command.outcome.status, command.outcome.information);
    }
    const bool heavy = sqe.opcode == spec::admin::kFormatNvm && command.outcome.status == kSuccess;
    const uint64_t bytes = heavy ? parts_.config.capacity_bytes : 0;
    ++sq.inside;
    parts_.outstanding.add(command, parts_.timing.due_ns(heavy ? Work::kOther : Work::kAdmin, 0,
                                                         bytes, false, 0, now_ns));
  }
  return any;
}

bool Engine::fetch_io(uint64_t now_ns) {
  bool any = false;
  blocked_.assign(blocked_.size(), false);
  const spec::ArbitrationFeature feature{parts_.features.current.arbitration};
  while (parts_.outstanding.io_commands() < kInsideMax && !queues_.fatal()) {
    uint32_t burst = 0;
    const uint32_t id = arbiter_.next(
        queues_.count(), feature,
        [&](uint32_t qid) {
          if (blocked_[qid]) return false;
          SubmissionQueue& sq = queues_.sq(qid);
          const SqLock lock(sq.lock);
          return sq.live && sq.head != sq.tail;
        },
        [&](uint32_t qid) { return queues_.sq(qid).priority; }, &burst);
    if (id == Arbiter::kNone) break;
    SubmissionQueue& sq = queues_.sq(id);
    const SqLock lock(sq.lock);
    const uint32_t fetched = fetch_burst(sq, burst, now_ns);
    arbiter_.fetched(sq.priority, fetched);
    // No room in the completion queue: the others' turn, until the host makes room.
    if (fetched == 0) blocked_[id] = true;
    any = any || fetched != 0;
  }
  return any;
}

uint32_t Engine::fetch_burst(SubmissionQueue& sq, uint32_t burst, uint64_t now_ns) {
  CompletionQueue& cq = queues_.cq(sq.cqid);
  uint32_t taken = 0;
  while (taken < burst && parts_.outstanding.io_commands() < kInsideMax) {
    sq.skip_aborted();
    if (!sq.live || sq.head == sq.tail || queues_.fatal()) break;
    if (queues_.reserve(cq, 1) == 0) break;
    spec::Sqe sqe;
    Step step = Step::kMore;
    const uint32_t fetched = fetch(sq, 1, &sqe, &step);
    if (fetched == 1) {
      enter(sq, sqe, now_ns);
    } else if (step != Step::kFused) {
      queues_.unreserve(cq, 1);
      break;
    } else {
      spec::Sqe second;
      const Pair pair = look_at_pair(sq, &sqe, &second);
      const bool whole = pair == Pair::kWhole && cq.size > 2;
      if (whole && queues_.reserve(cq, 1) == 0) {
        queues_.unreserve(cq, 1);
        break;
      }
      queues_.trace().fetched(sq.id, sq.head, sqe);
      sq.head = sq.after(sq.head);
      if (whole) {
        queues_.trace().fetched(sq.id, sq.head, second);
        sq.head = sq.after(sq.head);
        enter_pair(sq, sqe, second, now_ns);
      } else {
        const uint16_t status = note_error(sqe, sq.id, Nvm::lone_half(sqe), 0);
        ++sq.inside;
        parts_.outstanding.add({sqe, sq.id, false, status}, now_ns);
      }
    }
    ++taken;
  }
  return taken;
}

void Engine::enter(SubmissionQueue& sq, const spec::Sqe& sqe, uint64_t now_ns) {
  Outstanding::Command command{sqe, sq.id, false, kSuccess};
  command.owns_cid = sq.claim_cid(sqe.cid);
  uint64_t due = now_ns;
  uint16_t status = sqe.fuse() == spec::Fuse::kSecond ? Nvm::lone_half(sqe) : nvm_.check(sqe);
  if (!command.owns_cid) status = fail_once(spec::sc::kCommandIdConflict);
  if (status == kSuccess) {
    const uint8_t state = parts_.power.wake(now_ns);
    if (kPowerStates[state].non_operational) parts_.timing.set_power_state(state);
    const Nvm::Cost cost = nvm_.cost(sqe);
    due = parts_.timing.due_ns(cost.work, sqe.slba(), cost.bytes, cost.durable,
                               parts_.namespaces.unflushed_bytes(), now_ns);
    command.executes_late = Nvm::reads_media(sqe.opcode);
    command.epoch = nvm_.epoch(sqe);
    if (!command.executes_late) {
      Tally tally;
      status = nvm_.execute(sqe, sq.data, tally);
      if (status != kSuccess) status = note_error(sqe, sq.id, status, tally.error_lba);
      account(tally, now_ns, now_ns);
    }
  } else {
    status = note_error(sqe, sq.id, status, 0);
  }
  command.outcome.status = status;
  ++sq.inside;
  parts_.outstanding.add(command, due);
}

void Engine::enter_pair(SubmissionQueue& sq, const spec::Sqe& first, const spec::Sqe& second,
                        uint64_t now_ns) {
  std::array<uint16_t, 2> status;
  Tally tally;
  nvm_.compare_and_write(first, second, sq.data, tally, &status[0], &status[1]);
  parts_.power.wake(now_ns);
  const Nvm::Cost cost = nvm_.cost(second);
  const uint64_t due =
      parts_.timing.due_ns(Work::kRead, first.slba(), cost.bytes, cost.durable, 0, now_ns);
  for (unsigned i = 0; i < 2; ++i) {
    const spec::Sqe& sqe = i == 0 ? first : second;
    if (status[i] != kSuccess) status[i] = note_error(sqe, sq.id, status[i], tally.error_lba);
    ++sq.inside;
    parts_.outstanding.add({sqe, sq.id, false, status[i], sq.claim_cid(sqe.cid)}, due);
  }
  account(tally, now_ns, now_ns);
}

}  // namespace pynvme::ssd
