// Sharing out the capacity, identifiers that no two namespaces of a drive ever have in common, and
// the layout in the drive's file.
#include "ssd/nvm/namespaces.h"

#include <atomic>
#include <bit>
#include <stdexcept>
#include <string>

#include "base/crc.h"
#include "ssd/media/media_file.h"

namespace pynvme::ssd {
namespace {

// Locally administered, so that it is nobody's: there is no company behind this SSD.
constexpr std::array<uint8_t, 3> kOui = {0x02, 0x50, 0x59};

// Of a packed entry: the rest is the size in sectors of 512 bytes.
constexpr unsigned kExists = 63;
constexpr unsigned kAttached = 62;
constexpr unsigned kShared = 61;
constexpr unsigned kLbaShift = 59;  // 2 bits
constexpr unsigned kCreation = 40;  // 19 bits
constexpr uint64_t kCreationMask = (1 << 19) - 1;
constexpr uint64_t kSectorsMask = (1ULL << kCreation) - 1;

}  // namespace

Namespace::Namespace(uint32_t id, uint64_t creation_number, const Media::Geometry& geometry,
                     const Config& config)
    : nsid(id),
      creation(creation_number),
      bytes(geometry.bytes),
      created_lba_bytes(geometry.lba_bytes),
      media(geometry) {
  std::string seed = config.model + "/" + config.serial;
  if (creation != 0) seed.append("/").append(std::to_string(creation));
  const uint32_t device = base::crc32c(seed.data(), seed.size());
  // EUI-64: OUI, then 40 bits of ours. NGUID: 64 bits of ours, OUI, the same 40 bits.
  for (size_t i = 0; i < kOui.size(); ++i) eui64[i] = nguid[8 + i] = kOui[i];
  for (unsigned i = 0; i < 4; ++i) {
    const auto device_byte = static_cast<uint8_t>(device >> (24 - 8 * i));
    eui64[3 + i] = nguid[11 + i] = device_byte;
    nguid[i] = static_cast<uint8_t>(~device_byte);
    nguid[4 + i] = static_cast<uint8_t>(nsid >> (24 - 8 * i));
  }
  eui64[7] = nguid[15] = static_cast<uint8_t>(nsid);
  refresh();
}

void Namespace::refresh() {
  lba_bytes = media.lba_bytes();
  lba_count = media.lba_count();
  lba_shift = static_cast<uint32_t>(std::countr_zero(lba_bytes));
  // Never one that an earlier namespace of this NSID had.
  static std::atomic<uint32_t> epochs{0};
  epoch = ++epochs;
}

uint64_t Namespace::capacity_bytes() const { return Namespaces::capacity_of(bytes); }

Namespaces::Entry Namespaces::Entry::unpack(uint64_t packed) {
  const auto flag = [packed](unsigned bit) { return (packed >> bit & 1) != 0; };
  return {flag(kExists),
          flag(kAttached),
          flag(kShared),
          packed >> kCreation & kCreationMask,
          (packed & kSectorsMask) * 512,
          512U << (packed >> kLbaShift & 3)};
}

uint64_t Namespaces::Entry::pack() const {
  if (!exists) return 0;
  return 1ULL << kExists | uint64_t{attached} << kAttached | uint64_t{shared} << kShared |
         static_cast<uint64_t>(std::countr_zero(lba_bytes / 512)) << kLbaShift |
         (creation & kCreationMask) << kCreation | bytes / 512;
}

Namespaces::Namespaces(const Config& config)
    : config_(config),
      drive_(config.file),
      slots_(config.namespace_limit()),
      active_(config.namespace_limit()) {
  if (drive_.has_layout()) {
    open_layout();
  } else {
    open_factory();
  }
  drive_.map();
  list();
}

void Namespaces::open_factory() {
  const uint64_t share =
      config_.capacity_bytes / config_.namespaces / Media::kUnitBytes * Media::kUnitBytes;
  for (uint32_t nsid = 1; nsid <= config_.namespaces; ++nsid) {
    const uint64_t bytes = config_.ns_bytes.empty() ? share : config_.ns_bytes[nsid - 1];
    const uint32_t lba_bytes =
        config_.ns_formats.empty() ? config_.lba_bytes : config_.ns_formats[nsid - 1];
    open(nsid, {true, true, false, 0, bytes, lba_bytes});
  }
}

void Namespaces::open_layout() {
  drive_.map();
  const DriveLayout& layout = drive_.layout();
  if (layout.capacity_bytes != config_.capacity_bytes || layout.namespaces != config_.namespaces ||
      layout.lba_bytes != config_.lba_bytes) {
    throw std::runtime_error(
        "the embedded SSD cannot use the media file " + config_.file + ": it was made for " +
        std::to_string(layout.capacity_bytes) + " bytes in " + std::to_string(layout.namespaces) +
        " namespaces with lba=" + std::to_string(layout.lba_bytes) +
        "; give the same capacity, namespaces and lba as then, or name another file");
  }
  for (uint32_t nsid = 1; nsid <= limit(); ++nsid) {
    const Entry entry = Entry::unpack(layout.entries[nsid - 1]);
    if (entry.exists) open(nsid, entry);
  }
}

Namespace& Namespaces::open(uint32_t nsid, const Entry& entry) {
  Media::Geometry geometry{entry.bytes,  entry.lba_bytes, config_.cache_bytes / config_.namespaces,
                           config_.file, nsid - 1,        nsid == 1 ? drive_.fd() : -1};
  auto& slot = slots_[nsid - 1];
  slot = std::make_unique<Namespace>(nsid, entry.creation, geometry, config_);
  slot->shared = entry.shared;
  active_[nsid - 1] = entry.attached ? slot.get() : nullptr;
  return *slot;
}

void Namespaces::list() {
  all_.clear();
  for (const auto& slot : slots_) {
    if (slot != nullptr) all_.push_back(slot.get());
  }
}

void Namespaces::store(uint32_t nsid) {
  DriveLayout& layout = drive_.layout();
  const auto entry_of = [this](uint32_t id) {
    const Namespace* const ns = find_allocated(id);
    if (ns == nullptr) return uint64_t{0};
    return Entry{true, attached(*ns), ns->shared, ns->creation, ns->bytes, ns->created_lba_bytes}
        .pack();
  };
  const auto put = [&](uint32_t id) {
    std::atomic_ref(layout.entries[id - 1]).store(entry_of(id), std::memory_order_release);
  };
  if (layout.magic == DriveLayout::kMagic) return put(nsid);
  layout.capacity_bytes = config_.capacity_bytes;
  layout.namespaces = config_.namespaces;
  layout.lba_bytes = config_.lba_bytes;
  for (uint32_t id = 1; id <= limit(); ++id) put(id);
  std::atomic_ref(layout.magic).store(DriveLayout::kMagic, std::memory_order_release);
}

uint64_t Namespaces::capacity_of(uint64_t bytes) {
  return (bytes + Media::kUnitBytes - 1) / Media::kUnitBytes * Media::kUnitBytes;
}

uint64_t Namespaces::unallocated_bytes() const {
  uint64_t left = config_.capacity_bytes;
  for (const Namespace* const ns : all_) left -= ns->capacity_bytes();
  return left;
}

Namespace* Namespaces::create(uint64_t bytes, uint32_t lba_bytes, bool shared) {
  uint32_t nsid = 1;
  while (nsid <= limit() && slots_[nsid - 1] != nullptr) ++nsid;
  if (nsid > limit()) return nullptr;
  remove_media(nsid);  // what a killed process left half made or half removed
  uint64_t& created = drive_.layout().created;
  Namespace& ns = open(nsid, {true, false, shared, created + 1, bytes, lba_bytes});
  ++created;
  list();
  store(nsid);
  return &ns;
}

void Namespaces::remove(uint32_t nsid) {
  active_[nsid - 1] = nullptr;
  std::unique_ptr<Namespace> gone = std::move(slots_[nsid - 1]);
  store(nsid);
  list();
  gone.reset();
  remove_media(nsid);
}

void Namespaces::remove_media(uint32_t nsid) {
  if (config_.file.empty()) return;
  if (nsid == 1) {
    drive_.remove_media();
  } else {
    MediaFile::remove(Media::Geometry{0, 0, 0, config_.file, nsid - 1}.path());
  }
}

void Namespaces::set_attached(Namespace& ns, bool attached) {
  active_[ns.nsid - 1] = attached ? &ns : nullptr;
  store(ns.nsid);
}

void Namespaces::flush() {
  for (Namespace* const ns : all_) ns->media.flush();
}

void Namespaces::power_lost() {
  for (Namespace* const ns : all_) ns->media.power_lost();
}

uint64_t Namespaces::unflushed_bytes() const {
  uint64_t bytes = 0;
  for (const Namespace* const ns : all_) bytes += ns->media.unflushed_bytes();
  return bytes;
}

}  // namespace pynvme::ssd
