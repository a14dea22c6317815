// The ring behind the Error Information log.
#include "ssd/admin/error_log.h"

#include <mutex>

namespace pynvme::ssd {

void ErrorLog::add(const spec::ErrorLogEntry& entry) {
  const std::lock_guard guard(lock_);
  spec::ErrorLogEntry& slot = ring_[count_ % ring_.size()];
  slot = entry;
  slot.error_count = ++count_;
}

std::vector<spec::ErrorLogEntry> ErrorLog::newest_first() const {
  std::vector<spec::ErrorLogEntry> entries(ring_.size());
  const std::lock_guard guard(lock_);
  for (uint64_t i = 0; i < ring_.size() && i < count_ - first_; ++i) {
    entries[i] = ring_[(count_ - 1 - i) % ring_.size()];
  }
  return entries;
}

}  // namespace pynvme::ssd
