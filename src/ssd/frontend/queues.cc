// Opening, closing, locating and posting. Fetching is the engine's business.
#include "ssd/frontend/queues.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <mutex>
#include <utility>

namespace pynvme::ssd {

bool QueueMemory::resolve(const HostMemory& memory) {
  uint32_t hint = 0;
  bool all = true;
  for (Page& page : pages) {
    page.memory = memory.translate_kept(access, page.iova, page.bytes, hint);
    all = all && page.memory != nullptr;
  }
  return all;
}

Queues::Queues(uint16_t io_queues, HostMemory& memory, Interrupts& interrupts, Trace& trace,
               volatile uint32_t* doorbells, uint8_t doorbell_stride)
    : memory_(memory),
      interrupts_(interrupts),
      trace_(trace),
      doorbells_(doorbells),
      stride_(doorbell_stride),
      shadow_(2U * (io_queues + 1U), doorbell_stride),
      seen_(2U * (io_queues + 1U)) {
  for (uint32_t id = 0; id <= io_queues; ++id) {
    SubmissionQueue& sq = sqs_.emplace_back();
    sq.id = sq.data.sqid = static_cast<uint16_t>(id);
    cqs_.emplace_back().id = static_cast<uint16_t>(id);
  }
}

uint32_t Queues::doorbell(uint32_t index) const {
  return __atomic_load_n(&doorbells_[static_cast<size_t>(index) << stride_], __ATOMIC_RELAXED);
}

void Queues::set_doorbell(uint32_t index, uint32_t value) {
  __atomic_store_n(&seen_[index], value, __ATOMIC_RELAXED);
  __atomic_store_n(&doorbells_[static_cast<size_t>(index) << stride_], value, __ATOMIC_RELAXED);
}

uint32_t Queues::take_doorbell(uint32_t index) {
  const uint32_t value = doorbell(index);
  if (polled_) __atomic_store_n(&seen_[index], value, __ATOMIC_RELAXED);
  return value;
}

bool Queues::doorbell_moved(uint32_t index) const {
  return doorbell(index) != __atomic_load_n(&seen_[index], __ATOMIC_RELAXED);
}

void Queues::poll_doorbells(bool polled) {
  polled_ = polled;
  for (uint32_t index = 0; index < seen_.size(); ++index) {
    __atomic_store_n(&seen_[index], doorbell(index), __ATOMIC_RELAXED);
  }
}

void Queues::open_sq(SubmissionQueue& sq, uint32_t entries, uint16_t cqid, uint8_t priority,
                     QueueMemory memory) {
  sq.live = true;
  sq.priority = priority;
  sq.cqid = cqid;
  sq.size = entries;
  sq.head = sq.tail = sq.inside = 0;
  ++sq.generation;
  sq.head_for_completions = 0;
  sq.memory = std::move(memory);
  sq.aborted.clear();
  sq.cids.clear();
  set_doorbell(2U * sq.id, 0);
  in_use_ = std::max<uint32_t>(in_use_, sq.id + 1U);
  if (shadow_.on()) shadow_.restart(2U * sq.id);
}

void Queues::open_cq(CompletionQueue& cq, uint32_t entries, bool interrupts, uint16_t vector,
                     QueueMemory memory) {
  cq.live = true;
  cq.interrupts = interrupts;
  cq.vector = vector;
  cq.size = entries;
  cq.head = cq.tail = cq.reserved = 0;
  cq.phase = true;
  cq.starved = false;
  cq.memory = std::move(memory);
  set_doorbell(2U * cq.id + 1, 0);
  in_use_ = std::max<uint32_t>(in_use_, cq.id + 1U);
  if (shadow_.on()) shadow_.restart(2U * cq.id + 1);
}

void Queues::close_sq(SubmissionQueue& sq) {
  sq.live = false;
  sq.head = sq.tail = sq.inside = 0;
  ++sq.generation;
  sq.memory.pages.clear();
  sq.aborted.clear();
  sq.cids.clear();
}

void Queues::close_cq(CompletionQueue& cq) {
  cq.live = false;
  cq.head = cq.tail = cq.reserved = 0;
  cq.memory.pages.clear();
  interrupts_.drained(cq.id);
}

void Queues::close_all() {
  for (SubmissionQueue& sq : sqs_) close_sq(sq);
  for (CompletionQueue& cq : cqs_) close_cq(cq);
  for (uint32_t index = 0; index < 2U * count(); ++index) set_doorbell(index, 0);
  shadow_.close();
  in_use_ = 1;
  fatal_ = false;
}

uint16_t Queues::locate(uint64_t prp1, bool contiguous, uint64_t bytes, QueueMemory& memory) {
  memory.pages.clear();
  // Both a contiguous queue and the list of a scattered one begin at a page (NVMe Base 2.0 §5.4,
  // §5.5).
  if (prp1 % kHostPageBytes != 0) return fail(spec::sc::kPrpOffsetInvalid);
  uint32_t hint = 0;
  uint64_t list = prp1;
  for (uint64_t at = 0; at < bytes; at += kHostPageBytes) {
    QueueMemory::Page page{prp1 + at, static_cast<uint32_t>(std::min<uint64_t>(bytes - at, 4096)),
                           nullptr};
    if (!contiguous) {
      const bool last_of_page = list % kHostPageBytes == kHostPageBytes - 8;
      const uint8_t* entry = memory_.translate(DmaAccess::kRead, list, 8, hint);
      if (entry == nullptr) return fail_once(spec::sc::kDataTransferError);
      std::memcpy(&page.iova, entry, 8);
      if (page.iova % kHostPageBytes != 0) return fail(spec::sc::kPrpOffsetInvalid);
      if (last_of_page && bytes - at > kHostPageBytes) {
        list = page.iova;
        entry = memory_.translate(DmaAccess::kRead, list, 8, hint);
        if (entry == nullptr) return fail_once(spec::sc::kDataTransferError);
        std::memcpy(&page.iova, entry, 8);
        if (page.iova % kHostPageBytes != 0) return fail(spec::sc::kPrpOffsetInvalid);
      }
      list += 8;
    }
    memory.pages.push_back(page);
  }
  return memory.resolve(memory_) ? kSuccess : fail_once(spec::sc::kDataTransferError);
}

uint32_t Queues::reserve(CompletionQueue& cq, uint32_t wanted) {
  const std::lock_guard guard(cq.lock);
  const uint32_t granted = std::min(wanted, cq.room());
  cq.reserved += granted;
  if (granted < wanted) cq.starved = true;
  return granted;
}

void Queues::unreserve(CompletionQueue& cq, uint32_t count) {
  const std::lock_guard guard(cq.lock);
  cq.reserved -= count;
}

void Queues::write(CompletionQueue& cq, const spec::Cqe& entry, bool phase) {
  uint8_t* const to = cq.entry(cq.tail);
  if (to == nullptr) {
    fatal_ = true;
    return;
  }
  spec::Cqe cqe = entry;
  cqe.status = spec::with_phase(cqe.status, phase);
  trace_.posted(cq.id, cq.tail, cqe);
  const auto halves = std::bit_cast<std::array<uint64_t, 2>>(cqe);
  std::memcpy(to, &halves[0], 8);
  // The half with the phase bit last: a host on another core must not see it before the rest.
  std::atomic_ref<uint64_t>(*reinterpret_cast<uint64_t*>(to + 8))
      .store(halves[1], std::memory_order_release);
  if (++cq.tail == cq.size) {
    cq.tail = 0;
    cq.phase = !cq.phase;
  }
}

void Queues::post(CompletionQueue& cq, std::span<const spec::Cqe> entries, uint64_t now_ns) {
  if (entries.empty()) return;
  const std::lock_guard guard(cq.lock);
  cq.reserved -= static_cast<uint32_t>(entries.size());
  for (const spec::Cqe& entry : entries) write(cq, entry, cq.phase);
  if (cq.interrupts) {
    interrupts_.raise(cq.id, cq.vector, static_cast<uint32_t>(entries.size()), now_ns);
  }
}

void Queues::post_as(CompletionQueue& cq, const spec::Cqe& entry, Posting posting,
                     uint64_t now_ns) {
  const std::lock_guard guard(cq.lock);
  --cq.reserved;
  spec::Cqe cqe = entry;
  const uint8_t* const there = cq.entry(cq.tail);
  if (posting == Posting::kStaleEntry && there != nullptr) std::memcpy(&cqe, there, sizeof cqe);
  write(cq, cqe, posting == Posting::kOldPhase ? !cq.phase : cq.phase);
  if (cq.interrupts) interrupts_.raise(cq.id, cq.vector, 1, now_ns);
}

bool Queues::post_if_room(CompletionQueue& cq, const spec::Cqe& entry, uint64_t now_ns) {
  const std::lock_guard guard(cq.lock);
  if (!cq.live || cq.room() == 0) return false;
  write(cq, entry, cq.phase);
  if (cq.interrupts) interrupts_.raise(cq.id, cq.vector, 1, now_ns);
  return true;
}

void Queues::resolve_all() {
  for (SubmissionQueue& sq : sqs_) {
    sq.memory.resolve(memory_);
    sq.data.hint = 0;
  }
  for (CompletionQueue& cq : cqs_) cq.memory.resolve(memory_);
  if (shadow_.on()) shadow_.resolve(memory_);
}

Queues::AllLocked::AllLocked(Queues& queues) : queues_(queues) {
  queues_.pump_lock_.lock();
  for (SubmissionQueue& sq : queues_.sqs_) sq.lock.lock();
  for (CompletionQueue& cq : queues_.cqs_) cq.lock.lock();
}

Queues::AllLocked::~AllLocked() {
  for (CompletionQueue& cq : queues_.cqs_) cq.lock.unlock();
  for (SubmissionQueue& sq : queues_.sqs_) sq.lock.unlock();
  queues_.pump_lock_.unlock();
}

Queues::IoLocked::IoLocked(Queues& queues) : queues_(queues) {
  for (uint32_t id = 1; id < queues_.count(); ++id) queues_.sq(id).lock.lock();
}

Queues::IoLocked::~IoLocked() {
  for (uint32_t id = 1; id < queues_.count(); ++id) queues_.sq(id).lock.unlock();
}

}  // namespace pynvme::ssd
