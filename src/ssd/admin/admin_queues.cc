// Create and Delete I/O Submission and Completion Queue (NVMe Base 2.0 §5.4 to §5.7).
#include <mutex>
#include <utility>

#include "spec/command_fields.h"
#include "ssd/admin/admin.h"
#include "ssd/faults/held.h"
#include "ssd/frontend/outstanding.h"
#include "ssd/frontend/queues.h"
#include "ssd/frontend/registers.h"

namespace pynvme::ssd {
namespace {

constexpr uint16_t kBadQueue = fail_specific(spec::sc::kInvalidQueueIdentifier);
constexpr uint16_t kBadSize = fail_specific(spec::sc::kInvalidQueueSize);

}  // namespace

uint32_t Admin::allocated_sqs() const {
  return spec::NumberOfQueuesFeature{parts_.features.current.number_of_queues}.nsq() + 1U;
}

uint32_t Admin::allocated_cqs() const {
  return spec::NumberOfQueuesFeature{parts_.features.current.number_of_queues}.ncq() + 1U;
}

Outcome Admin::create_io_cq(const spec::Sqe& sqe) {
  const uint16_t qid = spec::queue_id(sqe.cdw10);
  if (qid == 0 || qid > allocated_cqs() || parts_.queues.cq(qid).live) return kBadQueue;
  const uint16_t qsize = spec::queue_size(sqe.cdw10);
  // An entry size that was never set makes the size of the queue invalid as well.
  if (qsize == 0 || qsize > parts_.registers.cap().mqes() || parts_.registers.cc().iocqes() != 4) {
    return kBadSize;
  }
  const bool interrupts = (sqe.cdw11 & spec::kCqIen) != 0;
  const uint16_t vector = spec::create_cq_iv(sqe.cdw11);
  if (interrupts && !parts_.interrupts.accepts(vector)) {
    return fail_specific(spec::sc::kInvalidInterruptVector);
  }
  const uint32_t entries = qsize + 1U;
  QueueMemory memory{.pages = {}, .access = DmaAccess::kWrite};
  const uint16_t status = parts_.queues.locate(sqe.prp1, (sqe.cdw11 & spec::kQueuePc) != 0,
                                               entries * sizeof(spec::Cqe), memory);
  if (status != kSuccess) return status;
  CompletionQueue& cq = parts_.queues.cq(qid);
  const std::lock_guard guard(cq.lock);
  parts_.queues.open_cq(cq, entries, interrupts, vector, std::move(memory));
  return kSuccess;
}

Outcome Admin::create_io_sq(const spec::Sqe& sqe) {
  const uint16_t qid = spec::queue_id(sqe.cdw10);
  if (qid == 0 || qid > allocated_sqs() || parts_.queues.sq(qid).live) return kBadQueue;
  const uint16_t qsize = spec::queue_size(sqe.cdw10);
  if (qsize == 0 || qsize > parts_.registers.cap().mqes() || parts_.registers.cc().iosqes() != 6) {
    return kBadSize;
  }
  const uint16_t cqid = spec::create_sq_cqid(sqe.cdw11);
  if (cqid == 0 || cqid > allocated_cqs()) return kBadQueue;
  if (!parts_.queues.cq(cqid).live) return fail_specific(spec::sc::kCompletionQueueInvalid);
  const uint32_t entries = qsize + 1U;
  QueueMemory memory;
  const uint16_t status = parts_.queues.locate(sqe.prp1, (sqe.cdw11 & spec::kQueuePc) != 0,
                                               entries * sizeof(spec::Sqe), memory);
  if (status != kSuccess) return status;
  SubmissionQueue& sq = parts_.queues.sq(qid);
  const std::lock_guard guard(sq.lock);
  parts_.queues.open_sq(sq, entries, cqid, spec::create_sq_qprio(sqe.cdw11), std::move(memory));
  return kSuccess;
}

Outcome Admin::delete_io_cq(const spec::Sqe& sqe) {
  const uint16_t qid = spec::queue_id(sqe.cdw10);
  if (qid == 0 || qid >= parts_.queues.count() || !parts_.queues.cq(qid).live) return kBadQueue;
  for (uint32_t id = 1; id < parts_.queues.count(); ++id) {
    const SubmissionQueue& sq = parts_.queues.sq(id);
    if (sq.live && sq.cqid == qid) return fail_specific(spec::sc::kInvalidQueueDeletion);
  }
  CompletionQueue& cq = parts_.queues.cq(qid);
  const std::lock_guard guard(cq.lock);
  parts_.queues.close_cq(cq);
  return kSuccess;
}

Outcome Admin::delete_io_sq(const spec::Sqe& sqe, uint64_t now_ns) {
  const uint16_t qid = spec::queue_id(sqe.cdw10);
  if (qid == 0 || qid >= parts_.queues.count() || !parts_.queues.sq(qid).live) return kBadQueue;
  SubmissionQueue& sq = parts_.queues.sq(qid);
  const std::lock_guard guard(sq.lock);
  // What was fetched is aborted, and said so before this command completes; what was not fetched is
  // gone with the queue.
  for (const Outstanding::Command& command : parts_.outstanding.take_queue(qid)) {
    spec::Cqe cqe{};
    cqe.sqhd = static_cast<uint16_t>(sq.head);
    cqe.sqid = qid;
    cqe.cid = command.sqe.cid;
    cqe.status = fail_once(spec::sc::kAbortedSqDeletion);
    parts_.queues.post(parts_.queues.cq(sq.cqid), {&cqe, 1}, now_ns);
  }
  // Those that a fault holds back are over but for that.
  for (const HeldCompletion& held : parts_.held.take_queue(qid)) {
    if (held.reserved) parts_.queues.post(parts_.queues.cq(sq.cqid), {&held.cqe, 1}, now_ns);
  }
  parts_.queues.close_sq(sq);
  return kSuccess;
}

}  // namespace pynvme::ssd
