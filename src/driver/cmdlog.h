// The command log of one queue: the last 4096 commands as raw SQE, completion and times, always on.
// The queue's owner writes without a lock; any thread reads, and skips a record that is being
// overwritten. Text is made in cmdlog_text.h, only when someone looks.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <vector>

#include "driver/sqe_words.h"
#include "spec/command.h"

namespace pynvme::driver {

enum class CommandState : uint8_t { kOutstanding, kCompleted, kTimedOut };

// One command as read from the log; times are those of the queue's clock.
struct LoggedCommand {
  uint16_t sqid;
  CommandState state;
  uint64_t sequence;     // counts the queue's commands from 1
  uint64_t submit_ns;    // at the doorbell; 0: not rung yet
  uint64_t complete_ns;  // when it was reaped; 0 while outstanding
  spec::Sqe sqe;
  spec::Cqe cqe;  // all ones when it timed out
};

class CmdLog {
 public:
  static constexpr uint32_t kRecords = 4096;

  explicit CmdLog(uint16_t sqid);
  uint16_t sqid() const { return sqid_; }

  // The three steps of a command, called by the queue's owner. A record that was overwritten while
  // its command was outstanding is left alone.
  uint64_t append(const spec::Sqe& sqe) noexcept { return append(to_words(sqe, sqe.cid)); }
  uint64_t append(const SqeWords& words) noexcept {
    const uint64_t sequence = next_++;
    Record& record = records_[sequence % kRecords];
    // Every store is a release (a plain store on x86): a reader that meets a new word also sees
    // that the sequence changed. Fences would do, but ThreadSanitizer does not understand them.
    record.sequence.store(0, std::memory_order_release);
    for_each_word(words, [&record](size_t i, uint64_t word) {
      record.sqe[i].store(word, std::memory_order_release);
    });
    record.submit_ns.store(0, std::memory_order_release);
    record.complete_ns.store(0, std::memory_order_release);
    record.sequence.store(sequence, std::memory_order_release);
    return sequence;
  }
  void submitted(uint64_t sequence, uint64_t now_ns) noexcept {
    Record& record = records_[sequence % kRecords];
    record.submit_ns.store(now_ns, std::memory_order_release);
  }
  void completed(uint64_t sequence, const spec::Cqe& cqe, uint64_t now_ns) noexcept {
    Record& record = records_[sequence % kRecords];
    if (record.sequence.load(std::memory_order_relaxed) != sequence) return;
    // Put together in registers, for the reason that sqe_words.h gives.
    record.cqe[0].store(cqe.cdw0 | uint64_t{cqe.cdw1} << 32, std::memory_order_release);
    record.cqe[1].store(
        cqe.sqhd | uint64_t{cqe.sqid} << 16 | uint64_t{cqe.cid} << 32 | uint64_t{cqe.status} << 48,
        std::memory_order_release);
    record.complete_ns.store(now_ns, std::memory_order_release);
  }

  // The newest `count` commands (0: all that are kept), oldest first. Any thread.
  std::vector<LoggedCommand> latest(size_t count = 0) const;

 private:
  static constexpr size_t kSqeWords = sizeof(spec::Sqe) / sizeof(uint64_t);

  struct alignas(64) Record {
    std::atomic<uint64_t> sqe[kSqeWords];
    std::atomic<uint64_t> sequence;  // 0: being written, or never
    std::atomic<uint64_t> submit_ns;
    std::atomic<uint64_t> complete_ns;
    std::atomic<uint64_t> cqe[2];
  };
  static_assert(sizeof(Record) == 128);

  bool read(uint64_t sequence, LoggedCommand* out) const;

  std::unique_ptr<Record[]> records_;
  // Written by the owner only; readers need no more than a recent value.
  struct Counter {
    std::atomic<uint64_t> value{1};
    uint64_t operator++(int) noexcept {
      const uint64_t now = value.load(std::memory_order_relaxed);
      value.store(now + 1, std::memory_order_release);
      return now;
    }
  } next_;
  uint16_t sqid_;
};

// The commands of several queues in the order of their submission: the newest `count` of each
// queue, or of all together (0: all that are kept).
std::vector<LoggedCommand> latest_of_each(const std::vector<std::shared_ptr<const CmdLog>>& logs,
                                          size_t count = 0);
std::vector<LoggedCommand> merged(const std::vector<std::shared_ptr<const CmdLog>>& logs,
                                  size_t count = 0);

}  // namespace pynvme::driver
