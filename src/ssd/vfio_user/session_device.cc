// What a client's messages mean for the SSD: accesses to regions, resets, and the part of the
// platform that programs MSI-X and MSI when eventfds arrive, as Linux' VFIO does for real devices.
#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>

#include "spec/pci.h"
#include "spec/registers.h"
#include "ssd/vfio_user/session.h"

namespace pynvme::ssd {

namespace pci = spec::pci;
namespace vfu = spec::vfu;

namespace {

// The address that messages are sent to: nobody but this file looks at it.
constexpr uint32_t kMessageAddress = 0xFEE0'0000;

uint32_t msix_vectors(Device& device, uint16_t capability) {
  if (capability == 0) return 0;
  const auto at = static_cast<uint16_t>(capability + pci::msix::kControl);
  return (device.config_read(at, 2) & pci::msix::kControlTableSizeMask) + 1U;
}

uint32_t msi_vectors(Device& device, uint16_t capability) {
  if (capability == 0) return 0;
  const auto at = static_cast<uint16_t>(capability + pci::msi::kControl);
  return 1U << pci::msi::multiple_message_capable(static_cast<uint16_t>(device.config_read(at, 2)));
}

// The widest natural access to what is left.
unsigned width_at(uint64_t offset, size_t left, unsigned widest) {
  unsigned width = widest;
  while (width > 1 && (offset % width != 0 || width > left)) width /= 2;
  return width;
}

}  // namespace

VfioUserSession::VfioUserSession(Device& device, base::FrameChannel& channel)
    : device_((device.plug(*this), device)),
      channel_(channel),
      msix_(find_capability(pci::kCapIdMsix)),
      msi_(find_capability(pci::kCapIdMsi)),
      express_(find_capability(pci::kCapIdPciExpress)),
      lines_(device.config_read(pci::kInterruptPin, 1) != 0, msi_vectors(device, msi_),
             msix_vectors(device, msix_)),
      memory_(device, *this) {
  device_.power_on_reset();
  device_.set_polled(true);
  open_for_access();
}

VfioUserSession::~VfioUserSession() {
  device_.set_polled(false);
  device_.unplug();
  memory_.clear();
}

// A client may use registers at once, as it may those of a device that Linux' VFIO has opened.
void VfioUserSession::open_for_access() {
  set_config_bits(pci::kCommand, pci::kCommandMemorySpace | pci::kCommandBusMaster,
                  pci::kCommandMemorySpace | pci::kCommandBusMaster);
}

bool VfioUserSession::poll_doorbells() {
  const bool any = device_.poll_doorbells();
  device_.advance();
  if (memory_.elsewhere()) [[unlikely]]
    sync_memory();
  return any;
}

void VfioUserSession::sync_memory() {
  device_.quiesced([this] { memory_.write_back(); });
  lines_.release();
  lines_.hold();
}

void VfioUserSession::message(uint64_t /*address*/, uint32_t /*data*/, uint32_t vector) {
  lines_.message(vector);
}

void VfioUserSession::pin(bool asserted) { lines_.pin(asserted); }

uint8_t* VfioUserSession::reach(DmaAccess access, uint64_t iova, uint64_t size,
                                bool kept) noexcept {
  uint8_t* const copy = memory_.reach(access, iova, size, kept);
  // Interrupts wait until what they tell of has been brought back.
  if (memory_.elsewhere()) lines_.hold();
  return copy;
}

uint64_t VfioUserSession::region_bytes(uint32_t region) const {
  if (region == vfu::kRegionConfig) return pci::kExtendedConfigSize;
  return region < vfu::kRegionRom ? device_.bar_size(region) : 0;
}

int VfioUserSession::check_access(const vfu::RegionAccess& access) const {
  const uint64_t bytes = access.region < vfu::kRegions ? region_bytes(access.region) : 0;
  const bool inside = access.offset < bytes && access.count <= bytes - access.offset;
  return inside && access.count != 0 ? 0 : EINVAL;
}

VfioUserSession::Answer VfioUserSession::region_read(Payload payload) {
  vfu::RegionAccess access{};
  if (payload.size() < sizeof(access)) return {EINVAL};
  std::memcpy(&access, payload.data(), sizeof(access));
  if (const int error = check_access(access); error != 0) return {error};
  Answer result;
  result.payload.resize(sizeof(access) + access.count);
  std::memcpy(result.payload.data(), &access, sizeof(access));
  uint8_t* const data = result.payload.data() + sizeof(access);
  const bool config = access.region == vfu::kRegionConfig;
  for (size_t done = 0; done < access.count;) {
    const uint64_t at = access.offset + done;
    const unsigned width = width_at(at, access.count - done, config ? 4 : 8);
    const uint64_t value = config ? device_.config_read(static_cast<uint16_t>(at), width)
                                  : device_.bar_read(access.region, at, width);
    std::memcpy(data + done, &value, width);
    done += width;
  }
  return result;
}

VfioUserSession::Answer VfioUserSession::region_write(Payload payload) {
  vfu::RegionAccess access{};
  if (payload.size() < sizeof(access)) return {EINVAL};
  std::memcpy(&access, payload.data(), sizeof(access));
  const Payload data = payload.subspan(sizeof(access));
  if (data.size() != access.count) return {EINVAL};
  if (const int error = write(access, data); error != 0) return {error};
  Answer result;
  result.payload.assign(payload.begin(), payload.begin() + sizeof(access));
  return result;
}

VfioUserSession::Answer VfioUserSession::region_write_multi(Payload payload) {
  uint64_t count = 0;
  if (payload.size() < sizeof(count)) return {EINVAL};
  std::memcpy(&count, payload.data(), sizeof(count));
  const Payload rest = payload.subspan(sizeof(count));
  if (count > rest.size() / sizeof(vfu::RegionWriteOne)) return {EINVAL};
  for (uint64_t i = 0; i < count; ++i) {
    vfu::RegionWriteOne one{};
    std::memcpy(&one, rest.data() + i * sizeof(one), sizeof(one));
    if (one.count > sizeof(one.data)) return {EINVAL};
    const int error = write({one.offset, one.region, one.count}, Payload(one.data, one.count));
    if (error != 0) return {error};
  }
  Answer result;
  result.payload.assign(payload.begin(), payload.begin() + sizeof(count));
  return result;
}

int VfioUserSession::write(const vfu::RegionAccess& access, Payload data) {
  if (const int error = check_access(access); error != 0) return error;
  const bool config = access.region == vfu::kRegionConfig;
  for (size_t done = 0; done < data.size();) {
    const uint64_t at = access.offset + done;
    const unsigned width = width_at(at, data.size() - done, config ? 4 : 8);
    uint64_t value = 0;
    std::memcpy(&value, data.data() + done, width);
    if (config) {
      device_.config_write(static_cast<uint16_t>(at), static_cast<uint32_t>(value), width);
    } else {
      device_.bar_write(access.region, at, value, width);
    }
    done += width;
  }
  // These may have been resets that took the MSI-X table; what the client asked for stays.
  const auto covers = [&](uint64_t offset) {
    return access.offset <= offset && offset < access.offset + access.count;
  };
  const bool flr = config && express_ != 0 && covers(express_ + pci::pcie::kDeviceControl + 1U);
  const bool subsystem_reset = !config && covers(spec::reg::kNssr);
  if (flr || subsystem_reset) arm_msix();
  return 0;
}

// As Linux' VFIO: the function is reset, and its configuration is as it was.
VfioUserSession::Answer VfioUserSession::reset() {
  constexpr uint16_t kFirst = pci::kCommand / 4 * 4;
  constexpr uint16_t kEnd = 0x40;
  std::vector<uint32_t> header;
  for (uint16_t at = kFirst; at < kEnd; at = static_cast<uint16_t>(at + 4)) {
    header.push_back(device_.config_read(at, 4));
  }
  const bool gone = header[0] == UINT32_MAX;
  device_.hot_reset();
  if (!gone) {
    for (size_t i = header.size(); i-- > 1;) {
      device_.config_write(static_cast<uint16_t>(kFirst + 4 * i), header[i], 4);
    }
    device_.config_write(pci::kCommand, header[0] & 0xFFFF, 2);
  }
  arm_msix();
  arm_msi();
  return {};
}

uint16_t VfioUserSession::find_capability(uint8_t id) {
  auto at = static_cast<uint16_t>(device_.config_read(pci::kCapabilitiesPointer, 1));
  for (int i = 0; i < 48 && at >= 0x40 && at < pci::kConfigSize; ++i) {
    if (device_.config_read(at, 1) == id) return at;
    at = static_cast<uint16_t>(device_.config_read(static_cast<uint16_t>(at + 1), 1));
  }
  return 0;
}

void VfioUserSession::set_config_bits(uint16_t offset, uint32_t mask, uint32_t value) {
  device_.config_write(offset, (device_.config_read(offset, 2) & ~mask) | value, 2);
}

void VfioUserSession::arm_msix() {
  if (msix_ == 0) return;
  const uint32_t place = device_.config_read(static_cast<uint16_t>(msix_ + pci::msix::kTable), 4);
  const uint64_t table = place & pci::msix::kOffsetMask;
  const unsigned bar = place & pci::msix::kBirMask;
  const uint32_t vectors = lines_.vectors_used(vfu::kIrqMsix);
  // The table is the platform's to write, whatever the client has done with memory space.
  const uint32_t command = device_.config_read(pci::kCommand, 2);
  device_.config_write(pci::kCommand, command | pci::kCommandMemorySpace, 2);
  for (uint32_t vector = 0; vector < vectors; ++vector) {
    if (!lines_.used(vfu::kIrqMsix, vector)) continue;
    const uint64_t entry = table + vector * sizeof(pci::msix::TableEntry);
    device_.bar_write(bar, entry + 12, 0, 4);
  }
  device_.config_write(pci::kCommand, command, 2);
  const auto control = static_cast<uint16_t>(msix_ + pci::msix::kControl);
  set_config_bits(control, pci::msix::kControlEnable,
                  vectors == 0 ? 0 : uint32_t{pci::msix::kControlEnable});
}

void VfioUserSession::arm_msi() {
  if (msi_ == 0) return;
  const auto at = [this](uint16_t offset) { return static_cast<uint16_t>(msi_ + offset); };
  const uint32_t vectors = lines_.vectors_used(vfu::kIrqMsi);
  const uint32_t control = device_.config_read(at(pci::msi::kControl), 2);
  if (vectors == 0) {
    set_config_bits(at(pci::msi::kControl), pci::msi::kControlEnable, 0);
    return;
  }
  const bool wide = (control & pci::msi::kControl64Bit) != 0;
  device_.config_write(at(pci::msi::kAddressLow), kMessageAddress, 4);
  device_.config_write(at(wide ? pci::msi::kData64 : pci::msi::kData32), 0, 2);
  const auto granted = static_cast<uint32_t>(std::bit_width(vectors - 1));
  set_config_bits(at(pci::msi::kControl), 0x70U | pci::msi::kControlEnable,
                  granted << 4 | pci::msi::kControlEnable);
}

}  // namespace pynvme::ssd
