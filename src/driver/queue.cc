// Construction and reset of the rings: cold, and where the arguments are checked.
#include "driver/queue.h"

#include <string>

#include "driver/errors.h"

namespace pynvme::driver {
namespace {

volatile uint32_t* doorbell(const pcie::Doorbells& doorbells, uint32_t index) {
  auto* bytes = reinterpret_cast<volatile uint8_t*>(doorbells.base);
  return reinterpret_cast<volatile uint32_t*>(bytes +
                                              static_cast<size_t>(index) * doorbells.stride_bytes);
}

using Rung = void (*)(void*, uint32_t);

Rung rung(const pcie::Doorbells& doorbells, uint32_t index) {
  const uint64_t end = uint64_t{index} * doorbells.stride_bytes + sizeof(uint32_t);
  return end <= doorbells.direct_bytes ? nullptr : doorbells.rung;
}

void check(const char* what, uint16_t id, uint32_t entries, const QueueMemory& memory) {
  const std::string name = std::string(what) + " " + std::to_string(id);
  if (entries < kMinQueueEntries) {
    throw InvalidArgument(name + " cannot have " + std::to_string(entries) +
                          " entries: two are the least");
  }
  if (memory.data == nullptr) throw InvalidArgument(name + " has no memory");
}

}  // namespace

// The doorbell of SQ y is number 2y, that of CQ y number 2y + 1 (NVMe over PCIe 1.0 §3.1.2).
SubmissionQueue::SubmissionQueue(uint16_t id, uint32_t entries, const QueueMemory& memory,
                                 const pcie::Doorbells& doorbells)
    : ring_(static_cast<spec::Sqe*>(memory.data)),
      doorbell_(doorbell(doorbells, 2U * id)),
      rung_(rung(doorbells, 2U * id)),
      device_(doorbells.device),
      iova_(memory.iova),
      entries_(entries),
      doorbell_index_(2U * id),
      id_(id) {
  check("submission queue", id, entries, memory);
  reset();
}

void SubmissionQueue::reset() {
  tail_ = 0;
  std::memset(static_cast<void*>(ring_), 0, entries_ * sizeof(spec::Sqe));
}

CompletionQueue::CompletionQueue(uint16_t id, uint32_t entries, const QueueMemory& memory,
                                 const pcie::Doorbells& doorbells)
    : ring_(static_cast<uint64_t*>(memory.data)),
      doorbell_(doorbell(doorbells, 2U * id + 1)),
      rung_(rung(doorbells, 2U * id + 1)),
      poll_(doorbells.poll),
      device_(doorbells.device),
      iova_(memory.iova),
      entries_(entries),
      phase_(1),
      doorbell_index_((2U * id + 1) & 0x7FFF'FFFFU),
      id_(id) {
  check("completion queue", id, entries, memory);
  reset();
}

bool CompletionQueue::overtaken() const noexcept {
  const uint32_t behind = head_ + 1 == entries_ ? 0 : head_ + 1;
  const uint32_t phase = behind == 0 ? phase_ ^ 1U : phase_;
  // The later one first: when both arrive meanwhile, the head is new by the time it is looked at.
  const uint64_t high = __atomic_load_n(ring_ + behind * kWords + 1, __ATOMIC_ACQUIRE);
  return (high >> kPhaseShift & 1) == phase && !ready();
}

void CompletionQueue::reset() {
  head_ = 0;
  // The first round of entries carries phase 1, so the ring starts with zeroes (NVMe Base 2.0
  // §4.2.4).
  phase_ = 1;
  std::memset(ring_, 0, entries_ * sizeof(spec::Cqe));
}

}  // namespace pynvme::driver
