// What a power loss takes away: for each unit that was changed and not flushed, its durable state.
// The oldest comes first; no more than the volatile cache has room for. Thread safe as to the order
// of the records; a record's state belongs to whoever has its unit locked.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <optional>
#include <vector>

#include "base/spinlock.h"
#include "ssd/media/media_entry.h"
#include "ssd/media/sparse_memory.h"

namespace pynvme::ssd {

class UndoLog {
 public:
  // There is room for one more than limit, so that a write can be recorded before the oldest is
  // retired.
  UndoLog(uint32_t limit, uint64_t units);

  uint32_t limit() const { return limit_; }
  uint32_t count() const { return count_.load(std::memory_order_relaxed); }
  std::optional<uint64_t> oldest_unit();

  // For a locked unit. push: false when there is no room; the others: the unit has a record.
  bool push(uint64_t unit, Entry durable);
  Entry& durable(uint64_t unit) { return records_[slot_of_unit_[unit]].durable; }
  void drop(uint64_t unit);

 private:
  struct Record {
    uint64_t unit;
    Entry durable;
    uint32_t older;
    uint32_t newer;
  };

  uint32_t limit_;
  base::SpinLock lock_;
  std::atomic<uint32_t> count_{0};
  // Record 0 is the ring's fixed point: its `newer` is the oldest record, its `older` the newest.
  std::vector<Record> records_;
  std::vector<uint32_t> unused_;
  SparseArray<uint32_t> slot_of_unit_;
};

}  // namespace pynvme::ssd
