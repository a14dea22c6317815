#include "ssd/media/undo_log.h"

namespace pynvme::ssd {

UndoLog::UndoLog(uint32_t limit, uint64_t units)
    : limit_(limit),
      records_(uint64_t{limit} + 2, Record{0, Entry(), 0, 0}),
      slot_of_unit_(units, "the undo log") {
  unused_.reserve(uint64_t{limit} + 1);
  for (uint32_t slot = limit + 1; slot > 0; --slot) unused_.push_back(slot);
}

std::optional<uint64_t> UndoLog::oldest_unit() {
  const std::lock_guard guard(lock_);
  const uint32_t slot = records_[0].newer;
  if (slot == 0) return std::nullopt;
  return records_[slot].unit;
}

bool UndoLog::push(uint64_t unit, Entry durable) {
  const std::lock_guard guard(lock_);
  if (unused_.empty()) return false;
  const uint32_t slot = unused_.back();
  unused_.pop_back();
  const uint32_t newest = records_[0].older;
  records_[slot] = {unit, durable, newest, 0};
  records_[newest].newer = slot;
  records_[0].older = slot;
  slot_of_unit_[unit] = slot;
  count_.store(count() + 1, std::memory_order_relaxed);
  return true;
}

void UndoLog::drop(uint64_t unit) {
  const std::lock_guard guard(lock_);
  const uint32_t slot = slot_of_unit_[unit];
  const Record& record = records_[slot];
  records_[record.older].newer = record.newer;
  records_[record.newer].older = record.older;
  unused_.push_back(slot);
  count_.store(count() - 1, std::memory_order_relaxed);
}

}  // namespace pynvme::ssd
