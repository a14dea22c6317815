// Faults of completions: those that never come, come late, twice, under another name or with
// another status; and what takes the whole controller away. Only on the path of a device with a
// fault planted.
#include <cstdio>
#include <mutex>
#include <string>

#include "spec/status.h"
#include "ssd/faults/faults.h"
#include "ssd/faults/held.h"
#include "ssd/frontend/engine.h"

namespace pynvme::ssd {
namespace {

std::string queue_text(uint16_t sqid, uint16_t cid) {
  return "sqid " + std::to_string(sqid) + ", cid " + std::to_string(cid);
}

void mistag(const Fault& fault, spec::Cqe* cqe) {
  const auto set = [&](const char* key, uint16_t* field) {
    if (const auto number = fault.number(key)) {
      *field = static_cast<uint16_t>(number->from(*field));
    }
  };
  // One that no command has: the driver's are small.
  if (fault.numbers.empty()) cqe->cid ^= 0x8000;
  set("cid", &cqe->cid);
  set("sqid", &cqe->sqid);
  set("sqhd", &cqe->sqhd);
}

}  // namespace

uint16_t fault_status(const Fault& fault) {
  return spec::make_status(static_cast<uint8_t>(fault.value_or("sct", spec::sct::kGeneric)),
                           static_cast<uint8_t>(fault.value_or("sc", spec::sc::kInternalError)),
                           fault.value_or("dnr", 0) != 0, fault.value_or("more", 0) != 0);
}

std::string fault_status_text(uint16_t status) {
  char text[64];
  snprintf(text, sizeof text, "status %02x/%02x%s%s", spec::status_sct(status),
           spec::status_sc(status), spec::status_more(status) ? ", MORE" : "",
           spec::status_dnr(status) ? ", DNR" : "");
  return text;
}

// Room for the completion is reserved, and the submission queue's lock held.
void Engine::post_faulty(SubmissionQueue& sq, const spec::Sqe& sqe, spec::Cqe cqe,
                         uint64_t now_ns) {
  CompletionQueue& cq = queues_.cq(sq.cqid);
  Faults& faults = parts_.faults;
  Posting posting = Posting::kNormal;
  uint64_t delay_ns = 0;
  uint64_t duplicates = 0;
  bool lost = queues_.fatal();
  for (const FiredFault& one : faults.fire(FaultPoint::kComplete, FaultSubject(sqe, sq.id),
                                           [](const Fault&) { return true; })) {
    const Fault& fault = *one.fault;
    std::string text;
    switch (fault.action) {
      case FaultAction::kStatus:
        cqe.status = fault_status(fault);
        text = fault_status_text(cqe.status);
        break;
      case FaultAction::kMistag:
        mistag(fault, &cqe);
        text =
            "completed as " + queue_text(cqe.sqid, cqe.cid) + ", sqhd " + std::to_string(cqe.sqhd);
        break;
      case FaultAction::kDuplicate:
        duplicates += fault.value_or("times", 1);
        text = "completed " + std::to_string(duplicates + 1) + " times";
        break;
      case FaultAction::kDelay:
        delay_ns += fault.value_or("us", 1000) * 1000;
        text = "completed " + std::to_string(delay_ns / 1000) + " us late";
        break;
      case FaultAction::kPhase:
        posting = Posting::kOldPhase;
        text = "posted with the phase bit of the round before";
        break;
      case FaultAction::kStaleCompletion:
        posting = Posting::kStaleEntry;
        text = "the entry of the round before, with the new phase bit";
        break;
      case FaultAction::kFatal:
        queues_.set_fatal();
        lost = true;
        text = "CSTS.CFS is set; not completed";
        break;
      case FaultAction::kVanish:
        faults.vanish(one.id);
        queues_.set_fatal();
        lost = true;
        text = "the device is gone; not completed";
        break;
      default:  // kSwallow
        lost = true;
        text = "never completed";
        break;
    }
    faults.describe(one, std::move(text), {});
  }
  if (lost) {
    queues_.unreserve(cq, 1);
    return;
  }
  const uint64_t wait_ns = delay_ns != 0 ? delay_ns : HeldCompletions::kRetryNs;
  HeldCompletion held{now_ns + wait_ns, sq.id, sq.generation, cqe, posting, true};
  if (delay_ns != 0) {
    parts_.held.add(held);
  } else {
    queues_.post_as(cq, cqe, posting, now_ns);
  }
  held.reserved = false;
  for (; duplicates != 0; --duplicates) {
    if (delay_ns != 0 || !post_duplicate(cq, cqe, now_ns)) parts_.held.add(held);
  }
  note_held();
}

bool Engine::post_duplicate(CompletionQueue& cq, const spec::Cqe& cqe, uint64_t now_ns) {
  if (queues_.post_if_room(cq, cqe, now_ns)) return true;
  const std::lock_guard guard(cq.lock);
  cq.starved = true;  // the host's next head comes back to post_held()
  return false;
}

void Engine::note_held() {
  // With the latency model on the pump notes it, which is at work here.
  if (timed_) return;
  {
    const std::lock_guard guard(held_due_lock_);
    next_due_.store(parts_.held.next_due(), std::memory_order_relaxed);
  }
  note_due();
}

void Engine::post_held(uint64_t now_ns, bool made_room) {
  for (HeldCompletion& held : parts_.held.take_due(now_ns, made_room)) {
    SubmissionQueue& sq = queues_.sq(held.sqid);
    const SqLock lock(sq.lock);
    if (!sq.live || sq.generation != held.generation || queues_.fatal()) continue;
    CompletionQueue& cq = queues_.cq(sq.cqid);
    if (held.reserved) {
      queues_.post_as(cq, held.cqe, held.posting, now_ns);
    } else if (!post_duplicate(cq, held.cqe, now_ns)) {
      held.due_ns = now_ns + HeldCompletions::kRetryNs;
      parts_.held.add(held);
    }
  }
  note_held();
}

}  // namespace pynvme::ssd
