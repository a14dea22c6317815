#include "ssd/media/drive_file.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "ssd/media/media_file.h"

namespace pynvme::ssd {
namespace {

constexpr uint64_t kPage = 4096;
constexpr uint64_t kPagesBytes = 2 * kPage;  // the media's header, the persistent area
constexpr uint64_t kPersistentBytes = kPage / 2;
constexpr uint64_t kLayoutOffset = kPage + kPersistentBytes;
static_assert(kLayoutOffset + sizeof(DriveLayout) <= kPagesBytes);

}  // namespace

DriveFile::DriveFile(const std::string& path) : path_(path) {
  if (path.empty()) return;
  fd_ = MediaFile::open_locked(path);
  struct stat status {};
  DriveLayout found{};
  if (fstat(fd_, &status) != 0 || status.st_size < static_cast<off_t>(kPagesBytes) ||
      pread(fd_, &found, sizeof(found), kLayoutOffset) != static_cast<ssize_t>(sizeof(found))) {
    return;
  }
  // A file of something else may hold anything here, but not a media file's header as well.
  if (found.magic == DriveLayout::kMagic && MediaFile::has_header_or_none(fd_)) own_ = found;
}

DriveFile::~DriveFile() {
  if (pages_ != nullptr) munmap(pages_, kPagesBytes);
  if (fd_ >= 0) close(fd_);
}

void DriveFile::map() {
  if (fd_ < 0 || pages_ != nullptr) return;
  void* pages = mmap(nullptr, kPagesBytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd_, 0);
  if (pages == MAP_FAILED) MediaFile::fail_system(path_, "it could not be mapped", errno);
  pages_ = static_cast<uint8_t*>(pages);
  layout_ = reinterpret_cast<DriveLayout*>(pages_ + kLayoutOffset);
}

std::span<uint8_t> DriveFile::persistent_area() const {
  return pages_ == nullptr ? std::span<uint8_t>()
                           : std::span<uint8_t>(pages_ + kPage, kPersistentBytes);
}

void DriveFile::remove_media() {
  if (fd_ < 0) return;
  std::fill_n(pages_, kPage, uint8_t{0});
  // Left as it is when that fails: the space is only not given back.
  static_cast<void>(ftruncate(fd_, static_cast<off_t>(kPagesBytes)));
}

}  // namespace pynvme::ssd
