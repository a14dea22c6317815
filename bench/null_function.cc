#include "bench/null_function.h"

#include <stdexcept>

namespace pynvme::bench {

NullFunction::Rings NullFunction::add_queue(uint32_t entries) {
  const auto id = static_cast<uint16_t>(queues_.size() + 1);
  if ((id + 1U) * 2 > kDoorbells) throw std::length_error("the null device has no queue left");
  const size_t sq_bytes = entries * sizeof(spec::Sqe);
  auto queue = std::make_unique<Queue>();
  queue->entries = entries;
  queue->memory = pcie::DmaMemory::instance().allocate(sq_bytes + entries * sizeof(spec::Cqe));
  uint8_t* data = queue->memory.data();
  queue->sq = reinterpret_cast<const spec::Sqe*>(data);
  queue->cq = reinterpret_cast<spec::Cqe*>(data + sq_bytes);
  const uint64_t iova = queue->memory.iova();
  const auto bells = doorbells(sizeof(uint32_t));
  queues_.push_back(std::move(queue));
  return {{id, entries, {data, iova}, bells},
          {id, entries, {data + sq_bytes, iova + sq_bytes}, bells}};
}

pcie::Doorbells NullFunction::doorbells(uint32_t stride_bytes) {
  return {doorbells_, stride_bytes, &NullFunction::rung, nullptr, this};
}

void NullFunction::rung(void* device, uint32_t index) {
  if (index % 2 != 0) return;
  auto* self = static_cast<NullFunction*>(device);
  Queue& queue = *self->queues_[index / 2 - 1];
  const uint32_t tail = self->doorbells_[index];
  uint32_t head = queue.sq_head;
  uint32_t cq_tail = queue.cq_tail;
  while (head != tail) {
    const uint16_t cid = queue.sq[head].cid;
    head = head + 1 == queue.entries ? 0 : head + 1;
    spec::Cqe cqe{};
    cqe.sqhd = static_cast<uint16_t>(head);
    cqe.sqid = static_cast<uint16_t>(index / 2);
    cqe.cid = cid;
    cqe.status = queue.phase;
    queue.cq[cq_tail] = cqe;
    if (++cq_tail == queue.entries) {
      cq_tail = 0;
      queue.phase ^= 1;
    }
  }
  queue.sq_head = head;
  queue.cq_tail = cq_tail;
}

}  // namespace pynvme::bench
