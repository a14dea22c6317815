// Doorbell Buffer Config at work: tails and heads are taken from the shadows, and the host is told
// by EventIdx up to where the SSD knows them, so that it rings for what goes beyond.
#include <mutex>

#include "spec/log.h"
#include "ssd/admin/events.h"
#include "ssd/frontend/engine.h"

namespace pynvme::ssd {

bool Engine::follow_tail(SubmissionQueue& sq) {
  ShadowDoorbells& shadow = queues_.shadow();
  if (!shadow.on() || sq.id == 0 || !sq.live) return false;
  const uint32_t index = 2U * sq.id;
  shadow.set_event_index(index, sq.tail);
  if (!shadow.moved(index)) return false;
  const uint32_t tail = shadow.take(index);
  const uint32_t added = tail >= sq.tail ? tail - sq.tail : sq.size - sq.tail + tail;
  if (tail >= sq.size || added > sq.size - 1 - sq.waiting()) {
    note_wrong_doorbell(spec::aer::kErrorInvalidDoorbellValue);
    return false;
  }
  sq.tail = tail;
  shadow.set_event_index(index, tail);
  return added != 0;
}

bool Engine::follow_head(CompletionQueue& cq, bool* wrong) {
  ShadowDoorbells& shadow = queues_.shadow();
  if (!shadow.on() || cq.id == 0 || !cq.live) return false;
  const uint32_t index = 2U * cq.id + 1;
  shadow.set_event_index(index, cq.head);
  if (!shadow.moved(index)) return false;
  const uint32_t head = shadow.take(index);
  const uint32_t taken = head >= cq.head ? head - cq.head : cq.size - cq.head + head;
  if (head >= cq.size || taken > cq.used()) {
    *wrong = true;
    return false;
  }
  cq.head = head;
  if (cq.head == cq.tail) parts_.interrupts.drained(cq.id);
  shadow.set_event_index(index, head);
  return taken != 0;
}

bool Engine::look_at_head(CompletionQueue& cq) {
  bool wrong = false;
  bool moved = false;
  {
    const std::lock_guard guard(cq.lock);
    moved = follow_head(cq, &wrong);
  }
  if (wrong) note_wrong_doorbell(spec::aer::kErrorInvalidDoorbellValue);
  return moved;
}

void Engine::poll_shadows() {
  for (uint32_t id = 1; id < queues_.count(); ++id) {
    look_at_head(queues_.cq(id));
    SubmissionQueue& sq = queues_.sq(id);
    SqLock lock(sq.lock);
    if (!running() || !sq.live) continue;
    const bool more = follow_tail(sq);
    if (!timed_ && (more || sq.head != sq.tail)) drain(sq, lock);
  }
  if (!timed_) parts_.events.deliver();
}

}  // namespace pynvme::ssd
