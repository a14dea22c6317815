// Keeps commands on one LBA apart: all queues of a namespace share a table of reader-writer locks,
// one byte for each LBA modulo the table's size, eight in a word that is changed as a whole. A
// range is locked as a whole or not at all, and nothing here waits: who is refused tries again
// after it has reaped its own completions.
//
// Fairness. A refused attempt marks what it was refused. A fresh attempt gives way to a mark; an
// attempt that was refused before (kRetry) does not, except that readers wait for a mark until
// nobody reads. Taking a lock clears its mark; whoever still waits sets it again, so the mark of
// one that gave up is gone with the next command there. That a busy worker lets others have their
// retry is up to the worker.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

namespace pynvme::verify {

enum class Attempt : uint8_t { kFresh, kRetry };

class RangeLocks {
 public:
  static constexpr uint32_t kLbasPerWord = 8;
  static constexpr uint32_t kWords = 32 * 1024;
  static constexpr uint32_t kLocks = kWords * kLbasPerWord;
  // One LBA may be read by so many commands at a time; the next one is refused.
  static constexpr uint32_t kMaxReaders = 63;

  // Neighbouring locks, the table taken as a ring.
  struct Range {
    uint32_t first = 0;
    uint32_t count = 0;  // 0: none
  };

  RangeLocks() : words_(new std::atomic<uint64_t>[kWords]()) {}

  // A range of more LBAs than the table has locks takes every lock once.
  static constexpr Range range_of(uint64_t slba, uint64_t nlb) noexcept {
    return {static_cast<uint32_t>(slba % kLocks),
            static_cast<uint32_t>(nlb < kLocks ? nlb : kLocks)};
  }

  void prefetch(uint64_t slba) const noexcept {
    __builtin_prefetch(&words_[slba % kLocks / kLbasPerWord], 1);
  }

  bool try_lock_exclusive(Range range, Attempt attempt) noexcept {
    const uint64_t refusing = attempt == Attempt::kFresh ? ~uint64_t{0} : kWriter | kReaders;
    for (uint32_t done = 0; done < range.count;) {
      const Part part = part_of(range, done);
      if (!take_exclusive(words_[part.word], part.lanes, refusing)) [[unlikely]] {
        unlock_exclusive({range.first, done});
        return false;
      }
      done += part.count;
    }
    return true;
  }

  bool try_lock_shared(Range range, Attempt attempt) noexcept {
    for (uint32_t done = 0; done < range.count;) {
      const Part part = part_of(range, done);
      if (!take_shared(words_[part.word], part.lanes, attempt)) [[unlikely]] {
        unlock_shared({range.first, done});
        return false;
      }
      done += part.count;
    }
    return true;
  }

  void unlock_exclusive(Range range) noexcept {
    for (uint32_t done = 0; done < range.count;) {
      const Part part = part_of(range, done);
      words_[part.word].fetch_and(~(part.lanes & kWriter), std::memory_order_release);
      done += part.count;
    }
  }

  void unlock_shared(Range range) noexcept {
    for (uint32_t done = 0; done < range.count;) {
      const Part part = part_of(range, done);
      words_[part.word].fetch_sub(part.lanes & kOne, std::memory_order_release);
      done += part.count;
    }
  }

 private:
  // Each byte (lane) of a word: writer, somebody waits, number of readers.
  static constexpr uint64_t kOne = 0x0101'0101'0101'0101;
  static constexpr uint64_t kWriter = kOne * 0x80;
  static constexpr uint64_t kWaits = kOne * 0x40;
  static constexpr uint64_t kReaders = kOne * kMaxReaders;

  // The locks of a range that lie in one word.
  struct Part {
    uint32_t word;
    uint32_t count;
    uint64_t lanes;
  };

  static constexpr Part part_of(Range range, uint32_t done) noexcept {
    const uint32_t at = (range.first + done) % kLocks;
    const uint32_t lane = at % kLbasPerWord;
    const uint32_t left = range.count - done;
    const uint32_t count = left < kLbasPerWord - lane ? left : kLbasPerWord - lane;
    // count is 1 to 8: callers ask for no part behind the range.
    // NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult)
    return {at / kLbasPerWord, count, ~uint64_t{0} >> (64 - 8 * count) << (8 * lane)};
  }

  static bool take_exclusive(std::atomic<uint64_t>& word, uint64_t lanes,
                             uint64_t refusing) noexcept {
    uint64_t value = 0;
    for (;;) {
      if ((value & lanes & refusing) != 0) return refuse(word, lanes);
      if (word.compare_exchange_weak(value, (value & ~lanes) | (lanes & kWriter),
                                     std::memory_order_acquire, std::memory_order_relaxed)) {
        return true;
      }
    }
  }

  static bool take_shared(std::atomic<uint64_t>& word, uint64_t lanes, Attempt attempt) noexcept {
    uint64_t value = 0;
    for (;;) {
      const uint64_t mine = value & lanes;
      const uint64_t readers = mine & kReaders;
      // Lanes with a mark that counts: any on a fresh attempt, else those that are being read. A
      // sum carries into the bit of the mark where there is a reader at least.
      uint64_t stop = mine & kWaits;
      if (attempt == Attempt::kRetry) stop &= readers + kReaders;
      // The same carry tells where there is no room for one more reader.
      stop |= (readers + (lanes & kOne)) & kWaits;
      if (((mine & kWriter) | stop) != 0) return refuse(word, lanes);
      if (word.compare_exchange_weak(value, (value & ~(lanes & kWaits)) + (lanes & kOne),
                                     std::memory_order_acquire, std::memory_order_relaxed)) {
        return true;
      }
    }
  }

  static bool refuse(std::atomic<uint64_t>& word, uint64_t lanes) noexcept {
    word.fetch_or(lanes & kWaits, std::memory_order_relaxed);
    return false;
  }

  std::unique_ptr<std::atomic<uint64_t>[]> words_;
};

}  // namespace pynvme::verify
