#include "verify/integrity.h"

#include <algorithm>
#include <array>
#include <cinttypes>
#include <cstdio>
#include <cstring>

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
  char line[160] = "";
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
  table_.forget_all();
}

void Integrity::begin_change_anyway(Ticket& ticket, uint64_t slba, uint64_t nlb) noexcept {
  ticket = {slba, nlb, {}, Ticket::Held::kUnlocked};
  unlocked_changes_.fetch_add(1);
  count_conflict();
  set_state(ticket.slba, ticket.nlb, LbaTable::kUnknown);
}

void Integrity::begin_unfollowed(Ticket& ticket) noexcept {
  ticket = {0, 0, {}, Ticket::Held::kUnlocked};
  unlocked_changes_.fetch_add(1);
}

void Integrity::set_state(uint64_t slba, uint64_t nlb, uint32_t state) noexcept {
  const uint64_t tracked = tracked_part(slba, nlb);
  if (tracked != 0) table_.fill(slba, tracked, state);
}

void Integrity::record_data(const Ticket& ticket, const uint8_t* data, uint64_t bytes) noexcept {
  if (ticket.held != Ticket::Held::kExclusive) return;
  const uint64_t nlb = tracked_part(ticket.slba, ticket.nlb);
  const uint32_t size = lba_bytes();
  const uint64_t whole = std::min(nlb, bytes / size);
  std::array<uint32_t, kLbasAtOnce> crcs;
  for (uint64_t done = 0; done < whole; done += kLbasAtOnce) {
    const uint64_t count = std::min(whole - done, kLbasAtOnce);
    base::crc32c_blocks(data + done * size, size, count, crcs.data());
    for (uint64_t i = 0; i < count; ++i) {
      table_.set(ticket.slba + done + i, LbaTable::from_crc(crcs[i]));
    }
  }
  if (whole < nlb) table_.fill(ticket.slba + whole, nlb - whole, LbaTable::kUnknown);
}

bool Integrity::check(const Ticket& ticket, const uint8_t* data, uint64_t bytes,
                      Mismatch* mismatch) const noexcept {
  using Kind = Mismatch::Kind;
  const uint32_t size = lba_bytes();
  const uint64_t nlb = std::min(tracked_part(ticket.slba, ticket.nlb), bytes / size);
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
      *mismatch = {same ? Kind::kStamp : Kind::kCrc, lba, expected, crcs[at], stamped_lba(data)};
      return false;
    }
    if (expected == LbaTable::kZeroed && !all_zero(data, size)) {
      *mismatch = {Kind::kNotZero, lba, 0, crcs[at], stamped_lba(data)};
      return false;
    }
  }
  return true;
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

void Integrity::end_write(Ticket& ticket, bool ok) noexcept {
  if (!ok && ticket.held == Ticket::Held::kExclusive)
    set_state(ticket.slba, ticket.nlb, LbaTable::kUnknown);
  end_exclusive(ticket);
}

void Integrity::end_change(Ticket& ticket, uint32_t state, bool ok) noexcept {
  if (ticket.held == Ticket::Held::kExclusive)
    set_state(ticket.slba, ticket.nlb, ok ? state : LbaTable::kUnknown);
  end_exclusive(ticket);
}

bool Integrity::any_uncorrectable(uint64_t slba, uint64_t nlb) const noexcept {
  const uint64_t end = slba + tracked_part(slba, nlb);
  for (uint64_t lba = slba; lba < end; ++lba) {
    if (table_.get(lba) == LbaTable::kUncorrectable) return true;
  }
  return false;
}

}  // namespace pynvme::verify
