#include "verify/write_log.h"

#include <sys/mman.h>

#include <new>

namespace pynvme::verify {

WriteLog::WriteLog() {
  // Zeroes from the system are the initial state, so that no page is touched before it is used.
  void* const memory = mmap(nullptr, kBytes, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  records_ = static_cast<Record*>(memory);
  values_ = reinterpret_cast<std::atomic<uint64_t>*>(records_ + kChanges);
  times_ = values_ + kValues;
}

WriteLog::~WriteLog() { munmap(records_, kBytes); }

bool WriteLog::read_head(uint64_t sequence, LoggedChange* out, uint64_t* values_at) const {
  if (sequence == 0 || sequence > head() || sequence < oldest()) return false;
  const Record& record = records_[sequence % kChanges];
  const uint64_t token_cid = record.token_cid.load(std::memory_order_relaxed);
  const uint64_t slba_nlb = record.slba_nlb.load(std::memory_order_relaxed);
  const uint64_t time_ns = times_[sequence % kChanges].load(std::memory_order_relaxed);
  *values_at = record.values_at.load(std::memory_order_relaxed);
  const uint64_t state = record.state.load(std::memory_order_acquire);
  if (sequence < oldest()) return false;
  out->sequence = sequence;
  out->token = token_cid >> 16;
  out->cid = static_cast<uint16_t>(token_cid);
  out->time_ns = time_ns;
  out->slba = slba_nlb >> 16;
  out->nlb = static_cast<uint32_t>(slba_nlb & 0xFFFF) + 1;
  out->epoch = static_cast<uint32_t>(state >> 32);
  out->writer = static_cast<uint16_t>(state >> 16);
  out->kind = static_cast<LoggedKind>(state >> 8 & 0xFF);
  out->stamped = (state & 1) != 0;
  out->before.clear();
  out->after.clear();
  return true;
}

bool WriteLog::read(uint64_t sequence, LoggedChange* out) const {
  uint64_t at = 0;
  if (!read_head(sequence, out, &at)) return false;
  out->before.reserve(out->nlb);
  out->after.reserve(out->nlb);
  for (uint32_t i = 0; i < out->nlb; ++i) {
    const uint64_t values = values_[(at + i) % kValues].load(std::memory_order_relaxed);
    out->before.push_back(static_cast<uint32_t>(values));
    out->after.push_back(static_cast<uint32_t>(values >> 32));
  }
  const uint64_t written = value_head_.load(std::memory_order_acquire);
  if (at + kValues <= written || at + out->nlb > written) {
    out->before.clear();
    out->after.clear();
  }
  return true;
}

std::vector<LoggedChange> WriteLog::of_lba(uint64_t lba, size_t limit) const {
  std::vector<LoggedChange> found;
  for (uint64_t sequence = head(); sequence != 0 && found.size() < limit; --sequence) {
    LoggedChange change;
    uint64_t at = 0;
    if (!read_head(sequence, &change, &at)) break;
    if (change.covers(lba) && read(sequence, &change)) found.push_back(std::move(change));
  }
  return found;
}

bool WriteLog::of_token(uint64_t token, LoggedChange* out) const {
  for (uint64_t sequence = head(); sequence != 0; --sequence) {
    uint64_t at = 0;
    if (!read_head(sequence, out, &at)) return false;
    if (out->stamped && token >= out->token && token - out->token < out->nlb) {
      return read(sequence, out);
    }
  }
  return false;
}

}  // namespace pynvme::verify
