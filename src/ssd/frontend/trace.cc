// The ring of events, under one lock: a trace is for looking, not for speed.
#include "ssd/frontend/trace.h"

#include <algorithm>
#include <mutex>

#include "ssd/frontend/prp.h"

namespace pynvme::ssd {

void Trace::add_sqe(uint32_t sqid, uint32_t index, const spec::Sqe& sqe) {
  add({.kind = TraceKind::kFetched,
       .queue = sqid,
       .value = index,
       .dwords = std::bit_cast<std::array<uint32_t, 16>>(sqe)});
}

void Trace::add_cqe(uint32_t cqid, uint32_t index, const spec::Cqe& cqe) {
  const auto words = std::bit_cast<std::array<uint32_t, 4>>(cqe);
  TraceEvent event{.kind = TraceKind::kPosted, .queue = cqid, .value = index};
  std::copy(words.begin(), words.end(), event.dwords.begin());
  add(event);
}

void Trace::add_pieces(const HostMemory& memory, uint16_t sqid, const spec::Sqe& sqe,
                       uint64_t bytes, bool to_host) {
  std::vector<PrpPiece> pieces;
  list_prps(memory, to_host ? DmaAccess::kWrite : DmaAccess::kRead, sqe.prp1, sqe.prp2, bytes,
            pieces);
  for (const PrpPiece& piece : pieces) {
    add({.kind = piece.list ? TraceKind::kPrpList : TraceKind::kData,
         .queue = sqid,
         .address = piece.iova,
         .bytes = piece.bytes,
         .cid = sqe.cid,
         .to_host = to_host && !piece.list});
  }
}

void Trace::add(TraceEvent event) {
  const std::lock_guard guard(lock_);
  // The time is taken under the lock, so that times are in the order of events.
  event.time_ns = clock_.now_ns();
  event.sequence = count_ + 1;
  ring_[count_ % ring_.size()] = event;
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
