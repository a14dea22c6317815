// The first pages of a drive's file, which outlive the namespace whose media follow them: the
// drive's persistent area, and in its second half the layout, where namespaces that were managed
// have their entries. Without a file it keeps the layout in memory. What the entries mean is for
// the namespaces to know.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>

namespace pynvme::ssd {

// What a drive's namespaces are. Each entry changes by a single store, so that a killed process
// leaves the old one or the new one. magic 0: as it left the factory.
struct DriveLayout {
  static constexpr uint64_t kMagic = 0x3154'554F'5941'4C70;  // "pLAYOUT1"
  static constexpr size_t kEntries = 143;

  uint64_t magic;
  uint64_t capacity_bytes;  // what it left the factory with
  uint32_t namespaces;
  uint32_t lba_bytes;
  uint64_t created;  // namespaces so far
  std::array<uint64_t, kEntries> entries;
};

class DriveFile {
 public:
  // path "": memory. Opens the file and has it until the end; makes an empty one. Throws
  // std::runtime_error.
  explicit DriveFile(const std::string& path);
  ~DriveFile();
  DriveFile(const DriveFile&) = delete;
  DriveFile& operator=(const DriveFile&) = delete;

  int fd() const { return fd_; }  // -1: memory
  // A layout was found, or written since.
  bool has_layout() const { return layout().magic == DriveLayout::kMagic; }
  DriveLayout& layout() { return *layout_; }
  const DriveLayout& layout() const { return *layout_; }
  // What is not the layout's; empty in memory. Only after map().
  std::span<uint8_t> persistent_area() const;

  // To be called when the first namespace's media are open, which makes the pages, or when a layout
  // was found.
  void map();
  // Nothing but the pages stays.
  void remove_media();

 private:
  std::string path_;
  int fd_ = -1;
  uint8_t* pages_ = nullptr;
  DriveLayout own_{};
  DriveLayout* layout_ = &own_;
};

}  // namespace pynvme::ssd
