// Abort (NVMe Base 2.0 §5.1): of a command that waits in its queue, of one that is not yet due, of
// an Asynchronous Event Request. The aborted command's completion is posted before Abort's own.
#include <cstring>
#include <mutex>

#include "spec/command_fields.h"
#include "spec/opcode.h"
#include "ssd/admin/admin.h"
#include "ssd/admin/events.h"
#include "ssd/faults/held.h"
#include "ssd/frontend/outstanding.h"
#include "ssd/frontend/queues.h"

namespace pynvme::ssd {

Outcome Admin::abort(const spec::Sqe& sqe, uint64_t now_ns) {
  // This one is not among those that wait.
  if (parts_.outstanding.admin_commands(spec::admin::kAbort) > parts_.config.acl) {
    return fail_specific(spec::sc::kAbortCommandLimitExceeded);
  }
  const uint16_t sqid = spec::abort_sqid(sqe.cdw10);
  const uint16_t cid = spec::abort_cid(sqe.cdw10);
  bool aborted = false;
  if (sqid < parts_.queues.count() && parts_.queues.sq(sqid).live) {
    Outstanding::Command command;
    if (parts_.outstanding.take(sqid, cid, &command)) {
      SubmissionQueue& sq = parts_.queues.sq(sqid);
      --sq.inside;
      if (command.owns_cid) sq.cids[cid] = false;
      post_aborted(sqid, cid, now_ns);
      aborted = true;
    } else if (parts_.held.take(sqid, cid)) {
      post_aborted(sqid, cid, now_ns);
      aborted = true;
    } else {
      aborted = abort_waiting(sqid, cid, now_ns);
    }
  }
  return Outcome::with_cdw0(aborted ? 0 : spec::kAbortNotAborted);
}

bool Admin::abort_waiting(uint16_t sqid, uint16_t cid, uint64_t now_ns) {
  SubmissionQueue& sq = parts_.queues.sq(sqid);
  CompletionQueue& cq = parts_.queues.cq(sq.cqid);
  if (parts_.queues.reserve(cq, 1) == 0) return false;
  if (sqid == 0 && parts_.events.take(cid)) {
    post_aborted(sqid, cid, now_ns);
    return true;
  }
  {
    std::unique_lock<base::SpinLock> lock;
    if (sqid != 0) lock = std::unique_lock(sq.lock);
    for (uint32_t at = sq.head; at != sq.tail; at = sq.after(at)) {
      const uint8_t* const entry = sq.entry(at);
      if (entry == nullptr) break;
      spec::Sqe waiting;
      std::memcpy(&waiting, entry, sizeof waiting);
      if (waiting.cid != cid || sq.is_aborted(at)) continue;
      sq.aborted.push_back(at);
      post_aborted(sqid, cid, now_ns);
      return true;
    }
  }
  parts_.queues.unreserve(cq, 1);
  return false;
}

void Admin::post_aborted(uint16_t sqid, uint16_t cid, uint64_t now_ns) {
  const SubmissionQueue& sq = parts_.queues.sq(sqid);
  spec::Cqe cqe{};
  cqe.sqhd = static_cast<uint16_t>(sq.head);
  cqe.sqid = sqid;
  cqe.cid = cid;
  cqe.status = fail_once(spec::sc::kAbortRequested);
  parts_.queues.post(parts_.queues.cq(sq.cqid), {&cqe, 1}, now_ns);
}

}  // namespace pynvme::ssd
