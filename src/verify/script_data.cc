#include "verify/script_data.h"

#include <mutex>
#include <utility>

namespace pynvme::verify {

void ScriptData::keep(uint64_t slba, uint32_t lba_bytes, const uint8_t* data, uint64_t bytes) {
  if (bytes > kMaxWriteBytes) return;
  std::vector<uint8_t> copy;
  while (!writes_.empty() && bytes_ + bytes > kBytes) {
    copy = std::move(writes_.front().data);
    bytes_ -= copy.size();
    writes_.pop_front();
  }
  copy.assign(data, data + bytes);
  bytes_ += bytes;
  writes_.push_back({slba, lba_bytes, std::move(copy)});
}

std::vector<std::vector<uint8_t>> ScriptData::versions(uint64_t lba, uint32_t lba_bytes) {
  const std::lock_guard guard(lock_);
  std::vector<std::vector<uint8_t>> found;
  for (auto write = writes_.rbegin(); write != writes_.rend(); ++write) {
    if (write->lba_bytes != lba_bytes || lba < write->slba) continue;
    const uint64_t at = (lba - write->slba) * lba_bytes;
    if (at + lba_bytes > write->data.size()) continue;
    const uint8_t* const data = &write->data[at];
    found.emplace_back(data, data + lba_bytes);
  }
  return found;
}

void ScriptData::clear() {
  const std::lock_guard guard(lock_);
  writes_.clear();
  bytes_ = 0;
}

}  // namespace pynvme::verify
