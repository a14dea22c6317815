#include "verify/integrity.h"

#include <algorithm>
#include <array>
#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <new>
#include <utility>

#include "base/crc.h"
#include "verify/stamp.h"

namespace pynvme::verify {
namespace {

// The smallest LBA of any format: what the table is reserved for, so that a format to smaller LBAs
// fits.
constexpr uint32_t kSmallestLbaBytes = 512;

// How many CRCs are made in one go; as many LBAs as 4 KiB have.
constexpr uint64_t kLbasAtOnce = 8;

uint64_t table_lbas(uint64_t lba_count, uint32_t lba_bytes, uint64_t tracked_lbas) {
  if (tracked_lbas != 0) return tracked_lbas;
  return lba_count * std::max(lba_bytes / kSmallestLbaBytes, 1U);
}

bool all_zero(const uint8_t* data, size_t size) noexcept {
  // Equal to itself shifted by one byte, and the first byte is zero.
  return data[0] == 0 && std::memcmp(data, data + 1, size - 1) == 0;
}

}  // namespace

std::string Mismatch::text() const {
  char line[192] = "";
  switch (kind) {
    case Kind::kNone:
      break;
    case Kind::kCrc:
      snprintf(line, sizeof(line),
               "LBA 0x%" PRIx64
               ": the data are not what was written last (CRC-32C 0x%08x, "
               "expected 0x%08x; first 8 bytes 0x%" PRIx64 ")",
               lba, actual_crc, expected_crc, stamped_lba);
      break;
    case Kind::kStamp:
      snprintf(line, sizeof(line),
               "LBA 0x%" PRIx64 ": the data are as written, but their first 8 bytes are 0x%" PRIx64
               " instead of the LBA's address",
               lba, stamped_lba);
      break;
    case Kind::kNeither:
      snprintf(line, sizeof(line),
               "LBA 0x%" PRIx64
               ": the data are none of those that it may hold after the reset or loss of power "
               "(CRC-32C 0x%08x; first 8 bytes 0x%" PRIx64 ")",
               lba, actual_crc, stamped_lba);
      break;
    case Kind::kRefused:
      snprintf(line, sizeof(line),
               "LBA 0x%" PRIx64
               ": Compare found a difference, but the data are those that were written last",
               lba);
      break;
    case Kind::kAccepted:
      snprintf(line, sizeof(line),
               "LBA 0x%" PRIx64
               ": Compare found no difference, but the data are not what was written last (CRC-32C "
               "0x%08x, expected 0x%08x)",
               lba, actual_crc, expected_crc);
      break;
    case Kind::kTorn:
      snprintf(line, sizeof(line),
               "LBA 0x%" PRIx64
               ": the loss of power left an atomic write in part: this LBA and LBA 0x%" PRIx64
               " show different versions",
               lba, witness);
      break;
    case Kind::kNotZero:
      snprintf(line, sizeof(line),
               "LBA 0x%" PRIx64
               ": was zeroed, but the data are not all zero (CRC-32C 0x%08x; first "
               "8 bytes 0x%" PRIx64 ")",
               lba, actual_crc, stamped_lba);
      break;
  }
  return line;
}

Integrity::Integrity(uint64_t lba_count, uint32_t lba_bytes, uint64_t tracked_lbas)
    : table_(table_lbas(lba_count, lba_bytes, tracked_lbas)),
      tracked_limit_(tracked_lbas),
      tracked_(0),
      lba_bytes_(lba_bytes) {
  reformat(lba_count, lba_bytes);
}

void Integrity::reformat(uint64_t lba_count, uint32_t lba_bytes) noexcept {
  uint64_t tracked = std::min(lba_count, table_.lba_count());
  if (tracked_limit_ != 0) tracked = std::min(tracked, tracked_limit_);
  tracked_.store(tracked, std::memory_order_relaxed);
  lba_bytes_.store(lba_bytes, std::memory_order_relaxed);
  invalidate_all();
}

void Integrity::invalidate_all() noexcept {
  table_.forget_all();
  const std::lock_guard guard(mutex_);
  for (const auto& log : logs_) log->settle();
  script_data_.log()->settle();
  logs_short_.store(false);
  alternatives_.clear();
  script_data_.clear();
}

void Integrity::begin_change_anyway(Ticket& ticket, uint64_t slba, uint64_t nlb) noexcept {
  ticket = {slba, nlb, 0, {}, Ticket::Held::kUnlocked};
  unlocked_changes_.fetch_add(1);
  count_conflict();
  set_state(ticket.slba, ticket.nlb, LbaTable::kUnknown);
}

void Integrity::begin_unfollowed(Ticket& ticket) noexcept {
  ticket = {0, 0, 0, {}, Ticket::Held::kUnlocked};
  unlocked_changes_.fetch_add(1);
}

void Integrity::set_state(uint64_t slba, uint64_t nlb, uint32_t state) noexcept {
  const uint64_t tracked = tracked_part(slba, nlb);
  if (tracked != 0) table_.fill(slba, tracked, state);
}

void Integrity::record_data(Ticket& ticket, const uint8_t* data, uint64_t bytes,
                            const Sent& sent) noexcept {
  if (ticket.held != Ticket::Held::kExclusive) return;
  const uint64_t nlb = tracked_part(ticket.slba, ticket.nlb);
  if (nlb == 0) return;
  const uint32_t size = lba_bytes();
  const uint64_t whole = std::min(nlb, bytes / size);
  std::atomic<uint64_t>* values = nullptr;
  if (sent.log != nullptr) [[likely]] {
    const WriteLog::Begun begun =
        sent.log->begin(LoggedKind::kWrite, sent.stamped, sent.token, ticket.slba,
                        static_cast<uint32_t>(nlb), sent.cid, sent.time_ns);
    ticket.logged = begun.sequence;
    values = begun.values;
  }
  table_.touch(ticket.slba, nlb);
  std::array<uint32_t, kLbasAtOnce> crcs;
  for (uint64_t done = 0; done < whole; done += kLbasAtOnce) {
    const uint64_t count = std::min(whole - done, kLbasAtOnce);
    base::crc32c_blocks(data + done * size, size, count, crcs.data());
    for (uint64_t i = 0; i < count; ++i) {
      const auto entry = table_.at(ticket.slba + done + i);
      const uint32_t before = entry.load(std::memory_order_relaxed);
      const uint32_t after = LbaTable::from_crc(crcs[i]);
      entry.store(after, std::memory_order_relaxed);
      if (values != nullptr) [[likely]]
        values[done + i].store(WriteLog::value_of(before, after), std::memory_order_relaxed);
    }
  }
  if (whole == nlb) [[likely]]
    return;
  for (uint64_t i = whole; i < nlb; ++i) {
    if (values != nullptr)
      values[i] = WriteLog::value_of(table_.get(ticket.slba + i), LbaTable::kUnknown);
  }
  table_.fill(ticket.slba + whole, nlb - whole, LbaTable::kUnknown);
}

void Integrity::record_state(Ticket& ticket, LoggedKind kind, const Sent& sent) noexcept {
  const uint64_t nlb = tracked_part(ticket.slba, ticket.nlb);
  if (ticket.held != Ticket::Held::kExclusive || nlb == 0) return;
  const WriteLog::Begun begun = sent.log->begin(kind, false, sent.token, ticket.slba,
                                                static_cast<uint32_t>(nlb), sent.cid, sent.time_ns);
  ticket.logged = begun.sequence;
  const uint32_t after = kind == LoggedKind::kZero ? LbaTable::kZeroed : LbaTable::kUncorrectable;
  for (uint64_t i = 0; i < nlb; ++i) {
    begun.values[i] = WriteLog::value_of(table_.get(ticket.slba + i), after);
  }
}

bool Integrity::check(const Ticket& ticket, const uint8_t* data, uint64_t bytes,
                      Mismatch* mismatch) noexcept {
  using Kind = Mismatch::Kind;
  const uint32_t size = lba_bytes();
  const uint64_t nlb = std::min(tracked_part(ticket.slba, ticket.nlb), bytes / size);
  const uint8_t* const begin = data;
  std::array<uint32_t, kLbasAtOnce> crcs;
  for (uint64_t i = 0; i < nlb; ++i, data += size) {
    const uint64_t at = i % kLbasAtOnce;
    if (at == 0) base::crc32c_blocks(data, size, std::min(nlb - i, kLbasAtOnce), crcs.data());
    const uint64_t lba = ticket.slba + i;
    const uint32_t expected = table_.get(lba);
    if (LbaTable::is_crc(expected)) [[likely]] {
      const bool same = LbaTable::from_crc(crcs[at]) == expected;
      if (same && stamped_lba(data) == lba) [[likely]]
        continue;
      if (!same && logs_short_.load(std::memory_order_relaxed) && may_be_older(lba, data)) continue;
      *mismatch = {
          same ? Kind::kStamp : Kind::kCrc, lba, expected, crcs[at], stamped_lba(data), 0, nullptr};
    } else if (expected == LbaTable::kZeroed) {
      if (all_zero(data, size)) continue;
      if (logs_short_.load(std::memory_order_relaxed) && may_be_older(lba, data)) continue;
      *mismatch = {Kind::kNotZero, lba, 0, crcs[at], stamped_lba(data), 0, nullptr};
    } else if (expected != LbaTable::kAmbiguous || check_ambiguous(lba, data, mismatch)) {
      continue;
    }
    capture(ticket, begin, bytes, mismatch);
    return false;
  }
  return true;
}

bool Integrity::check_ambiguous(uint64_t lba, const uint8_t* data, Mismatch* mismatch) noexcept {
  using Verdict = Alternatives::Verdict;
  const uint32_t size = lba_bytes();
  const uint32_t actual = base::crc32c(data, size);
  const std::lock_guard guard(mutex_);
  const auto settled = alternatives_.settle(lba, LbaTable::from_crc(actual), all_zero(data, size));
  Mismatch found{Mismatch::Kind::kNeither, lba,    0, actual, stamped_lba(data),
                 settled.witness,          nullptr};
  switch (settled.verdict) {
    case Verdict::kAccepted:
      table_.set(lba, settled.value);
      if (settled.value == LbaTable::kZeroed || found.stamped_lba == lba) return true;
      found.kind = Mismatch::Kind::kStamp;
      break;
    case Verdict::kNone:
      // Another reader settled it between; a change could not, it needs the lock that reads share.
      if (table_.get(lba) == LbaTable::from_crc(actual) ||
          (table_.get(lba) == LbaTable::kZeroed && all_zero(data, size))) {
        return true;
      }
      break;
    case Verdict::kTorn:
      found.kind = Mismatch::Kind::kTorn;
      break;
    case Verdict::kRefused:
      break;
  }
  *mismatch = found;
  return false;
}

// The logs were too short for all that was not flushed: an older version cannot be told from a lost
// one any more.
bool Integrity::may_be_older(uint64_t lba, const uint8_t* data) noexcept {
  const uint32_t size = lba_bytes();
  const bool zero = all_zero(data, size);
  const bool older =
      stamped_lba(data) == lba && stamped_token(data, size) < power_loss_token_.load();
  if (zero || older) {
    table_.set(lba, zero ? LbaTable::kZeroed : LbaTable::from_crc(base::crc32c(data, size)));
  }
  return zero || older;
}

void Integrity::capture(const Ticket& ticket, const uint8_t* data, uint64_t bytes,
                        Mismatch* mismatch) const noexcept {
  try {
    auto made = std::make_shared<Capture>();
    const uint32_t size = lba_bytes();
    const uint64_t nlb = std::min(ticket.nlb, bytes / size);
    const uint64_t most = std::max<uint64_t>(Capture::kMaxBytes / size, 1);
    const uint64_t at = mismatch->lba - ticket.slba;
    const uint64_t first = nlb <= most || at < most / 2 ? 0 : std::min(at - most / 2, nlb - most);
    const uint64_t count = std::min(nlb, most);
    made->lba = mismatch->lba;
    made->slba = ticket.slba + first;
    made->lba_bytes = size;
    made->command_slba = ticket.slba;
    made->command_nlb = ticket.nlb;
    made->data.assign(data + first * size, data + (first + count) * size);
    for (uint64_t i = 0; i < count; ++i) made->expected.push_back(state(made->slba + i));
    made->alternatives = alternatives(mismatch->lba);
    made->next_token = next_token();
    mismatch->capture = std::move(made);
  } catch (const std::bad_alloc&) {
    // The mismatch is reported without its evidence.
  }
}

bool Integrity::end_read(Ticket& ticket, bool ok, const uint8_t* data, uint64_t bytes,
                         Mismatch* mismatch) noexcept {
  if (ticket.held != Ticket::Held::kShared) return true;
  // Before the locks go: the table must not change under the check.
  const bool fine =
      !ok || !checking() || unlocked_changes_.load() != 0 || check(ticket, data, bytes, mismatch);
  end_observe(ticket);
  return fine;
}

Integrity::Comparison Integrity::compare(const Ticket& ticket, const uint8_t* data,
                                         uint64_t bytes) const noexcept {
  using Outcome = Comparison::Outcome;
  const uint32_t size = lba_bytes();
  if (ticket.held != Ticket::Held::kShared || !checking() || unlocked_changes_.load() != 0 ||
      tracked_part(ticket.slba, ticket.nlb) != ticket.nlb || bytes / size < ticket.nlb) {
    return {};
  }
  Comparison result{Outcome::kSame, ticket.slba};
  for (uint64_t lba = ticket.slba; lba < ticket.slba + ticket.nlb; ++lba, data += size) {
    const uint32_t expected = table_.get(lba);
    const bool zeroed = expected == LbaTable::kZeroed;
    if (!zeroed && !LbaTable::is_crc(expected)) {
      result.outcome = Outcome::kUnknown;
    } else if (zeroed ? !all_zero(data, size)
                      : LbaTable::from_crc(base::crc32c(data, size)) != expected) {
      return {Outcome::kDifferent, lba};
    }
  }
  return result;
}

bool Integrity::end_compare(Ticket& ticket, const Comparison& comparison, bool ok, bool refused,
                            const uint8_t* data, uint64_t bytes, Mismatch* mismatch) noexcept {
  using Outcome = Comparison::Outcome;
  const bool wrong = ticket.held == Ticket::Held::kShared && unlocked_changes_.load() == 0 &&
                     ((refused && comparison.outcome == Outcome::kSame) ||
                      (ok && comparison.outcome == Outcome::kDifferent));
  if (wrong) {
    const uint32_t size = lba_bytes();
    const uint8_t* const wrong_lba = data + (comparison.lba - ticket.slba) * size;
    *mismatch = {refused ? Mismatch::Kind::kRefused : Mismatch::Kind::kAccepted,
                 comparison.lba,
                 state(comparison.lba),
                 base::crc32c(wrong_lba, size),
                 stamped_lba(wrong_lba),
                 0,
                 nullptr};
    capture(ticket, data, bytes, mismatch);
  }
  end_observe(ticket);
  return !wrong;
}

void Integrity::end_exclusive(Ticket& ticket) noexcept {
  if (ticket.held == Ticket::Held::kExclusive) [[likely]] {
    locks_.unlock_exclusive(ticket.range);
  } else if (ticket.held == Ticket::Held::kUnlocked) {
    // A write that did hold the lock may have been recorded meanwhile, and either may be the last.
    set_state(ticket.slba, ticket.nlb, LbaTable::kUnknown);
    unlocked_changes_.fetch_sub(1);
  }
  ticket.held = Ticket::Held::kNothing;
}

void Integrity::end_logged(const Ticket& ticket, WriteLog* log, bool ok, bool durable) noexcept {
  if (ticket.logged == 0 || log == nullptr) return;
  uint32_t epoch = LoggedChange::kFailed;
  if (ok) epoch = durable || write_through_->load() ? LoggedChange::kDurable : flushes_.load() + 1;
  log->end(ticket.logged, epoch);
}

void Integrity::end_write(Ticket& ticket, bool ok, WriteLog* log, bool durable) noexcept {
  if (!ok && ticket.held == Ticket::Held::kExclusive)
    set_state(ticket.slba, ticket.nlb, LbaTable::kUnknown);
  end_logged(ticket, log, ok, durable);
  end_exclusive(ticket);
}

void Integrity::end_change(Ticket& ticket, uint32_t state, bool ok, WriteLog* log,
                           bool durable) noexcept {
  if (ticket.held == Ticket::Held::kExclusive)
    set_state(ticket.slba, ticket.nlb, ok ? state : LbaTable::kUnknown);
  end_logged(ticket, log, ok, durable);
  end_exclusive(ticket);
}

void Integrity::end_interrupted(Ticket& ticket, WriteLog* log) noexcept {
  LoggedChange change;
  const bool known = ticket.logged != 0 && log != nullptr &&
                     ticket.held == Ticket::Held::kExclusive && log->read(ticket.logged, &change) &&
                     !change.before.empty();
  if (!known) {
    end_change(ticket, LbaTable::kUnknown, false, log);
    return;
  }
  log->end(ticket.logged, LoggedChange::kInterrupted);
  {
    const std::lock_guard guard(mutex_);
    for (uint32_t i = 0; i < change.nlb; ++i) {
      const uint64_t lba = change.slba + i;
      const uint32_t before = change.before[i];
      if (before == LbaTable::kUnknown || before == LbaTable::kDeallocated ||
          table_.get(lba) == LbaTable::kUnknown || change.after[i] == LbaTable::kUnknown) {
        table_.set(lba, LbaTable::kUnknown);
        continue;
      }
      // A loss of power may have said as much already; with kAmbiguous before, what that stood for
      // is still there.
      if (before != LbaTable::kAmbiguous) {
        if (table_.get(lba) != LbaTable::kAmbiguous) alternatives_.forget(lba);
        alternatives_.add(lba, before);
      }
      alternatives_.add(lba, change.after[i]);
      table_.set(lba, LbaTable::kAmbiguous);
    }
  }
  end_exclusive(ticket);
}

void Integrity::end_flush(uint32_t flush, bool ok) noexcept {
  if (!ok) return;
  uint32_t durable = durable_.load();
  while (durable < flush && !durable_.compare_exchange_weak(durable, flush)) {
  }
}

void Integrity::set_atomicity(Atomicity atomicity) {
  const std::lock_guard guard(mutex_);
  atomicity_ = atomicity;
}

void Integrity::power_lost() {
  std::vector<std::shared_ptr<WriteLog>> all = logs();
  const std::lock_guard guard(mutex_);
  power_loss_token_.store(next_token());
  if (!apply_power_loss(all, durable_.load(), atomicity_, table_, alternatives_)) {
    logs_short_.store(true);
  }
}

std::shared_ptr<WriteLog> Integrity::take_log(Writer writer) {
  const std::lock_guard guard(mutex_);
  std::shared_ptr<WriteLog> log;
  if (free_logs_.empty()) {
    log = std::make_shared<WriteLog>();
    logs_.push_back(log);
  } else {
    log = std::move(free_logs_.back());
    free_logs_.pop_back();
  }
  writer.id = ++last_writer_ == 0 ? ++last_writer_ : last_writer_;
  log->set_writer(writer.id);
  writers_.insert(writers_.begin(), std::make_shared<const Writer>(std::move(writer)));
  if (writers_.size() > kWriters) writers_.pop_back();
  return log;
}

void Integrity::give_log(const std::shared_ptr<WriteLog>& log) {
  const std::lock_guard guard(mutex_);
  free_logs_.push_back(log);
}

std::vector<std::shared_ptr<WriteLog>> Integrity::logs() const {
  std::vector<std::shared_ptr<WriteLog>> all;
  {
    const std::lock_guard guard(mutex_);
    all = logs_;
  }
  all.push_back(script_data_.log());
  return all;
}

std::vector<std::shared_ptr<const Writer>> Integrity::writers() const {
  const std::lock_guard guard(mutex_);
  return writers_;
}

std::vector<uint32_t> Integrity::alternatives(uint64_t lba) const {
  const std::lock_guard guard(mutex_);
  return alternatives_.of(lba);
}

bool Integrity::any_uncorrectable(uint64_t slba, uint64_t nlb) const noexcept {
  const uint64_t end = slba + tracked_part(slba, nlb);
  for (uint64_t lba = slba; lba < end; ++lba) {
    if (table_.get(lba) == LbaTable::kUncorrectable) return true;
  }
  return false;
}

}  // namespace pynvme::verify
