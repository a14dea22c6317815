// What was written to which LBAs, in order, by one sender (an IOWorker, or the script): token, CID,
// and of every LBA what the LbaTable said before and says after. From it come the older versions of
// an LBA (stale data are one of them) and what LBAs may hold after a loss of power. A ring of fixed
// size in lazily touched memory; one thread at a time writes, any thread reads.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace pynvme::verify {

enum class LoggedKind : uint8_t { kWrite, kZero, kUncorrectable };

// One change as read from the log.
struct LoggedChange {
  // Not a number of completed flushes: the change is under way, was given up by the host, or
  // failed.
  static constexpr uint32_t kUnderWay = UINT32_MAX;
  static constexpr uint32_t kInterrupted = UINT32_MAX - 1;
  static constexpr uint32_t kFailed = UINT32_MAX - 2;
  static constexpr uint32_t kDurable = 0;  // FUA, or no volatile write cache

  uint64_t sequence = 0;  // counts the log's changes from 1
  uint64_t token = 0;     // of its first LBA; unstamped: the next one at that time
  uint64_t slba = 0;
  uint32_t nlb = 0;
  // How many flushes had been begun when it completed, and 1; or one of the constants.
  uint32_t epoch = kUnderWay;
  uint64_t time_ns = 0;  // about when it was sent
  uint16_t cid = 0;
  uint16_t writer = 0;  // of Integrity::writer()
  LoggedKind kind = LoggedKind::kWrite;
  bool stamped = false;
  // An LbaTable value for each LBA; empty when overwritten since.
  std::vector<uint32_t> before;
  std::vector<uint32_t> after;

  bool covers(uint64_t lba) const { return lba >= slba && lba - slba < nlb; }
};

class WriteLog {
 public:
  static constexpr uint64_t kChanges = 1U << 17;
  static constexpr uint64_t kValues = 1U << 19;

  // Throws std::bad_alloc.
  WriteLog();
  ~WriteLog();
  WriteLog(const WriteLog&) = delete;
  WriteLog& operator=(const WriteLog&) = delete;

  // Who writes from now on.
  void set_writer(uint16_t writer) { writer_ = writer; }
  uint16_t writer() const { return writer_; }

  // A change begins; values[i] of each of its LBAs is to be filled with value_of().
  struct Begun {
    uint64_t sequence;
    std::atomic<uint64_t>* values;
  };
  Begun begin(LoggedKind kind, bool stamped, uint64_t token, uint64_t slba, uint32_t nlb,
              uint16_t cid, uint64_t time_ns) noexcept {
    const uint64_t sequence = head_.load(std::memory_order_relaxed) + 1;
    uint64_t at = value_head_.load(std::memory_order_relaxed);
    // The values of one change lie one behind another.
    if (const uint64_t left = kValues - at % kValues; left < nlb) [[unlikely]]
      at += left;
    Record& record = records_[sequence % kChanges];
    record.token_cid.store(token << 16 | cid, std::memory_order_relaxed);
    record.slba_nlb.store(slba << 16 | (nlb - 1), std::memory_order_relaxed);
    record.values_at.store(at, std::memory_order_relaxed);
    record.state.store(uint64_t{LoggedChange::kUnderWay} << 32 | uint64_t{writer_} << 16 |
                           static_cast<uint64_t>(kind) << 8 | (stamped ? 1 : 0),
                       std::memory_order_relaxed);
    times_[sequence % kChanges].store(time_ns, std::memory_order_relaxed);
    value_head_.store(at + nlb, std::memory_order_release);
    head_.store(sequence, std::memory_order_release);
    return {sequence, values_ + at % kValues};
  }
  static constexpr uint64_t value_of(uint32_t before, uint32_t after) {
    return before | uint64_t{after} << 32;
  }
  void end(uint64_t sequence, uint32_t epoch) noexcept {
    auto& state = records_[sequence % kChanges].state;
    state.store((state.load(std::memory_order_relaxed) & UINT32_MAX) | uint64_t{epoch} << 32,
                std::memory_order_release);
  }

  uint64_t head() const { return head_.load(std::memory_order_acquire); }
  uint64_t oldest() const {
    const uint64_t newest = head();
    return newest < kChanges ? 1 : newest - kChanges + 2;
  }
  // False: overwritten, or being overwritten.
  bool read(uint64_t sequence, LoggedChange* out) const;
  // The changes of an LBA, newest first, at most `limit`.
  std::vector<LoggedChange> of_lba(uint64_t lba, size_t limit) const;
  // The change that wrote the token; false when it is not there any more.
  bool of_token(uint64_t token, LoggedChange* out) const;

  // Changes up to here are over with: what they left is known otherwise.
  uint64_t settled() const { return settled_; }
  void settle() { settled_ = head(); }

 private:
  struct alignas(32) Record {
    std::atomic<uint64_t> token_cid;
    std::atomic<uint64_t> slba_nlb;
    std::atomic<uint64_t> values_at;
    std::atomic<uint64_t> state;  // epoch, writer, kind, stamped
  };

  static constexpr size_t kBytes =
      (kChanges * sizeof(Record)) + ((kValues + kChanges) * sizeof(uint64_t));

  bool read_head(uint64_t sequence, LoggedChange* out, uint64_t* values_at) const;

  Record* records_;
  std::atomic<uint64_t>* values_;
  std::atomic<uint64_t>* times_;
  std::atomic<uint64_t> head_{0};
  std::atomic<uint64_t> value_head_{0};
  uint64_t settled_ = 0;
  uint16_t writer_ = 0;
};

}  // namespace pynvme::verify
