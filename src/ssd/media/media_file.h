// The file behind a namespace's media: a header, the map and the frames, all mapped shared, so that
// what was written outlives a killed process. The file is sparse; space is allocated before it is
// touched, because a full disk met in mapped memory would be a SIGBUS. One process at a time has
// it, by flock. After a crash of the whole machine, what was not overwritten since the last sync()
// is intact.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "ssd/media/frame_pool.h"
#include "ssd/media/media_entry.h"

namespace pynvme::ssd {

class MediaFile final : public FrameStore {
 public:
  // Opens the file, or makes it. Throws std::runtime_error, and leaves the file as it was, when it
  // is in use, foreign, damaged, or of another capacity or factory format. shared_fd: of a file
  // that is open and locked already, -1: none; its first two pages stay whatever happens.
  MediaFile(const std::string& path, uint64_t bytes, uint32_t factory_lba_bytes,
            uint64_t max_frames, int shared_fd = -1);
  ~MediaFile() override;
  MediaFile(const MediaFile&) = delete;
  MediaFile& operator=(const MediaFile&) = delete;

  // Opens a file, or makes an empty one, and locks it. Throws std::runtime_error.
  static int open_locked(const std::string& path);
  // Whether it begins as a media file does, or with the page of zeroes of one that was removed.
  static bool has_header_or_none(int fd);
  // Removes the file if it is a media file that nobody has open, and the namespace is gone.
  static void remove(const std::string& path);
  [[noreturn]] static void fail_system(const std::string& path, const std::string& what, int error);

  // The format the namespace has now.
  uint32_t lba_bytes() const;
  void set_lba_bytes(uint32_t lba_bytes);

  // The frame that units without an entry of their own share; 0: they have none.
  uint32_t fill_frame() const;
  void set_fill_frame(uint32_t frame);

  // The frames that the map names.
  const std::vector<bool>& used_frames() const { return used_frames_; }
  // Calls visit for each unit that has a state.
  void for_each_entry(const std::function<void(uint64_t unit, Entry entry)>& visit) const;

  void allocate_map(uint64_t first_unit, uint64_t units);
  void store_entry(uint64_t unit, Entry entry) {
    std::atomic_ref(map_[unit]).store(entry.bits() ^ blank_, std::memory_order_relaxed);
  }
  void sync();

  // 4 KiB for what else has to outlive the process; zeroes in a new file.
  std::span<uint8_t> persistent_area() const;

  uint8_t* base() const override { return mapping_ + frames_offset_; }
  uint64_t max_frames() const override { return max_frames_; }
  void grow(uint64_t frames) override;
  void shrink() override;

 private:
  struct Header;

  Header& header() const { return *reinterpret_cast<Header*>(mapping_); }
  static bool has_magic(int fd);
  [[noreturn]] static void fail(const std::string& path, const std::string& what);
  [[noreturn]] void fail(const std::string& what) const { fail(path_, what); }
  [[noreturn]] void fail_system(const std::string& what, int error) const {
    fail_system(path_, what, error);
  }
  void create(const Header& expected, uint64_t file_bytes);
  void check(const Header& expected, uint64_t file_bytes);
  void check_map();
  void allocate(uint64_t offset, uint64_t bytes);
  void close();
  void set_blank();

  std::string path_;
  int fd_ = -1;
  uint64_t units_;
  uint64_t frames_offset_;
  uint64_t frames_in_file_ = 0;
  uint64_t max_frames_;
  uint8_t* mapping_ = nullptr;
  uint64_t mapping_bytes_ = 0;
  uint64_t* map_ = nullptr;
  uint64_t blank_ = 0;  // what is in the map as 0
  std::vector<bool> used_frames_;
};

}  // namespace pynvme::ssd
