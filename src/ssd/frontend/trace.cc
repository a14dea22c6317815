// The ring of events, under one lock: a trace is for looking, not for speed.
#include "ssd/frontend/trace.h"

#include <algorithm>
#include <mutex>

namespace pynvme::ssd {

void Trace::add_cqe(uint32_t cqid, uint32_t index, const spec::Cqe& cqe) {
  const auto words = std::bit_cast<std::array<uint32_t, 4>>(cqe);
  std::array<uint32_t, 16> dwords{};
  std::copy(words.begin(), words.end(), dwords.begin());
  add(TraceKind::kPosted, cqid, index, dwords);
}

void Trace::add(TraceKind kind, uint32_t queue, uint32_t value,
                const std::array<uint32_t, 16>& dwords) {
  const std::lock_guard guard(lock_);
  // The time is taken under the lock, so that times are in the order of events.
  ring_[count_ % ring_.size()] = {count_ + 1, clock_.now_ns(), kind, queue, value, dwords};
  ++count_;
}

std::vector<TraceEvent> Trace::latest(size_t count) const {
  const std::lock_guard guard(lock_);
  size_t kept = static_cast<size_t>(std::min<uint64_t>(count_, ring_.size()));
  if (count != 0) kept = std::min(kept, count);
  std::vector<TraceEvent> events;
  events.reserve(kept);
  for (uint64_t at = count_ - kept; at < count_; ++at) events.push_back(ring_[at % ring_.size()]);
  return events;
}

}  // namespace pynvme::ssd
