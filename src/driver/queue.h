// A submission queue and a completion queue: a ring in host memory, a doorbell, and the host's end
// of it. Where the memory lies and which SQ completes to which CQ is the caller's choice; slots,
// times and the pairing are QueuePair's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "driver/sqe_words.h"
#include "pcie/function.h"
#include "spec/command.h"

namespace pynvme::driver {

inline constexpr size_t kCacheLine = 64;
inline constexpr uint32_t kMinQueueEntries = 2;

// Ring memory as the host and as the device see it. The caller keeps it alive.
struct QueueMemory {
  void* data = nullptr;
  uint64_t iova = 0;
};

// All that a submission touches in the queue is one cache line.
class alignas(kCacheLine) SubmissionQueue {
 public:
  // Throws InvalidArgument on fewer than 2 entries or memory that is missing. Clears the ring.
  SubmissionQueue(uint16_t id, uint32_t entries, const QueueMemory& memory,
                  const pcie::Doorbells& doorbells);

  uint16_t id() const { return id_; }
  uint32_t entries() const { return entries_; }
  uint64_t iova() const { return iova_; }
  uint32_t tail() const { return tail_; }

  // Copies the entry to the tail and advances it; the device sees it at the next ring().
  void push(const spec::Sqe& sqe) noexcept { push(to_words(sqe, sqe.cid)); }
  void push(const SqeWords& words) noexcept {
    auto* entry = reinterpret_cast<unsigned char*>(ring_ + tail_);
    for_each_word(words, [entry](size_t i, uint64_t word) {
      std::memcpy(entry + i * sizeof(word), &word, sizeof(word));
    });
    tail_ = tail_ + 1 == entries_ ? 0 : tail_ + 1;
  }
  void ring() noexcept { ring(tail_); }
  // Any value at all: tests of the device's own checks.
  void ring(uint32_t value) noexcept {
    // Release: the entries are in memory before the device may look (a plain store on x86).
    __atomic_store_n(doorbell_, value, __ATOMIC_RELEASE);
    if (rung_ != nullptr) rung_(device_, doorbell_index_);
  }
  // Back to the state of a freshly created queue.
  void reset();

 private:
  spec::Sqe* ring_;
  volatile uint32_t* doorbell_;
  void (*rung_)(void*, uint32_t);
  void* device_;
  uint64_t iova_;
  uint32_t entries_;
  uint32_t tail_ = 0;
  uint32_t doorbell_index_;
  uint16_t id_;
};
static_assert(sizeof(SubmissionQueue) == kCacheLine);

class alignas(kCacheLine) CompletionQueue {
 public:
  CompletionQueue(uint16_t id, uint32_t entries, const QueueMemory& memory,
                  const pcie::Doorbells& doorbells);

  uint16_t id() const { return id_; }
  uint32_t entries() const { return entries_; }
  uint64_t iova() const { return iova_; }
  uint32_t head() const { return head_; }

  // Takes a copy of the entry at the head when there is a new one, and advances. The phase is read
  // once, with acquire, before the rest of the entry; nothing is read from the ring twice.
  bool pop(spec::Cqe* cqe) noexcept {
    const uint64_t* words = ring_ + static_cast<size_t>(head_) * kWords;
    const uint64_t high = __atomic_load_n(words + 1, __ATOMIC_ACQUIRE);
    if ((high >> kPhaseShift & 1) != phase_) return false;
    // Both halves in one load and one store each: narrower ones would make the other side's wait.
    const uint64_t low = *words;
    auto* entry = reinterpret_cast<unsigned char*>(cqe);
    std::memcpy(entry, &low, sizeof(low));
    std::memcpy(entry + sizeof(low), &high, sizeof(high));
    if (++head_ == entries_) {
      head_ = 0;
      phase_ ^= 1;
    }
    return true;
  }
  // Whether the entry at the head is new.
  bool ready() const noexcept {
    const uint64_t* words = ring_ + static_cast<size_t>(head_) * kWords;
    return (__atomic_load_n(words + 1, __ATOMIC_ACQUIRE) >> kPhaseShift & 1) == phase_;
  }
  // Whether the entry behind the one at the head is new and that one is not: no device posts so.
  bool overtaken() const noexcept;
  void ring() noexcept { ring(head_); }
  void ring(uint32_t value) noexcept {
    __atomic_store_n(doorbell_, value, __ATOMIC_RELEASE);
    if (rung_ != nullptr) rung_(device_, doorbell_index_);
  }
  // Lets a device that works in its caller's thread bring about what is due.
  void poll() const noexcept {
    if (poll_ != nullptr) poll_(device_);
  }
  bool polls() const noexcept { return poll_ != nullptr; }
  void reset();

 private:
  static constexpr size_t kWords = sizeof(spec::Cqe) / sizeof(uint64_t);
  static constexpr unsigned kPhaseShift = 48;  // of the entry's second half

  uint64_t* ring_;
  volatile uint32_t* doorbell_;
  void (*rung_)(void*, uint32_t);
  void (*poll_)(void*);
  void* device_;
  uint64_t iova_;
  uint32_t entries_;
  uint32_t head_ = 0;
  uint32_t phase_ : 1;
  uint32_t doorbell_index_ : 31;
  uint16_t id_;
};
static_assert(sizeof(CompletionQueue) == kCacheLine);

}  // namespace pynvme::driver
