// Data integrity of one namespace, shared by all its queues and workers: what each LBA holds
// (LbaTable), and which LBAs a command is under way for (RangeLocks). A command is announced with
// begin_*(), which says no when another one is under way for an LBA of it, and ended with end_*().
// Nothing here waits, sends or reports: what a mismatch leads to is up to the caller. Which
// commands do what to LBAs is in effect.h, the convenient way for single commands in
// tracked_command.h.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

#include "verify/lba_table.h"
#include "verify/range_locks.h"

namespace pynvme::verify {

// What a checked read found. kNone: all its LBAs hold what they should, as far as that is known.
struct Mismatch {
  enum class Kind : uint8_t {
    kNone,
    kCrc,      // the data differ from what was written last
    kStamp,    // the data are what was written, but not stamped with the LBA's address
    kNotZero,  // the LBA was zeroed, the data are not all zero
  };

  Kind kind = Kind::kNone;
  uint64_t lba = 0;
  uint32_t expected_crc = 0;
  uint32_t actual_crc = 0;
  uint64_t stamped_lba = 0;  // the first 8 bytes of the data

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
  RangeLocks::Range range;
  Held held = Held::kNothing;
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
    ticket = {slba, nlb, RangeLocks::range_of(slba, nlb), Ticket::Held::kNothing};
    if (!locks_.try_lock_shared(ticket.range, attempt)) return false;
    ticket.held = Ticket::Held::kShared;
    return true;
  }
  bool begin_change(Ticket& ticket, uint64_t slba, uint64_t nlb, Attempt attempt) noexcept {
    ticket = {slba, nlb, RangeLocks::range_of(slba, nlb), Ticket::Held::kNothing};
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
  void record_data(const Ticket& ticket, const uint8_t* data, uint64_t bytes) noexcept;

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
  void end_write(Ticket& ticket, bool ok) noexcept;
  void end_change(Ticket& ticket, uint32_t state, bool ok) noexcept;

  // One LbaTable state or CRC; kUnknown for an LBA that is not tracked.
  uint32_t state(uint64_t lba) const noexcept {
    return lba < tracked_lbas() ? table_.get(lba) : LbaTable::kUnknown;
  }
  bool any_uncorrectable(uint64_t slba, uint64_t nlb) const noexcept;

  // Everything is in doubt: after Format NVM, Sanitize, a loss of power with data in a volatile
  // cache.
  void invalidate_all() noexcept { table_.forget_all(); }
  // As invalidate_all(), with the geometry of a new format.
  void reformat(uint64_t lba_count, uint32_t lba_bytes) noexcept;

  // Commands that went on although another one was under way for the same LBA.
  uint64_t conflicts() const { return conflicts_.load(std::memory_order_relaxed); }

  // For commands of several ranges, which lock by themselves.
  RangeLocks& locks() { return locks_; }
  void set_state(uint64_t slba, uint64_t nlb, uint32_t state) noexcept;

 private:
  // The part of a range that is tracked: [slba, slba + result).
  uint64_t tracked_part(uint64_t slba, uint64_t nlb) const noexcept {
    const uint64_t limit = tracked_lbas();
    if (slba >= limit) return 0;
    return nlb < limit - slba ? nlb : limit - slba;
  }
  bool check(const Ticket& ticket, const uint8_t* data, uint64_t bytes,
             Mismatch* mismatch) const noexcept;
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
};

}  // namespace pynvme::verify
