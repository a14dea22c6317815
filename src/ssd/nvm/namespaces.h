// The namespaces: their media, their format, their identifiers. All are active and attached.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "ssd/config.h"
#include "ssd/media/media.h"

namespace pynvme::ssd {

inline constexpr std::array<uint32_t, 2> kLbaFormats = {512, 4096};

struct Namespace {
  Namespace(uint32_t nsid, const Media::Geometry& geometry, const Config& config);

  // After a format; no I/O command is worked on meanwhile.
  void refresh();
  uint8_t format_index() const { return lba_bytes == kLbaFormats[0] ? 0 : 1; }

  const uint32_t nsid;
  Media media;
  // Copies of the media's, kept here because every command needs them.
  uint32_t lba_shift = 0;
  uint32_t lba_bytes = 0;
  uint64_t lba_count = 0;
  // What features say (Error Recovery's DULBE, Namespace Write Protection).
  std::atomic<bool> deallocated_is_error{false};
  std::atomic<bool> write_protected{false};
  std::array<uint8_t, 16> nguid{};
  std::array<uint8_t, 8> eui64{};
};

class Namespaces {
 public:
  explicit Namespaces(const Config& config);

  uint32_t count() const { return static_cast<uint32_t>(all_.size()); }
  // Null for 0, FFFFFFFFh and what does not exist.
  Namespace* find(uint32_t nsid) const {
    return nsid - 1 < all_.size() ? all_[nsid - 1].get() : nullptr;
  }
  const std::vector<std::unique_ptr<Namespace>>& all() const { return all_; }

  void flush();
  void power_lost();
  uint64_t unflushed_bytes() const;

 private:
  std::vector<std::unique_ptr<Namespace>> all_;
};

}  // namespace pynvme::ssd
