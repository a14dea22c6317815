// Data integrity of one namespace, shared by all its queues and workers: what each LBA holds
// (LbaTable), and which LBAs a command is under way for (RangeLocks). A command is announced with
// begin_*(), which says no when another one is under way for an LBA of it, and ended with end_*().
// Nothing here waits, sends or reports: what a mismatch leads to is up to the caller. Which
// commands do what to LBAs is in effect.h, the convenient way for single commands in
// tracked_command.h.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "verify/alternatives.h"
#include "verify/capture.h"
#include "verify/lba_table.h"
#include "verify/power_loss.h"
#include "verify/range_locks.h"
#include "verify/script_data.h"
#include "verify/write_log.h"
#include "verify/writer.h"

namespace pynvme::verify {

// What a checked read found. kNone: all its LBAs hold what they should, as far as that is known.
struct Mismatch {
  enum class Kind : uint8_t {
    kNone,
    kCrc,       // the data differ from what was written last
    kStamp,     // the data are what was written, but not stamped with the LBA's address
    kNotZero,   // the LBA was zeroed, the data are not all zero
    kNeither,   // several contents would be right after a reset or loss of power, this is none
    kRefused,   // Compare of the data that were written last found a difference
    kAccepted,  // Compare of other data found none
    kTorn,      // a write that the loss of power must leave whole or undone is there in part
  };

  Kind kind = Kind::kNone;
  uint64_t lba = 0;
  uint32_t expected_crc = 0;
  uint32_t actual_crc = 0;
  uint64_t stamped_lba = 0;                // the first 8 bytes of the data
  uint64_t witness = 0;                    // kTorn: the LBA that shows the other version
  std::shared_ptr<const Capture> capture;  // null: no memory for it

  explicit operator bool() const { return kind != Kind::kNone; }
  // "LBA 0x10: ...": what is wrong with which LBA.
  std::string text() const;
};

// A command under way. Kept by the sender from begin to end; reusable.
struct Ticket {
  enum class Held : uint8_t {
    kNothing,
    kShared,
    kExclusive,
    kUnlocked,  // under way in spite of a conflict
  };

  uint64_t slba = 0;
  uint64_t nlb = 0;
  uint64_t logged = 0;  // sequence in the sender's WriteLog; 0: not there
  RangeLocks::Range range;
  Held held = Held::kNothing;
};

// How a change comes to be in the log of its sender.
struct Sent {
  WriteLog* log = nullptr;
  uint64_t token = 0;  // of its first LBA
  uint64_t time_ns = 0;
  uint16_t cid = 0;
  bool stamped = false;
};

class Integrity {
 public:
  // The first `tracked_lbas` LBAs are tracked, 0: all.
  Integrity(uint64_t lba_count, uint32_t lba_bytes, uint64_t tracked_lbas = 0);

  uint32_t lba_bytes() const { return lba_bytes_.load(std::memory_order_relaxed); }
  uint64_t tracked_lbas() const { return tracked_.load(std::memory_order_relaxed); }

  // Whether reads are checked. Writes are followed in any case.
  bool checking() const { return checking_.load(std::memory_order_relaxed); }
  void set_checking(bool on) { checking_.store(on, std::memory_order_relaxed); }

  // Fetches what the end of a read will look at.
  void prefetch(uint64_t slba) const noexcept {
    if (slba < tracked_lbas()) table_.prefetch(slba);
  }

  // Fetches what the begin of a command will look at.
  void prefetch_locks(uint64_t slba) const noexcept { locks_.prefetch(slba); }

  // Reads hold their LBAs together with other reads, all else alone. False: a conflict, nothing is
  // held. nlb is at least 1.
  bool begin_read(Ticket& ticket, uint64_t slba, uint64_t nlb, Attempt attempt) noexcept {
    ticket = {slba, nlb, 0, RangeLocks::range_of(slba, nlb), Ticket::Held::kNothing};
    if (!locks_.try_lock_shared(ticket.range, attempt)) return false;
    ticket.held = Ticket::Held::kShared;
    return true;
  }
  bool begin_change(Ticket& ticket, uint64_t slba, uint64_t nlb, Attempt attempt) noexcept {
    ticket = {slba, nlb, 0, RangeLocks::range_of(slba, nlb), Ticket::Held::kNothing};
    if (!locks_.try_lock_exclusive(ticket.range, attempt)) return false;
    ticket.held = Ticket::Held::kExclusive;
    return true;
  }
  // Goes on without the lock after a refusal: the LBAs are in doubt from now on, and the conflict
  // counts.
  void begin_change_anyway(Ticket& ticket, uint64_t slba, uint64_t nlb) noexcept;
  // A change of LBAs nobody knows: no read is checked until end_change().
  void begin_unfollowed(Ticket& ticket) noexcept;
  // A command that changes nothing goes on, unchecked, after a refusal.
  void count_conflict() noexcept { conflicts_.fetch_add(1, std::memory_order_relaxed); }

  // The data of a write, final and stamped; called after begin_change*() and before it is sent.
  // What lies beyond `bytes` is in doubt.
  void record_data(Ticket& ticket, const uint8_t* data, uint64_t bytes,
                   const Sent& sent = {}) noexcept;
  // The same for a change to one state.
  void record_state(Ticket& ticket, LoggedKind kind, const Sent& sent) noexcept;

  // `ok`: the command succeeded. Only reads that were begun are checked, and only while checking is
  // on. False: *mismatch says what is wrong; it is not touched otherwise (returning it by value
  // would cost as much as checking an LBA).
  [[nodiscard]] bool end_read(Ticket& ticket, bool ok, const uint8_t* data, uint64_t bytes,
                              Mismatch* mismatch) noexcept;
  // The end of what was begun as a read but has no data to check.
  void end_observe(Ticket& ticket) noexcept {
    if (ticket.held == Ticket::Held::kShared) locks_.unlock_shared(ticket.range);
    ticket.held = Ticket::Held::kNothing;
  }
  // `log`: as in record_data(). durable: it had FUA.
  // Whether a Compare of these data has to succeed: while its LBAs are locked, before it is sent.
  struct Comparison {
    enum class Outcome : uint8_t { kUnknown, kSame, kDifferent } outcome = Outcome::kUnknown;
    uint64_t lba = 0;  // the first that differs
  };
  Comparison compare(const Ticket& ticket, const uint8_t* data, uint64_t bytes) const noexcept;
  // refused: the device found a difference. False: it should not have, or should have.
  [[nodiscard]] bool end_compare(Ticket& ticket, const Comparison& comparison, bool ok,
                                 bool refused, const uint8_t* data, uint64_t bytes,
                                 Mismatch* mismatch) noexcept;
  void end_write(Ticket& ticket, bool ok, WriteLog* log = nullptr, bool durable = false) noexcept;
  void end_change(Ticket& ticket, uint32_t state, bool ok, WriteLog* log = nullptr,
                  bool durable = false) noexcept;
  // A reset or a loss of power took away a write or a change to one state: it was carried out or
  // not, LBA by LBA, and will not be any more.
  void end_interrupted(Ticket& ticket, WriteLog* log) noexcept;

  // A Flush: what completed before begin_flush() is durable when it succeeded. NVM Command Set 1.0
  // §3.2.1.
  uint32_t begin_flush() noexcept { return flushes_.fetch_add(1) + 1; }
  void end_flush(uint32_t flush, bool ok) noexcept;
  // Everything that completed is durable: a normal shutdown is complete.
  void flushed_all() noexcept { end_flush(begin_flush(), true); }
  // While that is true, changes are durable when they complete: no volatile write cache, or it is
  // off. Before the first command.
  void set_write_through(std::shared_ptr<const std::atomic<bool>> on) {
    write_through_ = std::move(on);
  }
  void set_atomicity(Atomicity atomicity);
  // Power was lost, suddenly unless flushed_all() came before: of each LBA that was changed and not
  // made durable, every version since is right from now on.
  void power_lost();
  // What was written before the last loss of power has a smaller token; 0: there was none.
  uint64_t power_loss_token() const { return power_loss_token_.load(); }

  // One LbaTable state or CRC; kUnknown for an LBA that is not tracked.
  uint32_t state(uint64_t lba) const noexcept {
    return lba < tracked_lbas() ? table_.get(lba) : LbaTable::kUnknown;
  }
  bool any_uncorrectable(uint64_t slba, uint64_t nlb) const noexcept;

  // Everything is in doubt: after Format NVM, Sanitize.
  void invalidate_all() noexcept;
  // As invalidate_all(), with the geometry of a new format.
  void reformat(uint64_t lba_count, uint32_t lba_bytes) noexcept;

  // Commands that went on although another one was under way for the same LBA.
  uint64_t conflicts() const { return conflicts_.load(std::memory_order_relaxed); }

  // For commands of several ranges, which lock by themselves.
  RangeLocks& locks() { return locks_; }
  void set_state(uint64_t slba, uint64_t nlb, uint32_t state) noexcept;

  // For miscompare forensics. A log of its own for a sender in a thread of its own, until it gives
  // it back; the script's commands share one. The pattern of a writer is as long as it is
  // remembered.
  static constexpr size_t kWriters = 256;
  std::shared_ptr<WriteLog> take_log(Writer writer);
  void give_log(const std::shared_ptr<WriteLog>& log);
  std::vector<std::shared_ptr<WriteLog>> logs() const;
  // By LoggedChange::writer; newest first. Those of scripts have number 0 and are not in it.
  std::vector<std::shared_ptr<const Writer>> writers() const;
  ScriptData& script_data() { return script_data_; }
  std::vector<uint32_t> alternatives(uint64_t lba) const;

 private:
  // The part of a range that is tracked: [slba, slba + result).
  uint64_t tracked_part(uint64_t slba, uint64_t nlb) const noexcept {
    const uint64_t limit = tracked_lbas();
    if (slba >= limit) return 0;
    return nlb < limit - slba ? nlb : limit - slba;
  }
  bool check(const Ticket& ticket, const uint8_t* data, uint64_t bytes,
             Mismatch* mismatch) noexcept;
  // One LBA of which more than one content is right, or that may be older than the table.
  bool check_ambiguous(uint64_t lba, const uint8_t* data, Mismatch* mismatch) noexcept;
  bool may_be_older(uint64_t lba, const uint8_t* data) noexcept;
  void capture(const Ticket& ticket, const uint8_t* data, uint64_t bytes,
               Mismatch* mismatch) const noexcept;
  void end_logged(const Ticket& ticket, WriteLog* log, bool ok, bool durable) noexcept;
  void end_exclusive(Ticket& ticket) noexcept;

  LbaTable table_;
  RangeLocks locks_;
  uint64_t tracked_limit_;  // as asked for: 0 for all
  std::atomic<uint64_t> tracked_;
  std::atomic<uint32_t> lba_bytes_;
  std::atomic<bool> checking_{false};
  std::atomic<uint64_t> conflicts_{0};
  // Changes under way without a lock. Until they end nobody knows which of two writes comes last.
  std::atomic<uint32_t> unlocked_changes_{0};

  std::atomic<uint32_t> flushes_{0};
  std::atomic<uint32_t> durable_{0};  // the newest flush that succeeded
  std::shared_ptr<const std::atomic<bool>> write_through_ =
      std::make_shared<const std::atomic<bool>>(false);
  std::atomic<uint64_t> power_loss_token_{0};
  // Power was lost with changes that were not durable and are not in the logs any more.
  std::atomic<bool> logs_short_{false};

  mutable std::mutex mutex_;  // of what follows
  Alternatives alternatives_;
  Atomicity atomicity_;
  std::vector<std::shared_ptr<WriteLog>> logs_;
  std::vector<std::shared_ptr<WriteLog>> free_logs_;
  std::vector<std::shared_ptr<const Writer>> writers_;
  uint16_t last_writer_ = 0;
  ScriptData script_data_;
};

}  // namespace pynvme::verify
