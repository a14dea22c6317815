// The media of one namespace behind a write-back cache: a flash translation layer without the
// flash. The map holds, per 4 KiB unit, a frame of memory and the state of each LBA in it; a write
// goes to a fresh frame, so the old one is still there until the write becomes durable. What a
// power loss takes away is therefore an undo log of (unit, old entry), bounded by the cache's size:
// its oldest entries become durable first. Frames come in huge-page chunks and lie dense, whatever
// LBAs were written. Thread safe; a unit is read and written as a whole, a longer transfer unit by
// unit. Ranges are the caller's to check.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "ssd/frontend/iovec.h"

namespace pynvme::ssd {

enum class MediaError : uint8_t { kNone, kUncorrectable, kMiscompare, kDeallocated };

class Media {
 public:
  static constexpr uint32_t kUnitBytes = 4096;

  struct Geometry {
    uint64_t bytes;
    uint32_t lba_bytes;    // 512 to 4096: the format of new media; a file keeps its own
    uint32_t cache_bytes;  // 0: every write is durable at once
    std::string file;      // empty: memory
    uint64_t file_offset_id =
        0;             // namespaces after the first have a file of their own: "<file>.<id>"
    int file_fd = -1;  // of `file`, when the drive has it open

    std::string path() const {
      return file_offset_id == 0 ? file : file + "." + std::to_string(file_offset_id);
    }
  };

  // Throws std::runtime_error.
  explicit Media(const Geometry& geometry);
  ~Media();

  uint64_t lba_count() const;
  uint32_t lba_bytes() const;
  uint64_t allocated_lbas() const;  // NUSE

  // `data` covers exactly nlb * lba_bytes bytes. On an error *bad_lba is the first LBA concerned;
  // what precedes it was transferred. Never-written and deallocated LBAs read as zeroes, unless
  // they are to be an error.
  MediaError read(uint64_t slba, uint32_t nlb, std::span<const IoVec> data, uint64_t* bad_lba,
                  bool deallocated_is_error = false);
  MediaError compare(uint64_t slba, uint32_t nlb, std::span<const IoVec> data, uint64_t* bad_lba,
                     bool deallocated_is_error = false);
  MediaError verify(uint64_t slba, uint32_t nlb, uint64_t* bad_lba,
                    bool deallocated_is_error = false);
  // The first uncorrectable LBAs that follow each other in [slba, end); {end, end}: none.
  struct Range {
    uint64_t begin;
    uint64_t end;
  };
  Range next_uncorrectable(uint64_t slba, uint64_t end) const;
  // What follows throws std::runtime_error when memory or disk are full or the file fails; units
  // before that one are changed then, and those after it are not. durable: FUA, or the cache is
  // switched off.
  void write(uint64_t slba, uint32_t nlb, std::span<const IoVec> data, bool durable);
  void write_zeroes(uint64_t slba, uint64_t nlb, bool durable);
  void write_uncorrectable(uint64_t slba, uint64_t nlb, bool durable);
  void deallocate(uint64_t slba, uint64_t nlb, bool durable);
  // Hints: the unit will be read a few commands from now; it will be read next but one or so. Two
  // steps, because the second has to load what the first one fetches.
  void prefetch_map(uint64_t slba) const;
  void prefetch(uint64_t slba) const;

  void flush();       // with a file: to the disk
  void power_lost();  // undoes all that is not durable
  uint64_t unflushed_bytes() const;
  void format(uint32_t lba_bytes);  // all LBAs deallocated, durable
  // After a format: every LBA allocated, and holding its part of one unit of kUnitBytes; durable.
  void fill(const uint8_t* unit);

  // 4 KiB in the file for what else has to outlive the process; empty without a file.
  std::span<uint8_t> persistent_area();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace pynvme::ssd
