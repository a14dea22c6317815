// The media's map from 4 KiB unit to Entry: sparse, one cache-line access a look-up, and each entry
// is its unit's lock as well, so that a reader pays one compare-and-swap for both. With a file
// behind it, every change is stored to the file's map too. What the frames hold is not its
// business. What a unit without an entry of its own is, is a setting: nothing, or after a sanitize
// that left everything allocated, one frame that all units share.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>

#include "ssd/media/media_entry.h"
#include "ssd/media/sparse_memory.h"

namespace pynvme::ssd {

class MediaFile;

class MediaMap {
 public:
  // Units whose entries share a page of the map.
  static constexpr uint64_t kRegionUnits = 4096 / sizeof(uint64_t);

  MediaMap(uint64_t units, MediaFile* file);

  uint64_t units() const { return units_; }

  // The state before or after a change in progress, never in between.
  Entry load(uint64_t unit) const {
    return Entry(std::atomic_ref(entries_.data()[unit]).load(std::memory_order_acquire) ^ blank_);
  }
  void prefetch(uint64_t unit) const { __builtin_prefetch(entries_.data() + unit); }

  Entry lock(uint64_t unit) {
    std::atomic_ref<uint64_t> entry(entries_[unit]);
    uint64_t old = entry.load(std::memory_order_relaxed);
    if (!Entry(old).locked() &&
        entry.compare_exchange_strong(old, Entry(old).as_locked().bits(), std::memory_order_acquire,
                                      std::memory_order_relaxed)) {
      return Entry(old ^ blank_);
    }
    return lock_contended(unit);
  }
  void unlock(uint64_t unit, Entry unchanged) {
    std::atomic_ref(entries_[unit]).store(unchanged.bits() ^ blank_, std::memory_order_release);
  }
  // Unlocks with a new state. touch() must have been called for the unit.
  void unlock(uint64_t unit, Entry old, Entry changed);

  // To be called, with the unit not locked, before it gets its first state. Throws
  // std::runtime_error when the disk behind the file is full.
  void touch(uint64_t unit) {
    const uint64_t region = unit / kRegionUnits;
    const uint64_t word = std::atomic_ref(touched_[region / 64]).load(std::memory_order_acquire);
    if ((word >> (region % 64) & 1) == 0) touch_region(region);
  }
  // What a unit is that never got a state. Changed only while every entry is the old one and nobody
  // looks: entries are kept as what differs from it, so that no entry has to be written.
  Entry blank() const { return Entry(blank_); }
  void set_blank(Entry blank) { blank_ = blank.bits(); }

  // The first unit at or after `unit` whose region was ever touched; units() when there is none.
  uint64_t next_touched(uint64_t unit) const;

 private:
  Entry lock_contended(uint64_t unit);
  void touch_region(uint64_t region);

  uint64_t units_;
  uint64_t blank_ = 0;
  SparseArray<uint64_t> entries_;
  mutable SparseArray<uint64_t> touched_;
  std::mutex touch_mutex_;
  MediaFile* file_;
};

}  // namespace pynvme::ssd
