// Sharing out the capacity, and identifiers that differ between namespaces and between serial
// numbers.
#include "ssd/nvm/namespaces.h"

#include <bit>
#include <string>

#include "base/crc.h"

namespace pynvme::ssd {
namespace {

// Locally administered, so that it is nobody's: there is no company behind this SSD.
constexpr std::array<uint8_t, 3> kOui = {0x02, 0x50, 0x59};

}  // namespace

Namespace::Namespace(uint32_t id, const Media::Geometry& geometry, const Config& config)
    : nsid(id), media(geometry) {
  const std::string seed = config.model + "/" + config.serial;
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
}

Namespaces::Namespaces(const Config& config) {
  const uint64_t share =
      config.capacity_bytes / config.namespaces / Media::kUnitBytes * Media::kUnitBytes;
  for (uint32_t nsid = 1; nsid <= config.namespaces; ++nsid) {
    Media::Geometry geometry{share, config.lba_bytes, config.cache_bytes / config.namespaces,
                             config.file, nsid - 1};
    all_.push_back(std::make_unique<Namespace>(nsid, geometry, config));
  }
}

void Namespaces::flush() {
  for (const auto& ns : all_) ns->media.flush();
}

void Namespaces::power_lost() {
  for (const auto& ns : all_) ns->media.power_lost();
}

uint64_t Namespaces::unflushed_bytes() const {
  uint64_t bytes = 0;
  for (const auto& ns : all_) bytes += ns->media.unflushed_bytes();
  return bytes;
}

}  // namespace pynvme::ssd
