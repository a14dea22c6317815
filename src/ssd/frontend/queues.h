// The submission and completion queues: where their entries lie in host memory, heads, tails and
// phases, posting, and the locks that all work on queues takes. One lock a queue: those who change
// what all of them rely on (reset, mappings, formats) hold every lock. Order: pump, submission
// queues ascending, completion queues ascending.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <deque>
#include <span>
#include <vector>

#include "base/spinlock.h"
#include "spec/command.h"
#include "ssd/frontend/host_memory.h"
#include "ssd/frontend/interrupts.h"
#include "ssd/frontend/prp.h"
#include "ssd/frontend/shadow_doorbells.h"
#include "ssd/frontend/trace.h"

namespace pynvme::ssd {

// Entries of one queue in host memory, page by page: contiguous or from a PRP list, all the same.
struct QueueMemory {
  struct Page {
    uint64_t iova;
    uint32_t bytes;
    uint8_t* memory;  // null when the host took the mapping away
  };
  std::vector<Page> pages;
  DmaAccess access = DmaAccess::kRead;  // kWrite: of a completion queue

  // Translates anew after mappings changed; false when a page is not reachable.
  bool resolve(const HostMemory& memory);
};

struct alignas(64) SubmissionQueue {
  base::SpinLock lock;
  bool live = false;
  uint8_t priority = 0;
  uint16_t id = 0;
  uint16_t cqid = 0;
  uint32_t size = 0;
  uint32_t head = 0;
  uint32_t tail = 0;    // what the doorbell said last
  uint32_t inside = 0;  // fetched and not yet completed (latency model)
  uint32_t generation = 0;
  // SQ head for completions of commands that are not part of a batch.
  std::atomic<uint16_t> head_for_completions{0};
  DataPointer data;
  QueueMemory memory;
  std::vector<uint32_t> aborted;  // entries that were aborted before they were fetched
  std::vector<bool> cids;         // of commands inside (latency model)

  // False when a command with that CID is inside already.
  bool claim_cid(uint16_t cid) {
    if (cids.empty()) cids.resize(UINT16_MAX + 1);
    if (cids[cid]) return false;
    cids[cid] = true;
    return true;
  }

  uint32_t waiting() const { return tail >= head ? tail - head : size - head + tail; }
  // Null when the host took the memory away.
  const uint8_t* entry(uint32_t index) const {
    const uint8_t* const page = memory.pages[index / 64].memory;
    return page == nullptr ? nullptr : page + (index % 64) * sizeof(spec::Sqe);
  }
  uint32_t after(uint32_t index) const { return index + 1 == size ? 0 : index + 1; }
  // Passes over entries at the head whose commands were aborted, and completed, before they were
  // fetched.
  void skip_aborted() {
    while (!aborted.empty() && head != tail && std::erase(aborted, head) != 0) head = after(head);
  }
  bool is_aborted(uint32_t index) const {
    return std::find(aborted.begin(), aborted.end(), index) != aborted.end();
  }
};

struct alignas(64) CompletionQueue {
  base::SpinLock lock;
  bool live = false;
  bool interrupts = false;
  bool phase = true;
  bool starved = false;  // a submission queue waits for room here
  uint16_t id = 0;
  uint16_t vector = 0;
  uint32_t size = 0;
  uint32_t head = 0;
  uint32_t tail = 0;
  uint32_t reserved = 0;  // room promised to commands that were fetched
  QueueMemory memory;

  uint32_t used() const { return tail >= head ? tail - head : size - head + tail; }
  uint32_t room() const { return size - 1 - used() - reserved; }
  uint8_t* entry(uint32_t index) const {
    uint8_t* const page = memory.pages[index / 256].memory;
    return page == nullptr ? nullptr : page + (index % 256) * sizeof(spec::Cqe);
  }
};

// How a completion is posted; all but the first for faults.
enum class Posting : uint8_t {
  kNormal,
  kOldPhase,    // the phase bit is that of the round before
  kStaleEntry,  // what was there in the round before, with the new phase bit
};

class Queues {
 public:
  Queues(uint16_t io_queues, HostMemory& memory, Interrupts& interrupts, Trace& trace,
         volatile uint32_t* doorbells, uint8_t doorbell_stride);

  uint16_t count() const { return static_cast<uint16_t>(sqs_.size()); }  // admin queue included
  SubmissionQueue& sq(uint32_t id) { return sqs_[id]; }
  CompletionQueue& cq(uint32_t id) { return cqs_[id]; }

  // Memory that a host's store changes at any time.
  uint32_t doorbell(uint32_t index) const;
  void set_doorbell(uint32_t index, uint32_t value);
  // Where nobody rings, because the host only stores: take_doorbell() remembers what it returns,
  // with the queue's lock held, and doorbell_moved() says whether that is still what lies there.
  uint32_t take_doorbell(uint32_t index);
  bool doorbell_moved(uint32_t index) const;
  // Begins or ends that; what was stored up to here counts as seen.
  void poll_doorbells(bool polled);
  bool polled() const { return polled_; }
  // Queues from this identifier on were not made since the controller was reset.
  uint32_t in_use() const { return in_use_.load(std::memory_order_relaxed); }

  ShadowDoorbells& shadow() { return shadow_; }
  Trace& trace() { return trace_; }

  // The queue's lock is held. `entries` is 1's based, the pages are resolved.
  void open_sq(SubmissionQueue& sq, uint32_t entries, uint16_t cqid, uint8_t priority,
               QueueMemory memory);
  void open_cq(CompletionQueue& cq, uint32_t entries, bool interrupts, uint16_t vector,
               QueueMemory memory);
  void close_sq(SubmissionQueue& sq);
  void close_cq(CompletionQueue& cq);
  void close_all();  // every lock is held

  // Pages of a queue at `prp1`: contiguous, or by a PRP list. kSuccess or a status.
  uint16_t locate(uint64_t prp1, bool contiguous, uint64_t bytes, QueueMemory& memory);

  // Promises room for up to `wanted` completions; leaves a note when it is less.
  uint32_t reserve(CompletionQueue& cq, uint32_t wanted);
  void unreserve(CompletionQueue& cq, uint32_t count);
  // Posts to room reserved before and decides about one interrupt for all of them.
  void post(CompletionQueue& cq, std::span<const spec::Cqe> entries, uint64_t now_ns);
  // The same for one of them, in any way.
  void post_as(CompletionQueue& cq, const spec::Cqe& entry, Posting posting, uint64_t now_ns);
  // Posts where room is left beyond what is promised; false when there is none.
  bool post_if_room(CompletionQueue& cq, const spec::Cqe& entry, uint64_t now_ns);

  // Queue memory turned out to be unreachable: nothing goes on until the controller is reset.
  bool fatal() const { return fatal_.load(std::memory_order_relaxed); }
  void set_fatal() { fatal_ = true; }

  // After a change of mappings; every lock is held.
  void resolve_all();

  // Every lock: the pump's, then all queues'.
  class AllLocked {
   public:
    explicit AllLocked(Queues& queues);
    ~AllLocked();
    AllLocked(const AllLocked&) = delete;
    AllLocked& operator=(const AllLocked&) = delete;

   private:
    Queues& queues_;
  };

  // All I/O submission queues', for an admin command (which holds its own): no I/O command is
  // worked on.
  class IoLocked {
   public:
    explicit IoLocked(Queues& queues);
    ~IoLocked();
    IoLocked(const IoLocked&) = delete;
    IoLocked& operator=(const IoLocked&) = delete;

   private:
    Queues& queues_;
  };

  base::SpinLock& pump_lock() { return pump_lock_; }

 private:
  void write(CompletionQueue& cq, const spec::Cqe& entry, bool phase);

  HostMemory& memory_;
  Interrupts& interrupts_;
  Trace& trace_;
  volatile uint32_t* doorbells_;
  uint8_t stride_;
  ShadowDoorbells shadow_;
  std::vector<uint32_t> seen_;  // by doorbell; any thread
  bool polled_ = false;
  std::atomic<uint32_t> in_use_{1};
  std::atomic<bool> fatal_{false};
  base::SpinLock pump_lock_;
  std::deque<SubmissionQueue> sqs_;  // a deque: the queues hold locks and never move
  std::deque<CompletionQueue> cqs_;
};

}  // namespace pynvme::ssd
