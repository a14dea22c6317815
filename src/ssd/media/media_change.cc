// The half of Media that changes it: each change of a unit swaps its map entry, and keeps in the
// undo log what a power loss has to bring back.
#include <cstring>
#include <utility>

#include "ssd/frontend/io_cursor.h"
#include "ssd/media/media_impl.h"

namespace pynvme::ssd {

// A frame for new data; it goes back to the pool when the write that wanted it fails.
class FreshFrame {
 public:
  explicit FreshFrame(FramePool& pool) : pool_(pool), frame_(pool.allocate()) {}
  ~FreshFrame() {
    if (frame_ != 0) pool_.free(frame_);
  }
  FreshFrame(const FreshFrame&) = delete;
  FreshFrame& operator=(const FreshFrame&) = delete;

  uint8_t* data() const { return pool_.data(frame_); }
  uint32_t take() { return std::exchange(frame_, 0); }

 private:
  FramePool& pool_;
  uint32_t frame_;
};

namespace {

// A unit held locked: its old state comes back unless a new one is given.
class LockedUnit {
 public:
  LockedUnit(MediaMap& map, uint64_t unit) : map_(map), unit_(unit), old_(map.lock(unit)) {}
  ~LockedUnit() {
    if (held_) map_.unlock(unit_, old_);
  }
  LockedUnit(const LockedUnit&) = delete;
  LockedUnit& operator=(const LockedUnit&) = delete;

  Entry entry() const { return old_; }
  void change(Entry changed) {
    map_.unlock(unit_, old_, changed);
    held_ = false;
  }

 private:
  MediaMap& map_;
  uint64_t unit_;
  Entry old_;
  bool held_ = true;
};

void copy_sectors(uint8_t* to, const uint8_t* from, uint8_t sectors) {
  for (unsigned sector = 0; sector < kUnitSectors; ++sector) {
    if ((sectors >> sector & 1) == 0) continue;
    std::memcpy(to + sector * kSectorBytes, from + sector * kSectorBytes, kSectorBytes);
  }
}

}  // namespace

void Media::Impl::write(uint64_t slba, uint32_t nlb, std::span<const IoVec> data, bool durable) {
  IoCursor host(data);
  for_each_unit(slba, nlb, [&](uint64_t unit, unsigned begin, unsigned end) {
    map.touch(unit);
    FreshFrame fresh(pool);
    // Copied before the unit is locked: readers of it need not wait for the host's memory.
    host.from_host(fresh.data() + begin * kSectorBytes, (end - begin) * kSectorBytes);
    change_unit(unit, {sector_mask(begin, end), true, true, false}, &fresh, durable);
    return unit + 1;
  });
}

void Media::Impl::change_range(uint64_t slba, uint64_t nlb, bool allocated, bool uncorrectable,
                               bool durable) {
  for_each_unit(slba, nlb, [&](uint64_t unit, unsigned begin, unsigned end) {
    // Where nothing is, whole untouched regions of the map are passed over.
    if (!allocated && map.load(unit) == Entry() && map.blank() == Entry()) {
      return map.next_touched(unit + 1);
    }
    map.touch(unit);
    change_unit(unit, {sector_mask(begin, end), false, allocated, uncorrectable}, nullptr, durable);
    return unit + 1;
  });
}

void Media::Impl::change_unit(uint64_t unit, Change change, FreshFrame* fresh, bool durable) {
  durable = durable || undo.limit() == 0;
  while (!try_change_unit(unit, change, fresh, durable)) end_oldest(End::kKeep);
  while (undo.count() > undo.limit()) end_oldest(End::kKeep);
}

// False when the undo log has no room.
bool Media::Impl::try_change_unit(uint64_t unit, Change change, FreshFrame* fresh, bool durable) {
  LockedUnit locked(map, unit);
  const Entry old = locked.entry();
  Entry next = old.with(change);
  if (!change.data && next == old && !(durable && old.dirty())) return true;

  bool recorded = old.dirty();
  bool shared = old.shared();  // the record names old.frame() too
  uint32_t forgotten = 0;      // the frame that only the record named, and names no longer
  if (!durable) {
    if (!recorded) {
      if (!undo.push(unit, old.lasting())) return false;
      recorded = true;
      shared = true;
    }
  } else if (recorded && change.sectors == kAllSectors) {
    forgotten = shared ? 0 : undo.durable(unit).frame();
    undo.drop(unit);
    recorded = false;
    shared = false;
  } else if (recorded) {
    // These sectors become durable while the unit's others keep what they would fall back to.
    Entry& durable_state = undo.durable(unit);
    Entry changed = durable_state.with(change);
    if (change.data) {
      if (changed.frame() == 0 || changed.frame() == map.blank().frame()) {
        const uint32_t own = pool.allocate();
        if (changed.frame() != 0)
          std::memcpy(pool.data(own), pool.data(changed.frame()), kUnitBytes);
        changed = changed.with_frame(own);
      }
      copy_sectors(pool.data(changed.frame()), fresh->data(), change.sectors);
    } else if (changed.frame() != durable_state.frame()) {
      forgotten = shared ? 0 : durable_state.frame();
      shared = false;
    }
    durable_state = changed;
  }

  if (change.data) {
    const auto kept = static_cast<uint8_t>(old.data() & ~change.sectors);
    if (kept != 0) copy_sectors(fresh->data(), pool.data(old.frame()), kept);
    next = next.with_frame(fresh->take());
  }
  const bool replaced = next.frame() != old.frame();
  count_allocated(old, next);
  locked.change(next.with_flags(recorded, shared && !replaced && next.frame() != 0));
  // Only now: the file's map must not name a frame that another unit may have got.
  if (replaced && !shared) free_frame(old.frame());
  free_frame(forgotten);
  return true;
}

bool Media::Impl::end_oldest(End end) {
  const std::optional<uint64_t> unit = undo.oldest_unit();
  if (!unit) return false;
  LockedUnit locked(map, *unit);
  const Entry now = locked.entry();
  if (!now.dirty()) return true;  // another thread was quicker
  const Entry durable = undo.durable(*unit);
  undo.drop(*unit);
  const Entry stays = end == End::kKeep ? now : durable;
  const Entry goes = end == End::kKeep ? durable : now;
  count_allocated(now, stays);
  locked.change(stays.with_flags(false, false));
  if (!now.shared()) free_frame(goes.frame());
  return true;
}

void Media::Impl::flush() {
  // As many as there are now: those of writes to come are not this flush's.
  for (uint32_t records = undo.count(); records > 0; --records) end_oldest(End::kKeep);
  if (file != nullptr) file->sync();
}

void Media::Impl::power_lost() {
  while (end_oldest(End::kUndo)) {
  }
}

void Media::Impl::clear_unit(uint64_t unit) {
  LockedUnit locked(map, unit);
  const Entry now = locked.entry();
  uint32_t durable_frame = 0;
  if (now.dirty()) {
    durable_frame = now.shared() ? 0 : undo.durable(unit).frame();
    undo.drop(unit);
  }
  count_allocated(now, map.blank());
  locked.change(map.blank());
  free_frame(now.frame());
  free_frame(durable_frame);
}

void Media::Impl::format(uint32_t lba_bytes) {
  const Entry blank = map.blank();
  for (uint64_t unit = map.next_touched(0); unit < map.units(); unit = map.next_touched(unit + 1)) {
    if (map.load(unit) != blank) clear_unit(unit);
  }
  if (blank != Entry()) {
    set_blank(Entry());
    free_frame(blank.frame());
  }
  set_lba_bytes(lba_bytes);
  pool.shrink();
  if (file == nullptr) return;
  file->set_lba_bytes(lba_bytes);
  file->sync();
}

void Media::Impl::fill(const uint8_t* unit) {
  FreshFrame frame(pool);
  std::memcpy(frame.data(), unit, kUnitBytes);
  set_blank(Entry().with(kWholeUnit).with_frame(frame.take()));
  if (file != nullptr) file->sync();
}

void Media::Impl::set_blank(Entry blank) {
  const int units_of_sectors =
      std::popcount(blank.allocated()) - std::popcount(map.blank().allocated());
  const auto sectors = static_cast<int64_t>(bytes / kSectorBytes / kUnitSectors);
  allocated_sectors.fetch_add(units_of_sectors * sectors, std::memory_order_relaxed);
  if (file != nullptr) file->set_fill_frame(blank.frame());
  map.set_blank(blank);
}

}  // namespace pynvme::ssd
