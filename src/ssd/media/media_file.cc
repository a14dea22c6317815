#include "ssd/media/media_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <stdexcept>
#include <system_error>

#include "base/crc.h"

namespace pynvme::ssd {
namespace {

constexpr uint64_t kPage = 4096;
constexpr uint64_t kPersistentOffset = kPage;
constexpr uint64_t kMapOffset = 2 * kPage;
constexpr char kMagic[16] = "pynvme media\r\n";
constexpr uint32_t kVersion = 1;

constexpr bool possible_lba_bytes(uint32_t bytes) {
  return bytes == 512 || bytes == 1024 || bytes == 2048 || bytes == 4096;
}

constexpr uint64_t round_up(uint64_t value, uint64_t step) {
  return (value + step - 1) / step * step;
}

}  // namespace

struct MediaFile::Header {
  char magic[16];
  uint32_t version;
  uint32_t factory_lba_bytes;
  uint64_t bytes;
  uint64_t frames_offset;
  uint32_t crc;         // of all before it
  uint32_t lba_bytes;   // changes with each format, by a single store
  uint32_t fill_frame;  // of units whose entry is 0
  uint32_t reserved;

  uint32_t computed_crc() const { return base::crc32c(this, offsetof(Header, crc)); }
};

MediaFile::MediaFile(const std::string& path, uint64_t bytes, uint32_t factory_lba_bytes,
                     uint64_t max_frames, int shared_fd)
    : path_(path),
      units_(round_up(bytes, kFrameBytes) / kFrameBytes),
      frames_offset_(kMapOffset + round_up(units_ * sizeof(uint64_t), kPage)),
      max_frames_(max_frames) {
  Header expected{};
  std::memcpy(expected.magic, kMagic, sizeof(kMagic));
  expected.version = kVersion;
  expected.factory_lba_bytes = factory_lba_bytes;
  expected.bytes = bytes;
  expected.frames_offset = frames_offset_;
  expected.crc = expected.computed_crc();
  expected.lba_bytes = factory_lba_bytes;

  fd_ = shared_fd < 0 ? open_locked(path) : dup(shared_fd);
  if (fd_ < 0) fail_system("it could not be opened again", errno);
  try {
    struct stat status {};
    if (fstat(fd_, &status) != 0) fail_system("it could not be examined", errno);
    auto file_bytes = static_cast<uint64_t>(status.st_size);
    const bool removed = shared_fd >= 0 && file_bytes == kMapOffset && !has_magic(fd_);
    if (file_bytes == 0 || (removed && has_header_or_none(fd_))) {
      create(expected, file_bytes);
      file_bytes = frames_offset_;
    }
    check(expected, file_bytes);
    frames_in_file_ = (file_bytes - frames_offset_) / kFrameBytes;
    max_frames_ = std::max(max_frames_, round_up(frames_in_file_, kChunkFrames));
    mapping_bytes_ = frames_offset_ + max_frames_ * kFrameBytes;
    void* mapping = mmap(nullptr, mapping_bytes_, PROT_READ | PROT_WRITE, MAP_SHARED, fd_, 0);
    if (mapping == MAP_FAILED) fail_system("it could not be mapped", errno);
    mapping_ = static_cast<uint8_t*>(mapping);
    map_ = reinterpret_cast<uint64_t*>(mapping_ + kMapOffset);
    set_blank();
    check_map();
  } catch (...) {
    close();
    throw;
  }
}

MediaFile::~MediaFile() { close(); }

int MediaFile::open_locked(const std::string& path) {
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOCTTY, 0644);
  if (fd < 0) fail_system(path, "it could not be opened", errno);
  try {
    struct stat status {};
    if (fstat(fd, &status) != 0) fail_system(path, "it could not be examined", errno);
    if (!S_ISREG(status.st_mode)) fail(path, "it is not a regular file");
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
      if (errno != EWOULDBLOCK) fail_system(path, "it could not be locked", errno);
      fail(path,
           "another embedded SSD has it in use, in this process or in another one; close that "
           "first");
    }
  } catch (...) {
    ::close(fd);
    throw;
  }
  return fd;
}

bool MediaFile::has_magic(int fd) {
  char magic[sizeof(kMagic)] = {};
  return pread(fd, magic, sizeof(magic), 0) == static_cast<ssize_t>(sizeof(magic)) &&
         std::memcmp(magic, kMagic, sizeof(magic)) == 0;
}

bool MediaFile::has_header_or_none(int fd) {
  if (has_magic(fd)) return true;
  char page[kPage] = {};
  return pread(fd, page, sizeof(page), 0) == static_cast<ssize_t>(sizeof(page)) &&
         std::all_of(std::begin(page), std::end(page), [](char c) { return c == 0; });
}

void MediaFile::remove(const std::string& path) {
  const int fd = open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOCTTY);
  if (fd < 0) return;
  if (flock(fd, LOCK_EX | LOCK_NB) == 0 && has_magic(fd)) unlink(path.c_str());
  ::close(fd);
}

void MediaFile::close() {
  if (mapping_ != nullptr) munmap(mapping_, mapping_bytes_);
  ::close(fd_);
}

void MediaFile::fail(const std::string& path, const std::string& what) {
  throw std::runtime_error("the embedded SSD cannot use the media file " + path + ": " + what);
}

void MediaFile::fail_system(const std::string& path, const std::string& what, int error) {
  fail(path, what + ": " + std::generic_category().message(error));
}

void MediaFile::create(const Header& expected, uint64_t file_bytes) {
  try {
    if (ftruncate(fd_, static_cast<off_t>(frames_offset_)) != 0) {
      fail_system("it could not be made " + std::to_string(frames_offset_) + " bytes long", errno);
    }
    allocate(0, kMapOffset);
    if (pwrite(fd_, &expected, sizeof(expected), 0) != static_cast<ssize_t>(sizeof(expected))) {
      fail_system("its header could not be written", errno);
    }
  } catch (...) {
    const char nothing[sizeof(Header)] = {};  // as it was
    static_cast<void>(ftruncate(fd_, static_cast<off_t>(file_bytes)));
    if (file_bytes != 0) static_cast<void>(pwrite(fd_, nothing, sizeof(nothing), 0) < 0);
    throw;
  }
}

void MediaFile::check(const Header& expected, uint64_t file_bytes) {
  Header found{};
  const ssize_t got = pread(fd_, &found, sizeof(found), 0);
  if (got < 0) fail_system("its header could not be read", errno);
  if (got < static_cast<ssize_t>(sizeof(found)) ||
      std::memcmp(found.magic, kMagic, sizeof(kMagic)) != 0) {
    fail("it is no pynvme media file; name another, or delete it if it is not needed");
  }
  if (found.version != kVersion) {
    fail("its layout is version " + std::to_string(found.version) + ", this pynvme knows version " +
         std::to_string(kVersion));
  }
  if (found.crc != found.computed_crc() || !possible_lba_bytes(found.lba_bytes)) {
    fail("its header is damaged");
  }
  if (found.bytes != expected.bytes || found.factory_lba_bytes != expected.factory_lba_bytes) {
    fail("it was made for " + std::to_string(found.bytes) + " bytes a namespace with lba=" +
         std::to_string(found.factory_lba_bytes) + ", not for " + std::to_string(expected.bytes) +
         " bytes with lba=" + std::to_string(expected.factory_lba_bytes) +
         "; give the same capacity, namespaces and lba as then, or name another file");
  }
  if (file_bytes < frames_offset_) {
    fail("it is truncated: " + std::to_string(file_bytes) + " bytes of at least " +
         std::to_string(frames_offset_));
  }
}

void MediaFile::for_each_entry(const std::function<void(uint64_t, Entry)>& visit) const {
  for (uint64_t unit = 0; unit < units_;) {
    // Only where the file has data: a 256 GB drive has half a gigabyte of map, nearly all of it a
    // hole.
    const off_t data =
        lseek(fd_, static_cast<off_t>(kMapOffset + unit * sizeof(uint64_t)), SEEK_DATA);
    if (data < 0) {
      if (errno == ENXIO) return;
      fail_system("its map could not be searched", errno);
    }
    unit = std::max(unit, (static_cast<uint64_t>(data) - kMapOffset) / sizeof(uint64_t));
    const uint64_t page_end = (unit / (kPage / sizeof(uint64_t)) + 1) * (kPage / sizeof(uint64_t));
    for (const uint64_t end = std::min(units_, page_end); unit < end; ++unit) {
      if (map_[unit] != 0) visit(unit, Entry(map_[unit] ^ blank_));
    }
  }
}

void MediaFile::check_map() {
  const unsigned step = lba_bytes() / kSectorBytes;
  const auto whole_lbas = [step](uint8_t sectors) {
    const unsigned lba = (1U << step) - 1;
    for (unsigned at = 0; at < kUnitSectors; at += step) {
      if ((sectors >> at & lba) != 0 && (sectors >> at & lba) != lba) return false;
    }
    return true;
  };
  used_frames_.assign(frames_in_file_, false);
  if (fill_frame() >= std::max<uint64_t>(frames_in_file_, 1)) {
    fail("it is damaged or truncated: the frame of what was overwritten is not in it");
  }
  if (fill_frame() != 0) used_frames_[fill_frame()] = true;
  for_each_entry([&](uint64_t unit, Entry entry) {
    const auto damaged = [&](const std::string& what) {
      fail("it is damaged or truncated: the map's entry " + std::to_string(unit) + " " + what);
    };
    if (entry != entry.lasting() || !whole_lbas(entry.data()) || !whole_lbas(entry.allocated()) ||
        !whole_lbas(entry.uncorrectable()) ||
        ((entry.data() | entry.uncorrectable()) & ~entry.allocated()) != 0 ||
        (entry.data() & entry.uncorrectable()) != 0 ||
        (entry.frame() == 0) != (entry.data() == 0)) {
      damaged("is not a possible one");
    }
    if (entry.frame() == 0 || entry.frame() == fill_frame()) return;
    if (entry.frame() >= frames_in_file_) {
      damaged("names frame " + std::to_string(entry.frame()) + " of " +
              std::to_string(frames_in_file_));
    }
    if (used_frames_[entry.frame()]) damaged("names a frame that another one has");
    used_frames_[entry.frame()] = true;
  });
}

uint32_t MediaFile::lba_bytes() const { return header().lba_bytes; }

void MediaFile::set_lba_bytes(uint32_t lba_bytes) { header().lba_bytes = lba_bytes; }

uint32_t MediaFile::fill_frame() const { return header().fill_frame; }

void MediaFile::set_fill_frame(uint32_t frame) {
  header().fill_frame = frame;
  set_blank();
}

void MediaFile::set_blank() {
  const Change whole{kAllSectors, true, true, false};
  blank_ = fill_frame() == 0 ? 0 : Entry().with(whole).with_frame(fill_frame()).bits();
}

std::span<uint8_t> MediaFile::persistent_area() const {
  return {mapping_ + kPersistentOffset, kPage};
}

void MediaFile::allocate(uint64_t offset, uint64_t bytes) {
  int error = 0;
  do {
    error = posix_fallocate(fd_, static_cast<off_t>(offset), static_cast<off_t>(bytes));
  } while (error == EINTR);
  if (error != 0) {
    fail_system("the disk gives it no more space (" + std::to_string(bytes >> 10) + " KiB)", error);
  }
}

void MediaFile::allocate_map(uint64_t first_unit, uint64_t units) {
  const uint64_t offset = kMapOffset + first_unit * sizeof(uint64_t);
  allocate(offset, std::min(units * sizeof(uint64_t), frames_offset_ - offset));
}

void MediaFile::grow(uint64_t frames) {
  if (frames <= frames_in_file_) return;
  allocate(frames_offset_ + frames_in_file_ * kFrameBytes,
           (frames - frames_in_file_) * kFrameBytes);
  frames_in_file_ = frames;
}

void MediaFile::shrink() {
  // Left as it is when that fails: the frames are only not given back.
  if (ftruncate(fd_, static_cast<off_t>(frames_offset_)) == 0) frames_in_file_ = 0;
}

void MediaFile::sync() {
  // Linux knows which pages of a shared mapping were written, so this covers them.
  if (fdatasync(fd_) != 0) fail_system("what was flushed could not be written to the disk", errno);
}

}  // namespace pynvme::ssd
