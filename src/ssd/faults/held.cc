#include "ssd/faults/held.h"

#include <algorithm>
#include <iterator>
#include <mutex>

namespace pynvme::ssd {

void HeldCompletions::add(const HeldCompletion& completion) {
  const std::lock_guard guard(lock_);
  held_.push_back(completion);
  next_due_.store(std::min(next_due(), completion.due_ns), std::memory_order_relaxed);
}

template <typename Wanted>
std::vector<HeldCompletion> HeldCompletions::take_if(Wanted wanted) {
  const std::lock_guard guard(lock_);
  const auto from = std::stable_partition(held_.begin(), held_.end(),
                                          [&](const HeldCompletion& one) { return !wanted(one); });
  std::vector<HeldCompletion> taken(std::make_move_iterator(from),
                                    std::make_move_iterator(held_.end()));
  held_.erase(from, held_.end());
  uint64_t due = UINT64_MAX;
  for (const HeldCompletion& one : held_) due = std::min(due, one.due_ns);
  next_due_.store(due, std::memory_order_relaxed);
  return taken;
}

std::vector<HeldCompletion> HeldCompletions::take_due(uint64_t now_ns, bool made_room) {
  const uint64_t waiting = made_room ? now_ns + kRetryNs : now_ns;
  if (next_due() > waiting) return {};
  auto due = take_if(
      [&](const HeldCompletion& one) { return one.due_ns <= (one.reserved ? now_ns : waiting); });
  std::stable_sort(due.begin(), due.end(), [](const HeldCompletion& a, const HeldCompletion& b) {
    return a.due_ns < b.due_ns;
  });
  return due;
}

std::optional<HeldCompletion> HeldCompletions::take(uint16_t sqid, uint16_t cid) {
  if (next_due() == UINT64_MAX) return std::nullopt;
  bool found = false;
  const auto taken = take_if([&](const HeldCompletion& one) {
    if (found || one.sqid != sqid || one.cqe.cid != cid || !one.reserved) return false;
    return found = true;
  });
  return taken.empty() ? std::nullopt : std::optional(taken.front());
}

std::vector<HeldCompletion> HeldCompletions::take_queue(uint16_t sqid) {
  if (next_due() == UINT64_MAX) return {};
  return take_if([&](const HeldCompletion& one) { return one.sqid == sqid; });
}

void HeldCompletions::clear() {
  take_if([](const HeldCompletion&) { return true; });
}

}  // namespace pynvme::ssd
