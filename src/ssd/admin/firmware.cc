// Download, commit and activation.
#include "ssd/admin/firmware.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <utility>

#include "base/crc.h"
#include "spec/command_fields.h"

namespace pynvme::ssd {
namespace {

constexpr uint64_t kMagic = 0x3130'5257'4D46'5950;  // "PYFMWR01"
// Far more than firmware needs, and a bound for what a host can make us keep.
constexpr uint64_t kImageBytesMax = 64U << 20;

std::string revision_of(const std::vector<uint8_t>& image) {
  std::string revision(8, ' ');
  for (size_t i = 0; i < revision.size() && i < image.size(); ++i) {
    if (image[i] < 0x20 || image[i] > 0x7E) {
      char name[16];
      std::snprintf(name, sizeof name, "%08X", base::crc32c(image.data(), image.size()));
      return name;
    }
    revision[i] = static_cast<char>(image[i]);
  }
  return revision;
}

}  // namespace

Firmware::Firmware(const std::string& revision) : factory_(revision) { revision_[1] = revision; }

void Firmware::keep_in(std::span<uint8_t> store) {
  state_ = reinterpret_cast<State*>(store.data());
  const auto text = [](const char(&field)[8]) {
    return std::string(field, strnlen(field, sizeof field));
  };
  if (state_->magic == kMagic && text(state_->factory) == factory_ && state_->active != 0 &&
      state_->active <= kFirmwareSlots && state_->next <= kFirmwareSlots) {
    for (size_t i = 0; i < kFirmwareSlots; ++i) revision_[i + 1] = text(state_->revision[i]);
    active_ = state_->active;
    next_ = state_->next;
  }
  this->store();
}

void Firmware::store() {
  if (state_ == nullptr) return;
  State state{};
  state.magic = kMagic;
  const auto set = [](char(&field)[8], const std::string& text) {
    std::memcpy(field, text.data(), std::min(sizeof field, text.size()));
  };
  set(state.factory, factory_);
  for (size_t i = 0; i < kFirmwareSlots; ++i) set(state.revision[i], revision_[i + 1]);
  state.active = active_;
  state.next = next_;
  *state_ = state;
}

bool Firmware::accepts(uint64_t offset, uint64_t bytes) { return offset + bytes <= kImageBytesMax; }

uint16_t Firmware::download(uint64_t offset, std::vector<uint8_t> piece) {
  for (const Piece& other : pieces_) {
    if (offset < other.offset + other.bytes.size() && other.offset < offset + piece.size()) {
      overlapped_ = true;
      return fail_specific(spec::sc::kOverlappingRange);
    }
  }
  pieces_.push_back({offset, std::move(piece)});
  return kSuccess;
}

uint16_t Firmware::take_image(std::string* revision) {
  std::vector<Piece> pieces = std::move(pieces_);
  pieces_.clear();
  if (std::exchange(overlapped_, false)) return fail_specific(spec::sc::kOverlappingRange);
  std::sort(pieces.begin(), pieces.end(),
            [](const Piece& a, const Piece& b) { return a.offset < b.offset; });
  std::vector<uint8_t> image;
  for (const Piece& piece : pieces) {
    if (piece.offset != image.size()) return fail_specific(spec::sc::kInvalidFirmwareImage);
    image.insert(image.end(), piece.bytes.begin(), piece.bytes.end());
  }
  if (image.empty()) return fail_specific(spec::sc::kInvalidFirmwareImage);
  *revision = revision_of(image);
  return kSuccess;
}

uint16_t Firmware::commit(uint8_t slot, uint8_t action, bool* activates_now) {
  namespace code = spec::firmware_action_code;
  *activates_now = false;
  if (action > code::kActivateNow) return kInvalidField;  // there are no boot partitions
  if (slot > kFirmwareSlots) return fail_specific(spec::sc::kInvalidFirmwareSlot);
  const bool downloaded = !pieces_.empty() || overlapped_;
  const bool replaces = action == code::kReplace || action == code::kReplaceActivateAtReset ||
                        (action == code::kActivateNow && downloaded);
  // Slot 0 leaves the choice to the controller: the first that does not hold the running image.
  if (slot == 0) {
    slot = replaces ? static_cast<uint8_t>(active_ == 1 ? 2 : 1) : active_;
  }
  if (replaces) {
    std::string revision;
    if (const uint16_t status = take_image(&revision); status != kSuccess) return status;
    revision_[slot] = revision;
    if (slot == next_) next_ = 0;
  }
  if (revision_[slot].empty()) return fail_specific(spec::sc::kInvalidFirmwareImage);
  if (action == code::kReplaceActivateAtReset || action == code::kActivateAtReset) next_ = slot;
  if (action == code::kActivateNow) {
    active_ = slot;
    next_ = 0;
    *activates_now = true;
  }
  store();
  return kSuccess;
}

void Firmware::reset() {
  pieces_.clear();
  overlapped_ = false;
  if (next_ == 0) return;
  active_ = std::exchange(next_, uint8_t{0});
  store();
}

spec::FirmwareSlotLog Firmware::log() const {
  spec::FirmwareSlotLog log{};
  log.afi = static_cast<uint8_t>(next_ << 4 | active_);
  for (uint8_t slot = 1; slot <= kFirmwareSlots; ++slot) {
    if (revision_[slot].empty()) continue;
    std::memset(log.frs[slot - 1], ' ', 8);
    std::memcpy(log.frs[slot - 1], revision_[slot].data(),
                std::min<size_t>(8, revision_[slot].size()));
  }
  return log;
}

}  // namespace pynvme::ssd
