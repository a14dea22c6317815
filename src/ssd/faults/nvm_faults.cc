// Faults of the NVM commands: what a Read returns, what a Write stores and where, what is on the
// media. The data go through a copy here, which the faults change one after the other. Only on the
// path of a device with a fault planted.
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <set>
#include <string>
#include <vector>

#include "spec/command_fields.h"
#include "spec/opcode.h"
#include "ssd/faults/faults.h"
#include "ssd/frontend/io_cursor.h"
#include "ssd/frontend/trace.h"
#include "ssd/nvm/nvm.h"

namespace pynvme::ssd {
namespace {

std::string lba_text(uint64_t lba) { return "LBA " + std::to_string(lba); }

std::string lbas_text(uint64_t begin, uint64_t end) {
  if (end - begin == 1) return lba_text(begin);
  return "LBAs " + std::to_string(begin) + " to " + std::to_string(end - 1);
}

const char* place_text(FaultWhere where, uint8_t opcode) {
  if (where == FaultWhere::kMedia) return " on the media";
  return opcode == spec::io::kRead ? " in the data returned" : " in the data stored";
}

// Flips bits of one LBA's data; returns which.
std::vector<uint32_t> flip_bits(const Fault& fault, base::Rng& rng, uint8_t* lba, uint32_t bytes) {
  const uint32_t all = bytes * 8;
  const auto count = static_cast<uint32_t>(std::min<uint64_t>(fault.value_or("bits", 1), all));
  std::set<uint32_t> bits;
  if (const auto first = fault.number("bit")) {
    const auto from = static_cast<uint32_t>(first->value);
    for (uint32_t i = 0; i < count; ++i) bits.insert((from + i) % all);
  }
  while (bits.size() < count) bits.insert(static_cast<uint32_t>(rng.below(all)));
  for (const uint32_t bit : bits) lba[bit / 8] ^= static_cast<uint8_t>(1U << bit % 8);
  return {bits.begin(), bits.end()};
}

std::string bits_text(const std::vector<uint32_t>& bits) {
  std::string text(bits.size() == 1 ? "bit" : "bits");
  constexpr size_t kShown = 16;
  for (size_t i = 0; i < std::min(bits.size(), kShown); ++i) {
    text.append(i == 0 ? " " : ", ").append(std::to_string(bits[i]));
  }
  if (bits.size() > kShown) text.append(", and more (").append(std::to_string(bits.size()) + ")");
  return text;
}

}  // namespace

// A Read or Write on its way through its faults.
struct Nvm::FaultyTransfer {
  const FaultSubject& subject;
  std::vector<FiredFault> fired;
  Namespace& ns;
  std::vector<uint8_t> image;  // what the host sent, or gets
  // Where it really goes or comes from, and which bytes of a Write get there.
  Namespace* target = nullptr;
  uint64_t slba = 0;
  uint64_t stored_begin = 0;
  uint64_t stored_end = 0;
  bool durable = false;
  std::optional<uint64_t> address;  // of the host's memory, instead of the command's

  uint8_t* lba(uint64_t at) { return image.data() + ((at - subject.slba) << ns.lba_shift); }
  bool reads() const { return subject.sqe.opcode == spec::io::kRead; }
};

// With the same format, so that its LBAs fit; null when there is none.
Namespace* Nvm::other_namespace(const Fault& fault, const spec::Sqe& sqe) const {
  const Namespace& ns = *namespaces_.find(sqe.nsid);
  const auto fits = [&](const Namespace* other) {
    return other != nullptr && other != &ns && other->lba_bytes == ns.lba_bytes &&
           sqe.slba() + spec::io_nlb(sqe.cdw12) <= other->lba_count;
  };
  if (const auto nsid = fault.number("nsid")) {
    Namespace* const other = namespaces_.find(static_cast<uint32_t>(nsid->value));
    return fits(other) ? other : nullptr;
  }
  for (Namespace* const other : namespaces_.all()) {
    if (fits(other)) return other;
  }
  return nullptr;
}

uint16_t Nvm::carry_out_faulty(const spec::Sqe& sqe, DataPointer& data, Tally& tally) {
  FaultSubject subject(sqe, data.sqid);
  Namespace* const ns = namespaces_.find(sqe.nsid);
  if (ns != nullptr) subject.lba_bytes = ns->lba_bytes;
  Faults& faults = parts_.faults;
  auto fired = faults.fire(FaultPoint::kExecute, subject, [&](const Fault& fault) {
    return fault.action != FaultAction::kOtherNamespace || other_namespace(fault, sqe) != nullptr;
  });
  for (const FiredFault& one : fired) {
    if (one.fault->action == FaultAction::kStatus) {
      const uint16_t wanted = fault_status(*one.fault);
      faults.describe(one, "not carried out: " + fault_status_text(wanted), {});
      return wanted;
    }
    if (one.fault->action != FaultAction::kDrop) continue;
    if (subject.has_lbas) {
      const uint64_t end = subject.slba + subject.nlb;
      faults.describe(one, lbas_text(subject.slba, end) + " not touched", {.lba = subject.slba});
    } else {
      faults.describe(one, "not carried out", {});
    }
    return kSuccess;
  }
  const bool transfer = sqe.opcode == spec::io::kRead || sqe.opcode == spec::io::kWrite;
  const bool kept = sqe.opcode == spec::io::kWrite && faults.wants_history(subject);
  if (!transfer || (fired.empty() && !kept)) return carry_out(sqe, data, tally);

  const uint64_t bytes = uint64_t{subject.nlb} << ns->lba_shift;
  const auto access = sqe.opcode == spec::io::kRead ? DmaAccess::kWrite : DmaAccess::kRead;
  const uint16_t status = parse_prps(memory_, access, sqe.prp1, sqe.prp2, bytes, data);
  if (status != kSuccess) return status;
  FaultyTransfer faulty{.subject = subject,
                        .fired = std::move(fired),
                        .ns = *ns,
                        .image = std::vector<uint8_t>(bytes),
                        .target = ns,
                        .slba = subject.slba,
                        .stored_end = bytes,
                        .durable = durable(sqe),
                        .address = std::nullopt};
  aim(faulty);
  return faulty.reads() ? faulty_read(faulty, data, tally) : faulty_write(faulty, data, tally);
}

// Which LBAs it is about.
void Nvm::aim(FaultyTransfer& transfer) {
  const FaultSubject& subject = transfer.subject;
  const uint64_t bytes = transfer.image.size();
  const uint32_t lba_bytes = transfer.ns.lba_bytes;
  const uint64_t end = subject.slba + subject.nlb;
  for (const FiredFault& one : transfer.fired) {
    const Fault& fault = *one.fault;
    const auto number = [&](const char* key, uint64_t otherwise) {
      return std::min(fault.value_or(key, otherwise), bytes);
    };
    if (fault.action == FaultAction::kMisdirect) {
      const FaultNumber to = fault.number("to").value_or(FaultNumber{subject.nlb, true});
      // As far as a whole transfer has room.
      const uint64_t places = transfer.ns.lba_count - subject.nlb + 1;
      const auto offset = static_cast<uint64_t>(to.value < 0 ? -to.value : to.value) % places;
      const uint64_t base = to.relative ? subject.slba : 0;
      transfer.slba = (base + (to.value < 0 ? places - offset : offset)) % places;
      parts_.faults.describe(one,
                             lbas_text(transfer.slba, transfer.slba + subject.nlb) + " instead",
                             {.lba = subject.slba, .to_lba = transfer.slba});
    } else if (fault.action == FaultAction::kOtherNamespace) {
      transfer.target = other_namespace(fault, subject.sqe);
      if (transfer.target == nullptr) transfer.target = &transfer.ns;
      parts_.faults.describe(one, "namespace " + std::to_string(transfer.target->nsid) + " instead",
                             {.lba = subject.slba, .to_nsid = transfer.target->nsid});
    } else if (fault.action == FaultAction::kDma) {
      transfer.address = fault.value_or("address", 0);
      char text[32];
      snprintf(text, sizeof text, "0x%llx", static_cast<unsigned long long>(*transfer.address));
      parts_.faults.describe(one, "host memory at " + std::string(text) + " instead",
                             {.lba = subject.slba});
    } else if (fault.action == FaultAction::kTear) {
      if (fault.number("last") || fault.number("last_bytes")) {
        const uint64_t lbas = number("last", 0) * lba_bytes;
        transfer.stored_begin = bytes - std::min(number("last_bytes", lbas), bytes);
      } else {
        const uint64_t lbas = fault.number("first") ? number("first", 0) * lba_bytes : bytes / 2;
        transfer.stored_end = std::min(number("first_bytes", lbas), bytes);
      }
      const uint64_t begin = transfer.stored_begin;
      const uint64_t stored = transfer.stored_end;
      // The first LBA that is not stored, or not as a whole.
      const uint64_t torn = begin != 0 ? subject.slba : subject.slba + stored / lba_bytes;
      parts_.faults.describe(one,
                             "bytes " + std::to_string(begin) + " to " + std::to_string(stored) +
                                 " of " + lbas_text(subject.slba, end) + " stored",
                             {.lba = torn < end ? std::optional(torn) : std::nullopt});
    }
  }
}

// flip and zeroes with where=media.
void Nvm::spoil_media(const FaultyTransfer& transfer) {
  const uint32_t lba_bytes = transfer.ns.lba_bytes;
  Media& media = transfer.ns.media;
  for (const FiredFault& one : transfer.fired) {
    const Fault& fault = *one.fault;
    if (fault.where != FaultWhere::kMedia) continue;
    const auto [begin, end] = fault.match.common(transfer.subject);
    base::Rng rng = one.rng;
    std::vector<uint8_t> lba(lba_bytes);
    const IoVec piece{lba.data(), lba_bytes};
    if (fault.action == FaultAction::kZeroes) {
      for (uint64_t at = begin; at < end; ++at) media.write(at, 1, {&piece, 1}, transfer.durable);
      parts_.faults.describe(one, lbas_text(begin, end) + " zeroed on the media", {.lba = begin});
    } else if (fault.action == FaultAction::kFlip) {
      const uint64_t at = begin + rng.below(end - begin);
      uint64_t bad = 0;
      if (media.read(at, 1, {&piece, 1}, &bad) != MediaError::kNone) continue;
      const auto bits = flip_bits(fault, rng, lba.data(), lba_bytes);
      media.write(at, 1, {&piece, 1}, transfer.durable);
      parts_.faults.describe(one, bits_text(bits) + " of " + lba_text(at) + " on the media",
                             {.lba = at});
    }
  }
}

// flip, zeroes and stale in the data on their way.
void Nvm::spoil_data(FaultyTransfer& transfer) {
  const uint32_t lba_bytes = transfer.ns.lba_bytes;
  const uint8_t opcode = transfer.subject.sqe.opcode;
  for (const FiredFault& one : transfer.fired) {
    const Fault& fault = *one.fault;
    if (fault.where == FaultWhere::kMedia) continue;
    const auto [begin, end] = fault.match.common(transfer.subject);
    base::Rng rng = one.rng;
    if (fault.action == FaultAction::kFlip) {
      const uint64_t at = begin + rng.below(end - begin);
      const auto bits = flip_bits(fault, rng, transfer.lba(at), lba_bytes);
      parts_.faults.describe(
          one, bits_text(bits) + " of " + lba_text(at) + place_text(fault.where, opcode),
          {.lba = at});
    } else if (fault.action == FaultAction::kZeroes) {
      std::memset(transfer.lba(begin), 0, (end - begin) << transfer.ns.lba_shift);
      parts_.faults.describe(
          one, lbas_text(begin, end) + " zeroed" + place_text(fault.where, opcode), {.lba = begin});
    } else if (fault.action == FaultAction::kStale) {
      std::optional<uint64_t> first;
      uint64_t last = 0;
      for (uint64_t at = begin; at < end; ++at) {
        const auto old = parts_.faults.version(transfer.subject.sqe.nsid, at, lba_bytes);
        if (!old) continue;
        std::memcpy(transfer.lba(at), old->data(), lba_bytes);
        if (!first) first = at;
        last = at;
      }
      if (first)
        parts_.faults.describe(one, "older version of " + lbas_text(*first, last + 1),
                               {.lba = first});
    }
  }
}

uint16_t Nvm::faulty_read(FaultyTransfer& transfer, DataPointer& data, Tally& tally) {
  const FaultSubject& subject = transfer.subject;
  spoil_media(transfer);
  const IoVec piece{transfer.image.data(), static_cast<uint32_t>(transfer.image.size())};
  uint64_t bad_lba = 0;
  const MediaError error = transfer.target->media.read(transfer.slba, subject.nlb, {&piece, 1},
                                                       &bad_lba, deallocated_is_error(transfer.ns));
  spoil_data(transfer);
  const uint64_t lbas = error == MediaError::kNone ? subject.nlb : bad_lba - transfer.slba;
  const uint64_t moved = lbas << transfer.ns.lba_shift;
  if (transfer.address) {
    uint8_t* const there =
        memory_.translate(DmaAccess::kWrite, *transfer.address, moved, data.hint);
    if (there != nullptr) std::memcpy(there, transfer.image.data(), moved);
  } else {
    IoCursor(data.span()).to_host(transfer.image.data(), static_cast<uint32_t>(moved));
  }
  parts_.trace.moved(memory_, data.sqid, subject.sqe, moved, true);
  ++tally.read_commands;
  tally.read_bytes += transfer.image.size();
  return media_status(error, bad_lba, tally);
}

uint16_t Nvm::faulty_write(FaultyTransfer& transfer, DataPointer& data, Tally& tally) {
  const uint64_t bytes = transfer.image.size();
  parts_.trace.moved(memory_, data.sqid, transfer.subject.sqe, bytes, false);
  if (transfer.address) {
    const uint8_t* const there =
        memory_.translate(DmaAccess::kRead, *transfer.address, bytes, data.hint);
    std::memset(transfer.image.data(), 0xFF, bytes);
    if (there != nullptr) std::memcpy(transfer.image.data(), there, bytes);
  } else {
    copy_from_host(data.span(), transfer.image.data(), bytes);
  }
  spoil_data(transfer);
  keep_versions(transfer);
  store(transfer);
  spoil_media(transfer);
  ++tally.write_commands;
  tally.written_bytes += bytes;
  return kSuccess;
}

void Nvm::keep_versions(const FaultyTransfer& transfer) {
  const FaultSubject& subject = transfer.subject;
  if (!parts_.faults.wants_history(subject)) return;
  for (uint64_t at = subject.slba; at < subject.slba + subject.nlb; ++at) {
    std::vector<uint8_t> old(transfer.ns.lba_bytes);
    const IoVec piece{old.data(), transfer.ns.lba_bytes};
    uint64_t bad = 0;
    if (transfer.ns.media.read(at, 1, {&piece, 1}, &bad, true) != MediaError::kNone) continue;
    parts_.faults.keep_version(subject.sqe.nsid, at, std::move(old));
  }
}

// The bytes that are to get there; of an LBA that is stored in part the rest stays what it was.
void Nvm::store(FaultyTransfer& transfer) {
  const uint32_t lba_bytes = transfer.ns.lba_bytes;
  Media& media = transfer.target->media;
  if (transfer.stored_begin == 0 && transfer.stored_end == transfer.image.size()) {
    const IoVec piece{transfer.image.data(), static_cast<uint32_t>(transfer.image.size())};
    media.write(transfer.slba, transfer.subject.nlb, {&piece, 1}, transfer.durable);
    return;
  }
  for (uint64_t at = transfer.stored_begin; at < transfer.stored_end;) {
    const uint64_t index = at / lba_bytes;
    const uint64_t end = std::min<uint64_t>(transfer.stored_end, (index + 1) * lba_bytes);
    const uint64_t lba = transfer.slba + index;
    std::vector<uint8_t> whole(lba_bytes);
    const IoVec piece{whole.data(), lba_bytes};
    uint64_t bad = 0;
    if (end - at < lba_bytes) media.read(lba, 1, {&piece, 1}, &bad);
    std::memcpy(whole.data() + at % lba_bytes, transfer.image.data() + at, end - at);
    media.write(lba, 1, {&piece, 1}, transfer.durable);
    at = end;
  }
}

}  // namespace pynvme::ssd
