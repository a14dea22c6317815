// Firmware slots and the image that is being downloaded (NVMe Base 2.0 §5.12, §5.13). An image here
// is any bytes: its revision is its first eight, where those are printable.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "spec/log.h"
#include "ssd/status_word.h"

namespace pynvme::ssd {

inline constexpr uint8_t kFirmwareSlots = 3;
inline constexpr uint8_t kFirmwareGranularity = 0xFF;  // FWUG: no restriction beyond whole dwords

class Firmware {
 public:
  explicit Firmware(const std::string& revision);
  // Takes the slots over that were kept there, and keeps them there from now on. What the drive
  // left the factory with has to be the same as then.
  void keep_in(std::span<uint8_t> store);

  // Whether a piece has a place in an image.
  static bool accepts(uint64_t offset, uint64_t bytes);
  // A piece that accepts() let through. Overlaps are told at once and spoil the image.
  uint16_t download(uint64_t offset, std::vector<uint8_t> piece);
  // Firmware Commit. *activates_now: action 3, the revision has changed.
  uint16_t commit(uint8_t slot, uint8_t action, bool* activates_now);

  // A Controller Level Reset activates what was committed for it and forgets what was downloaded.
  void reset();

  // A commit waits for a reset.
  bool activation_pending() const { return next_ != 0; }
  const std::string& revision() const { return revision_[active_]; }
  spec::FirmwareSlotLog log() const;

 private:
  struct Piece {
    uint64_t offset;
    std::vector<uint8_t> bytes;
  };
  // Little-endian; revisions padded with zeroes.
  struct State {
    uint64_t magic;
    char factory[8];
    char revision[kFirmwareSlots][8];
    uint8_t active;
    uint8_t next;
    uint8_t reserved[6];
  };
  uint16_t take_image(std::string* revision);
  void store();

  const std::string factory_;
  State* state_ = nullptr;
  std::array<std::string, kFirmwareSlots + 1> revision_;  // by slot, 1 to 3; empty: no image
  uint8_t active_ = 1;
  uint8_t next_ = 0;  // at the next reset; 0: stays
  std::vector<Piece> pieces_;
  bool overlapped_ = false;
};

}  // namespace pynvme::ssd
