#include "ssd/media/media.h"

#include <cstring>
#include <string>

#include "ssd/frontend/io_cursor.h"
#include "ssd/media/media_impl.h"
#include "ssd/media/memory_limit.h"

namespace pynvme::ssd {
namespace {

// Each writing thread holds a frame or two that no unit and no record names.
constexpr uint64_t kFramesInFlight = 4096;

constexpr uint64_t units_of(uint64_t bytes) {
  return (bytes + Media::kUnitBytes - 1) / Media::kUnitBytes;
}

constexpr uint32_t records_of(uint32_t cache_bytes) {
  return cache_bytes == 0 ? 0 : std::max(cache_bytes / Media::kUnitBytes, 1U);
}

uint64_t max_frames_of(const Media::Geometry& geometry) {
  const uint64_t frames =
      units_of(geometry.bytes) + records_of(geometry.cache_bytes) + kFramesInFlight;
  return (frames / FrameStore::kChunkFrames + 1) * FrameStore::kChunkFrames;
}

std::unique_ptr<MediaFile> open_file(const Media::Geometry& geometry) {
  if (geometry.file.empty()) return nullptr;
  return std::make_unique<MediaFile>(geometry.path(), geometry.bytes, geometry.lba_bytes,
                                     max_frames_of(geometry), geometry.file_fd);
}

std::unique_ptr<MemoryFrames> reserve_memory(const Media::Geometry& geometry) {
  if (!geometry.file.empty()) return nullptr;
  return std::make_unique<MemoryFrames>(max_frames_of(geometry), available_memory_bytes);
}

// Calls visit(begin, end, set) for each run of equal bits in [begin, end) of mask while it returns
// true.
template <typename Visit>
void for_each_run(uint8_t mask, unsigned begin, unsigned end, Visit visit) {
  while (begin < end) {
    const bool set = (mask >> begin & 1) != 0;
    unsigned run_end = begin + 1;
    while (run_end < end && ((mask >> run_end & 1) != 0) == set) ++run_end;
    if (!visit(begin, run_end, set)) return;
    begin = run_end;
  }
}

alignas(64) constexpr uint8_t kZeroes[Media::kUnitBytes] = {};

}  // namespace

Media::Impl::Impl(const Geometry& geometry)
    : bytes(geometry.bytes),
      file(open_file(geometry)),
      memory(reserve_memory(geometry)),
      map(units_of(bytes), file.get()),
      pool(file != nullptr ? static_cast<FrameStore&>(*file) : *memory,
           file != nullptr ? file->used_frames() : std::vector<bool>()),
      undo(records_of(geometry.cache_bytes), units_of(bytes)) {
  set_lba_bytes(file != nullptr ? file->lba_bytes() : geometry.lba_bytes);
  if (file == nullptr) return;
  if (file->fill_frame() != 0) set_blank(Entry().with(kWholeUnit).with_frame(file->fill_frame()));
  file->for_each_entry([this](uint64_t unit, Entry entry) {
    map.touch(unit);
    map.unlock(unit, entry);
    count_allocated(map.blank(), entry);
  });
}

template <typename Visit>
MediaError Media::Impl::check_range(uint64_t slba, uint64_t nlb, uint64_t* bad_lba,
                                    bool deallocated_is_error, Visit visit) {
  MediaError error = MediaError::kNone;
  const auto stop = [&](MediaError what, uint64_t unit, unsigned sector) {
    error = what;
    *bad_lba = (unit * kUnitSectors + sector) >> shift();
    return map.units();
  };
  for_each_unit(slba, nlb, [&](uint64_t unit, unsigned begin, unsigned end) {
    Entry entry = map.load(unit);
    // Without a frame the entry says all; with one, the lock keeps the frame from being used anew.
    const bool lock = entry.frame() != 0;
    if (lock) entry = map.lock(unit);
    const int wrong =
        deallocated_is_error ? entry.uncorrectable() | ~entry.allocated() : entry.uncorrectable();
    const auto bad = static_cast<uint8_t>(wrong & sector_mask(begin, end));
    const unsigned good_end = bad == 0 ? end : static_cast<unsigned>(std::countr_zero(bad));
    const unsigned differs = visit(entry, begin, good_end);
    if (lock) map.unlock(unit, entry);
    if (differs < good_end) return stop(MediaError::kMiscompare, unit, differs);
    if (bad != 0) {
      const bool unreadable = (entry.uncorrectable() >> good_end & 1) != 0;
      return stop(unreadable ? MediaError::kUncorrectable : MediaError::kDeallocated, unit,
                  good_end);
    }
    return unit + 1;
  });
  return error;
}

Media::Media(const Geometry& geometry) : impl_(std::make_unique<Impl>(geometry)) {}
Media::~Media() = default;

uint64_t Media::lba_count() const { return impl_->bytes / lba_bytes(); }
uint32_t Media::lba_bytes() const { return kSectorBytes << impl_->shift(); }
uint64_t Media::allocated_lbas() const {
  return static_cast<uint64_t>(impl_->allocated_sectors.load(std::memory_order_relaxed)) >>
         impl_->shift();
}

MediaError Media::read(uint64_t slba, uint32_t nlb, std::span<const IoVec> data, uint64_t* bad_lba,
                       bool deallocated_is_error) {
  Impl& impl = *impl_;
  const uint64_t sector = slba << impl.shift();
  // One whole unit into one piece of memory: what random 4 KiB reads are.
  if (nlb << impl.shift() == kUnitSectors && sector % kUnitSectors == 0 && data.size() == 1) {
    const uint64_t unit = sector / kUnitSectors;
    if (impl.map.load(unit).data() == kAllSectors) {
      const Entry entry = impl.map.lock(unit);
      const bool whole = entry.data() == kAllSectors;
      if (whole) std::memcpy(data[0].base, impl.pool.data(entry.frame()), kUnitBytes);
      impl.map.unlock(unit, entry);
      if (whole) return MediaError::kNone;
    }
  }
  IoCursor host(data);
  const auto visit = [&](Entry entry, unsigned begin, unsigned end) {
    for_each_run(entry.data(), begin, end, [&](unsigned from, unsigned to, bool has_data) {
      const uint32_t bytes = (to - from) * kSectorBytes;
      if (has_data) {
        host.to_host(impl.pool.data(entry.frame()) + from * kSectorBytes, bytes);
      } else {
        host.zero_host(bytes);
      }
      return true;
    });
    return end;
  };
  return impl.check_range(slba, nlb, bad_lba, deallocated_is_error, visit);
}

MediaError Media::compare(uint64_t slba, uint32_t nlb, std::span<const IoVec> data,
                          uint64_t* bad_lba, bool deallocated_is_error) {
  IoCursor host(data);
  const auto visit = [&](Entry entry, unsigned begin, unsigned end) {
    unsigned differs = end;
    for_each_run(entry.data(), begin, end, [&](unsigned from, unsigned to, bool has_data) {
      const uint8_t* media = has_data ? impl_->pool.data(entry.frame()) : kZeroes;
      for (; from < to; ++from) {
        if (!host.equals(media + from * kSectorBytes, kSectorBytes)) {
          differs = from;
          return false;
        }
      }
      return true;
    });
    return differs;
  };
  return impl_->check_range(slba, nlb, bad_lba, deallocated_is_error, visit);
}

MediaError Media::verify(uint64_t slba, uint32_t nlb, uint64_t* bad_lba,
                         bool deallocated_is_error) {
  return impl_->check_range(slba, nlb, bad_lba, deallocated_is_error,
                            [](Entry, unsigned, unsigned end) { return end; });
}

Media::Range Media::next_uncorrectable(uint64_t slba, uint64_t end) const {
  const Impl& impl = *impl_;
  const unsigned shift = impl.shift();
  const uint64_t last = end << shift;
  uint64_t begin = last;
  for (uint64_t sector = slba << shift; sector < last;) {
    const uint64_t unit = sector / kUnitSectors;
    const uint8_t bad = impl.map.load(unit).uncorrectable();
    if (bad == 0) {
      if (begin != last) return {begin >> shift, sector >> shift};
      // What no write ever came near holds nothing.
      sector = impl.map.next_touched(unit + 1) * kUnitSectors;
      continue;
    }
    for (const uint64_t unit_end = std::min(last, (unit + 1) * kUnitSectors); sector < unit_end;
         ++sector) {
      const bool is_bad = (bad >> (sector % kUnitSectors) & 1) != 0;
      if (is_bad && begin == last) begin = sector;
      if (!is_bad && begin != last) return {begin >> shift, sector >> shift};
    }
  }
  return {begin >> shift, end};
}

void Media::prefetch_map(uint64_t slba) const {
  impl_->map.prefetch((slba << impl_->shift()) / kUnitSectors);
}

void Media::prefetch(uint64_t slba) const {
  const uint64_t unit = (slba << impl_->shift()) / kUnitSectors;
  const uint32_t frame = impl_->map.load(unit).frame();
  if (frame == 0) return;
  const uint8_t* data = impl_->pool.data(frame);
  // The rest follows by the processor's own prefetching once the copy runs.
  for (unsigned line = 0; line < 8; ++line) __builtin_prefetch(data + line * 64);
}

void Media::write(uint64_t slba, uint32_t nlb, std::span<const IoVec> data, bool durable) {
  impl_->write(slba, nlb, data, durable);
}
void Media::write_zeroes(uint64_t slba, uint64_t nlb, bool durable) {
  impl_->change_range(slba, nlb, /*allocated=*/true, /*uncorrectable=*/false, durable);
}
void Media::write_uncorrectable(uint64_t slba, uint64_t nlb, bool durable) {
  impl_->change_range(slba, nlb, /*allocated=*/true, /*uncorrectable=*/true, durable);
}
void Media::deallocate(uint64_t slba, uint64_t nlb, bool durable) {
  impl_->change_range(slba, nlb, /*allocated=*/false, /*uncorrectable=*/false, durable);
}

void Media::flush() { impl_->flush(); }
void Media::power_lost() { impl_->power_lost(); }
uint64_t Media::unflushed_bytes() const { return uint64_t{impl_->undo.count()} * kUnitBytes; }
void Media::format(uint32_t lba_bytes) { impl_->format(lba_bytes); }
void Media::fill(const uint8_t* unit) { impl_->fill(unit); }

std::span<uint8_t> Media::persistent_area() {
  return impl_->file != nullptr ? impl_->file->persistent_area() : std::span<uint8_t>();
}

}  // namespace pynvme::ssd
