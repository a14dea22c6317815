#include "ssd/media/media_map.h"

#include <immintrin.h>
#include <sched.h>

#include <algorithm>
#include <bit>

#include "ssd/media/media_file.h"

namespace pynvme::ssd {

MediaMap::MediaMap(uint64_t units, MediaFile* file)
    : units_(units),
      entries_(units, "the media's map"),
      touched_(units / kRegionUnits / 64 + 1, "the media's map"),
      file_(file) {}

void MediaMap::unlock(uint64_t unit, Entry old, Entry changed) {
  if (file_ != nullptr && old.lasting() != changed.lasting()) {
    file_->store_entry(unit, changed.lasting());
  }
  unlock(unit, changed);
}

Entry MediaMap::lock_contended(uint64_t unit) {
  std::atomic_ref<uint64_t> entry(entries_[unit]);
  for (unsigned tries = 1;; ++tries) {
    uint64_t old = entry.load(std::memory_order_relaxed);
    if (!Entry(old).locked() &&
        entry.compare_exchange_weak(old, Entry(old).as_locked().bits(), std::memory_order_acquire,
                                    std::memory_order_relaxed)) {
      return Entry(old ^ blank_);
    }
    // More threads than cores: the holder may be waiting for this one's core.
    if (tries % 64 == 0) {
      sched_yield();
    } else {
      _mm_pause();
    }
  }
}

void MediaMap::touch_region(uint64_t region) {
  const std::lock_guard guard(touch_mutex_);
  std::atomic_ref<uint64_t> word(touched_[region / 64]);
  if ((word.load(std::memory_order_relaxed) >> (region % 64) & 1) != 0) return;
  if (file_ != nullptr) file_->allocate_map(region * kRegionUnits, kRegionUnits);
  word.fetch_or(1ULL << (region % 64), std::memory_order_release);
}

uint64_t MediaMap::next_touched(uint64_t unit) const {
  uint64_t region = unit / kRegionUnits;
  const uint64_t regions = (units_ + kRegionUnits - 1) / kRegionUnits;
  while (region < regions) {
    const uint64_t word =
        std::atomic_ref(touched_[region / 64]).load(std::memory_order_acquire) >> (region % 64);
    if (word != 0) {
      region += static_cast<uint64_t>(std::countr_zero(word));
      return std::min(std::max(unit, region * kRegionUnits), units_);
    }
    region = (region / 64 + 1) * 64;
  }
  return units_;
}

}  // namespace pynvme::ssd
