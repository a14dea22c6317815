// Work without a latency model: batches of commands, from fetch to completion, in the caller's
// thread.
#include <array>
#include <cstring>
#include <utility>

#include "ssd/admin/events.h"
#include "ssd/faults/faults.h"
#include "ssd/frontend/engine.h"
#include "ssd/model/health.h"
#include "ssd/model/power.h"

namespace pynvme::ssd {
namespace {

spec::Cqe make_cqe(const spec::Sqe& sqe, uint16_t sqid, uint32_t head, uint16_t status,
                   uint32_t cdw0) {
  spec::Cqe cqe;
  cqe.cdw0 = cdw0;
  cqe.cdw1 = 0;
  cqe.sqhd = static_cast<uint16_t>(head);
  cqe.sqid = sqid;
  cqe.cid = sqe.cid;
  cqe.status = status;
  return cqe;
}

}  // namespace

void Engine::drain(SubmissionQueue& sq, SqLock& lock) {
  const bool io = sq.id != 0;
  const uint64_t began = parts_.clock.now_ns();
  Tally tally;
  while (sq.live && running() && sq.head != sq.tail && !queues_.fatal()) {
    Step step = work_batch(sq, tally, began);
    if (step == Step::kFused) {
      // Nothing else may touch the media between the two, so every queue's lock is taken, in order,
      // which means to let go of this one first.
      lock.unlock();
      {
        const Queues::IoLocked no_other(queues_);
        step = work_fused(sq, tally, began) ? Step::kMore : Step::kWait;
      }
      lock.lock();
    }
    if (step == Step::kWait) {
      if (queues_.shadow().on() && look_at_head(queues_.cq(sq.cqid))) [[unlikely]]
        continue;
      break;
    }
    if (sq.head == sq.tail && queues_.shadow().on()) [[unlikely]]
      follow_tail(sq);
  }
  lock.unlock();
  const uint64_t now = parts_.clock.now_ns();
  // Admin commands are worked on in any power state and leave it as it is (§8.15.1).
  if (io) parts_.power.touch(now);
  account(tally, began, now);
  if (parts_.interrupts.next_due() != UINT64_MAX || parts_.maintenance.next_due() != UINT64_MAX ||
      queues_.shadow().on()) {
    note_due();
  }
}

uint32_t Engine::fetch(SubmissionQueue& sq, uint32_t wanted, spec::Sqe* sqes, Step* step) {
  uint32_t fetched = 0;
  while (fetched < wanted && sq.head != sq.tail) {
    const uint8_t* const entry = sq.entry(sq.head);
    if (entry == nullptr) {
      queues_.set_fatal();
      break;
    }
    if (!sq.aborted.empty() && sq.is_aborted(sq.head)) break;
    std::memcpy(&sqes[fetched], entry, sizeof(spec::Sqe));
    if (sq.id != 0) {
      if (sqes[fetched].fuse() == spec::Fuse::kFirst) {
        if (fetched == 0) *step = Step::kFused;
        break;
      }
      nvm_.prefetch_map(sqes[fetched]);
    }
    sq.head = sq.after(sq.head);
    ++fetched;
  }
  if (queues_.trace().on()) [[unlikely]] {
    for (uint32_t i = 0; i < fetched; ++i) {
      queues_.trace().fetched(sq.id, (sq.head + sq.size - fetched + i) % sq.size, sqes[i]);
    }
  }
  return fetched;
}

Engine::Step Engine::work_batch(SubmissionQueue& sq, Tally& tally, uint64_t now_ns) {
  CompletionQueue& cq = queues_.cq(sq.cqid);
  sq.skip_aborted();
  if (sq.head == sq.tail) return Step::kMore;
  // Admin commands change what the next one finds, and may be aborted by one before them.
  const uint32_t wanted = sq.id == 0 ? 1 : std::min(sq.waiting(), kBatch);
  const uint32_t room = queues_.reserve(cq, wanted);
  if (room == 0) return Step::kWait;

  std::array<spec::Sqe, kBatch> sqes;
  std::array<spec::Cqe, kBatch> cqes;
  Step step = Step::kMore;
  const uint32_t fetched = fetch(sq, room, sqes.data(), &step);
  sq.head_for_completions.store(static_cast<uint16_t>(sq.head), std::memory_order_relaxed);
  uint32_t done = 0;
  if (sq.id == 0) {
    for (uint32_t i = 0; i < fetched; ++i) {
      const Outcome outcome = admin_.execute(sqes[i], now_ns);
      if (outcome.pending) continue;
      const uint16_t status = outcome.status == kSuccess
                                  ? kSuccess
                                  : note_error(sqes[i], sq.id, outcome.status, outcome.information);
      cqes[done++] = make_cqe(sqes[i], sq.id, sq.head, status, outcome.cdw0);
    }
  } else {
    for (uint32_t i = 0; i < std::min(fetched, kPrefetchAhead); ++i) nvm_.prefetch_data(sqes[i]);
    for (uint32_t i = 0; i < fetched; ++i) {
      if (i + kPrefetchAhead < fetched) nvm_.prefetch_data(sqes[i + kPrefetchAhead]);
      uint16_t status = sqes[i].fuse() == spec::Fuse::kSecond
                            ? Nvm::lone_half(sqes[i])
                            : nvm_.execute(sqes[i], sq.data, tally);
      if (status != kSuccess) [[unlikely]] {
        // The LBA is this command's, and not that of the next one that fails.
        status = note_error(sqes[i], sq.id, status, std::exchange(tally.error_lba, 0));
      }
      cqes[done++] = make_cqe(sqes[i], sq.id, sq.head, status, 0);
    }
  }
  if (parts_.faults.armed(FaultPoint::kComplete)) [[unlikely]] {
    for (uint32_t i = 0; i < done; ++i) post_faulty(sq, sqes[i], cqes[i], now_ns);
  } else {
    queues_.post(cq, {cqes.data(), done}, now_ns);
  }
  if (done < room) queues_.unreserve(cq, room - done);
  return step;
}

Engine::Pair Engine::look_at_pair(SubmissionQueue& sq, spec::Sqe* first, spec::Sqe* second) {
  if (!sq.live || !running() || queues_.fatal() || sq.head == sq.tail) return Pair::kGone;
  const uint8_t* const first_entry = sq.entry(sq.head);
  const uint32_t next = sq.after(sq.head);
  const uint8_t* const second_entry = next == sq.tail ? nullptr : sq.entry(next);
  if (first_entry == nullptr || (next != sq.tail && second_entry == nullptr)) {
    queues_.set_fatal();
    return Pair::kGone;
  }
  std::memcpy(first, first_entry, sizeof *first);
  if (first->fuse() != spec::Fuse::kFirst || sq.is_aborted(sq.head)) return Pair::kGone;
  if (second_entry == nullptr || sq.is_aborted(next)) return Pair::kBroken;
  std::memcpy(second, second_entry, sizeof *second);
  return second->fuse() == spec::Fuse::kSecond ? Pair::kWhole : Pair::kBroken;
}

bool Engine::work_fused(SubmissionQueue& sq, Tally& tally, uint64_t now_ns) {
  std::array<spec::Sqe, 2> sqes;
  std::array<uint16_t, 2> status;
  const Pair pair = look_at_pair(sq, &sqes[0], &sqes[1]);
  if (pair == Pair::kGone) return true;
  CompletionQueue& cq = queues_.cq(sq.cqid);
  // A completion queue with one usable entry never has room for a pair: its halves fail one by one.
  const bool whole = pair == Pair::kWhole && cq.size > 2;
  const uint32_t count = whole ? 2 : 1;
  const uint32_t room = queues_.reserve(cq, count);
  if (room < count) {
    queues_.unreserve(cq, room);
    return false;
  }
  for (uint32_t i = 0; i < count; ++i) {
    queues_.trace().fetched(sq.id, sq.head, sqes[i]);
    sq.head = sq.after(sq.head);
  }
  if (whole) {
    nvm_.compare_and_write(sqes[0], sqes[1], sq.data, tally, &status[0], &status[1]);
  } else {
    status[0] = Nvm::lone_half(sqes[0]);
  }
  std::array<spec::Cqe, 2> cqes;
  for (uint32_t i = 0; i < count; ++i) {
    if (status[i] != kSuccess) status[i] = note_error(sqes[i], sq.id, status[i], tally.error_lba);
    cqes[i] = make_cqe(sqes[i], sq.id, sq.head, status[i], 0);
  }
  if (parts_.faults.armed(FaultPoint::kComplete)) [[unlikely]] {
    for (uint32_t i = 0; i < count; ++i) post_faulty(sq, sqes[i], cqes[i], now_ns);
  } else {
    queues_.post(cq, {cqes.data(), count}, now_ns);
  }
  return true;
}

}  // namespace pynvme::ssd
