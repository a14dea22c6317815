// The writes of scripts to one namespace: their log, and copies of the newest data while reads are
// checked, since no pattern can make them again. Thread safe.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "base/spinlock.h"
#include "verify/write_log.h"

namespace pynvme::verify {

class ScriptData {
 public:
  // Copies that are kept; larger writes are not copied.
  static constexpr uint64_t kBytes = 8U << 20;
  static constexpr uint64_t kMaxWriteBytes = 128U << 10;

  // One thread at a time writes to the log and calls keep(): lock() first.
  base::SpinLock& lock() { return lock_; }
  const std::shared_ptr<WriteLog>& log() const { return log_; }

  void keep(uint64_t slba, uint32_t lba_bytes, const uint8_t* data, uint64_t bytes);
  // The versions of the LBA that are still there, newest first.
  std::vector<std::vector<uint8_t>> versions(uint64_t lba, uint32_t lba_bytes);
  void clear();

 private:
  struct Write {
    uint64_t slba;
    uint32_t lba_bytes;
    std::vector<uint8_t> data;
  };

  base::SpinLock lock_;
  const std::shared_ptr<WriteLog> log_ = std::make_shared<WriteLog>();
  std::deque<Write> writes_;  // oldest first
  uint64_t bytes_ = 0;
};

}  // namespace pynvme::verify
