// Completions that a fault holds back for a while: the action `delay`, and duplicates that found no
// room. Their room in the completion queue stays reserved. Thread safe.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/spinlock.h"
#include "spec/command.h"
#include "ssd/frontend/queues.h"

namespace pynvme::ssd {

struct HeldCompletion {
  uint64_t due_ns;
  uint16_t sqid;
  uint32_t generation;  // of the submission queue: another one may have its identifier by then
  spec::Cqe cqe;
  Posting posting;
  bool reserved;  // the first of its command; duplicates take the room that is left
};

class HeldCompletions {
 public:
  uint64_t next_due() const { return next_due_.load(std::memory_order_relaxed); }

  void add(const HeldCompletion& completion);
  // When a duplicate that found no room is tried again, unless room is made before.
  static constexpr uint64_t kRetryNs = 100'000;

  // Takes those that are due, in the order in which they are due, and with made_room those that
  // wait for room.
  std::vector<HeldCompletion> take_due(uint64_t now_ns, bool made_room);
  // Takes that of one command, to be aborted.
  std::optional<HeldCompletion> take(uint16_t sqid, uint16_t cid);
  // Takes all of one queue.
  std::vector<HeldCompletion> take_queue(uint16_t sqid);
  void clear();

 private:
  template <typename Wanted>
  std::vector<HeldCompletion> take_if(Wanted wanted);

  base::SpinLock lock_;
  std::vector<HeldCompletion> held_;
  std::atomic<uint64_t> next_due_{UINT64_MAX};
};

}  // namespace pynvme::ssd
