// The parts of a Media and what its two halves share: media.cc reads, media_change.cc writes. For
// those two files only.
#pragma once

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstdint>
#include <memory>

#include "ssd/media/frame_pool.h"
#include "ssd/media/media.h"
#include "ssd/media/media_entry.h"
#include "ssd/media/media_file.h"
#include "ssd/media/media_map.h"
#include "ssd/media/undo_log.h"

namespace pynvme::ssd {

// Sectors [begin, end) of a unit.
constexpr uint8_t sector_mask(unsigned begin, unsigned end) {
  return static_cast<uint8_t>((0xFFU << begin) & ~(0xFFU << end));
}

inline constexpr Change kWholeUnit{kAllSectors, true, true, false};

class FreshFrame;

struct Media::Impl {
  explicit Impl(const Geometry& geometry);

  unsigned shift() const { return sector_shift.load(std::memory_order_relaxed); }
  void set_lba_bytes(uint32_t lba_bytes) {
    sector_shift.store(static_cast<unsigned>(std::countr_zero(lba_bytes / kSectorBytes)),
                       std::memory_order_relaxed);
  }
  void count_allocated(Entry old, Entry changed) {
    const int delta = std::popcount(changed.allocated()) - std::popcount(old.allocated());
    if (delta != 0) allocated_sectors.fetch_add(delta, std::memory_order_relaxed);
  }

  // Calls visit(unit, begin, end) with each unit of a range and its sectors in that range; visit
  // returns the unit to go on with.
  template <typename Visit>
  void for_each_unit(uint64_t slba, uint64_t nlb, Visit visit) const {
    uint64_t sector = slba << shift();
    const uint64_t range_end = sector + (nlb << shift());
    while (sector < range_end) {
      const uint64_t unit = sector / kUnitSectors;
      const auto begin = static_cast<unsigned>(sector % kUnitSectors);
      const auto end =
          static_cast<unsigned>(std::min<uint64_t>(range_end - unit * kUnitSectors, kUnitSectors));
      sector = visit(unit, begin, end) * kUnitSectors;
    }
  }

  // Calls visit(entry, begin, end) with each unit's sectors that are not in error, up to the first
  // that is; visit returns the sector that differs, or end.
  template <typename Visit>
  MediaError check_range(uint64_t slba, uint64_t nlb, uint64_t* bad_lba, bool deallocated_is_error,
                         Visit visit);

  void write(uint64_t slba, uint32_t nlb, std::span<const IoVec> data, bool durable);
  void change_range(uint64_t slba, uint64_t nlb, bool allocated, bool uncorrectable, bool durable);
  void flush();
  void power_lost();
  void format(uint32_t lba_bytes);
  void fill(const uint8_t* unit);
  void set_blank(Entry blank);

  // A unit that changes: the map's entry, and what the undo log keeps for it.
  void change_unit(uint64_t unit, Change change, FreshFrame* fresh, bool durable);
  bool try_change_unit(uint64_t unit, Change change, FreshFrame* fresh, bool durable);
  // Ends the oldest record: what is there now becomes durable, or the durable state comes back.
  // False when there is no record.
  enum class End : uint8_t { kKeep, kUndo };
  bool end_oldest(End end);
  void clear_unit(uint64_t unit);
  void free_frame(uint32_t frame) {
    if (frame != 0 && frame != map.blank().frame()) pool.free(frame);
  }

  uint64_t bytes;
  std::atomic<unsigned> sector_shift{0};  // an LBA is 1 << sector_shift sectors
  std::unique_ptr<MediaFile> file;
  std::unique_ptr<MemoryFrames> memory;  // without a file
  MediaMap map;
  FramePool pool;
  UndoLog undo;
  std::atomic<int64_t> allocated_sectors{0};
};

}  // namespace pynvme::ssd
