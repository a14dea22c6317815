// The Error Information log (LID 01h): the latest errors, and how many there ever were.
#pragma once

#include <cstdint>
#include <vector>

#include "base/spinlock.h"
#include "spec/log.h"

namespace pynvme::ssd {

class ErrorLog {
 public:
  // `count`: errors of earlier times, whose entries are gone.
  ErrorLog(uint8_t elpe, uint64_t count) : ring_(elpe + 1U), first_(count), count_(count) {}

  // Fills in the error count; the oldest entry makes room.
  void add(const spec::ErrorLogEntry& entry);
  // Newest first; entries that were never used are all zeros.
  std::vector<spec::ErrorLogEntry> newest_first() const;

 private:
  mutable base::SpinLock lock_;
  std::vector<spec::ErrorLogEntry> ring_;
  uint64_t first_;
  uint64_t count_;  // kept over resets and power cycles (NVMe Base 2.0 §5.16.1.2)
};

}  // namespace pynvme::ssd
