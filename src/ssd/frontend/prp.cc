// The PRP walk in full: two entries, lists, lists that go on in another page.
#include "ssd/frontend/prp.h"

#include <algorithm>
#include <cstring>

namespace pynvme::ssd {
namespace {

constexpr uint16_t kBadOffset = fail(spec::sc::kPrpOffsetInvalid);
// The address is the host's mistake or a mapping that came too late: worth another try.
constexpr uint16_t kUnreachable = fail_once(spec::sc::kDataTransferError);

void append(DataPointer& data, uint8_t* base, uint32_t bytes) {
  if (data.count > 0) {
    IoVec& last = data.pieces[data.count - 1];
    if (last.base + last.size == base && last.size <= UINT32_MAX - bytes) {
      last.size += bytes;
      return;
    }
  }
  if (data.count == data.pieces.size()) data.pieces.resize(data.pieces.size() * 2);
  data.pieces[data.count++] = {base, bytes};
}

// on_list(iova, bytes), on_data(iova, memory, bytes).
template <class OnList, class OnData>
inline uint16_t walk(const HostMemory& memory, DmaAccess access, uint64_t prp1, uint64_t prp2,
                     uint64_t bytes, uint32_t& hint, OnList on_list, OnData on_data) {
  if (bytes == 0) return kSuccess;
  // Bits 1:0 of an offset shall be 00b.
  if (prp1 % 4 != 0) return kBadOffset;
  const uint64_t first = std::min<uint64_t>(bytes, kHostPageBytes - prp1 % kHostPageBytes);
  uint8_t* base = memory.translate(access, prp1, first, hint);
  if (base == nullptr) return kUnreachable;
  on_data(prp1, base, static_cast<uint32_t>(first));
  bytes -= first;
  if (bytes == 0) return kSuccess;

  if (bytes <= kHostPageBytes) {
    if (prp2 % kHostPageBytes != 0) return kBadOffset;
    base = memory.translate(access, prp2, bytes, hint);
    if (base == nullptr) return kUnreachable;
    on_data(prp2, base, static_cast<uint32_t>(bytes));
    return kSuccess;
  }

  // PRP2 points at a list, qword aligned, anywhere in a page. Where more is needed than fits into
  // the rest of that page, its last entry points at the next page of the list.
  if (prp2 % 8 != 0) return kBadOffset;
  uint64_t list = prp2;
  uint32_t list_hint = hint;
  while (bytes > 0) {
    const uint64_t wanted = (bytes + kHostPageBytes - 1) / kHostPageBytes;
    const uint64_t room = (kHostPageBytes - list % kHostPageBytes) / 8;
    const bool chained = wanted > room;
    const uint64_t entries = chained ? room : wanted;
    const uint8_t* const page = memory.translate(DmaAccess::kRead, list, entries * 8, list_hint);
    if (page == nullptr) return kUnreachable;
    on_list(list, static_cast<uint32_t>(entries * 8));
    const uint64_t data_entries = chained ? entries - 1 : entries;
    uint64_t entry;
    for (uint64_t i = 0; i < data_entries; ++i) {
      std::memcpy(&entry, page + i * 8, 8);
      if (entry % kHostPageBytes != 0) return kBadOffset;
      const uint64_t piece = std::min<uint64_t>(bytes, kHostPageBytes);
      base = memory.translate(access, entry, piece, hint);
      if (base == nullptr) return kUnreachable;
      on_data(entry, base, static_cast<uint32_t>(piece));
      bytes -= piece;
    }
    if (chained) {
      std::memcpy(&entry, page + data_entries * 8, 8);
      if (entry % kHostPageBytes != 0) return kBadOffset;
      // The first page may hold the chain pointer alone; a later one holds 511 entries besides, so
      // the walk ends.
      list = entry;
    }
  }
  return kSuccess;
}

}  // namespace

uint16_t parse_prp_list(const HostMemory& memory, DmaAccess access, uint64_t prp1, uint64_t prp2,
                        uint64_t bytes, DataPointer& data) {
  data.count = 0;
  if (memory.direct()) {
    // SGLS says that the SGL may be longer than the data (NVMe Base 2.0 §4.1.2).
    // NOLINTBEGIN(performance-no-int-to-ptr): the connection put its buffer there.
    auto& direct = *reinterpret_cast<DirectBuffer*>(prp2);
    if (bytes > direct.length) return fail(spec::sc::kDataSglLengthInvalid);
    direct.used = bytes;
    if (bytes != 0) append(data, reinterpret_cast<uint8_t*>(prp1), static_cast<uint32_t>(bytes));
    // NOLINTEND(performance-no-int-to-ptr)
    return kSuccess;
  }
  return walk(
      memory, access, prp1, prp2, bytes, data.hint, [](uint64_t, uint32_t) {},
      [&data](uint64_t, uint8_t* base, uint32_t n) { append(data, base, n); });
}

void list_prps(const HostMemory& memory, DmaAccess access, uint64_t prp1, uint64_t prp2,
               uint64_t bytes, std::vector<PrpPiece>& pieces) {
  uint32_t hint = 0;
  walk(
      memory, access, prp1, prp2, bytes, hint,
      [&pieces](uint64_t iova, uint32_t n) {
        pieces.push_back({iova, n, true});
      },
      [&pieces](uint64_t iova, uint8_t*, uint32_t n) {
        pieces.push_back({iova, n, false});
      });
}

void copy_to_host(std::span<const IoVec> host, const void* from, uint64_t bytes) {
  const auto* source = static_cast<const uint8_t*>(from);
  for (const IoVec& piece : host) {
    const uint64_t n = std::min<uint64_t>(bytes, piece.size);
    if (n != 0) std::memcpy(piece.base, source, n);
    std::memset(piece.base + n, 0, piece.size - n);
    source += n;
    bytes -= n;
  }
}

void copy_from_host(std::span<const IoVec> host, void* to, uint64_t bytes) {
  auto* target = static_cast<uint8_t*>(to);
  for (const IoVec& piece : host) {
    const uint64_t n = std::min<uint64_t>(bytes, piece.size);
    std::memcpy(target, piece.base, n);
    target += n;
    bytes -= n;
    if (bytes == 0) return;
  }
}

}  // namespace pynvme::ssd
