// One entry of the media's map: where a 4 KiB unit's data lie and what state each of its eight
// 512-byte sectors is in. The upper byte is for the running process only and never reaches a file.
#pragma once

#include <cstdint>

namespace pynvme::ssd {

inline constexpr uint32_t kSectorBytes = 512;
inline constexpr uint32_t kUnitSectors = 8;
inline constexpr uint8_t kAllSectors = 0xFF;

// What an operation makes of the sectors it covers. A sector that is allocated without data reads
// as zeroes.
struct Change {
  uint8_t sectors;
  bool data;
  bool allocated;
  bool uncorrectable;
};

class Entry {
 public:
  constexpr Entry() = default;
  constexpr explicit Entry(uint64_t bits) : bits_(bits) {}

  constexpr uint64_t bits() const { return bits_; }
  constexpr uint32_t frame() const { return static_cast<uint32_t>(bits_); }  // 0: none
  constexpr uint8_t data() const { return static_cast<uint8_t>(bits_ >> kData); }
  constexpr uint8_t allocated() const { return static_cast<uint8_t>(bits_ >> kAllocated); }
  constexpr uint8_t uncorrectable() const { return static_cast<uint8_t>(bits_ >> kUncorrectable); }
  // The part that outlives the process.
  constexpr Entry lasting() const { return Entry(bits_ & kLastingMask); }

  constexpr bool locked() const { return (bits_ & kLocked) != 0; }
  constexpr Entry as_locked() const { return Entry(bits_ | kLocked); }
  // The undo log holds the unit's durable state, which differs from this one.
  constexpr bool dirty() const { return (bits_ & kDirty) != 0; }
  // The undo log's state names the same frame as this one.
  constexpr bool shared() const { return (bits_ & kShared) != 0; }

  constexpr Entry with_frame(uint32_t frame) const {
    return Entry((bits_ & ~uint64_t{UINT32_MAX}) | frame);
  }
  constexpr Entry with_flags(bool dirty, bool shared) const {
    return Entry((bits_ & kLastingMask) | (dirty ? kDirty : 0) | (shared ? kShared : 0));
  }
  // A change that leaves no data leaves no frame either; the frame for new data is the caller's to
  // name.
  constexpr Entry with(Change change) const {
    const auto set = [&](uint8_t old, bool on) {
      return static_cast<uint64_t>(on ? old | change.sectors : old & ~change.sectors & 0xFF);
    };
    const uint64_t data_bits = set(data(), change.data);
    return Entry((bits_ & (kFlagMask | (data_bits != 0 ? UINT32_MAX : 0))) | data_bits << kData |
                 set(allocated(), change.allocated) << kAllocated |
                 set(uncorrectable(), change.uncorrectable) << kUncorrectable);
  }

  constexpr bool operator==(const Entry&) const = default;

 private:
  static constexpr unsigned kData = 32;
  static constexpr unsigned kAllocated = 40;
  static constexpr unsigned kUncorrectable = 48;
  static constexpr uint64_t kLocked = 1ULL << 56;
  static constexpr uint64_t kDirty = 1ULL << 57;
  static constexpr uint64_t kShared = 1ULL << 58;
  static constexpr uint64_t kLastingMask = (1ULL << 56) - 1;
  static constexpr uint64_t kFlagMask = ~kLastingMask;

  uint64_t bits_ = 0;
};

}  // namespace pynvme::ssd
