// Asks the server what it has, once for each connection; a server that comes back with another
// device than before is refused.
#include "pcie/vfio_user/function.h"

#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "base/log.h"
#include "pcie/bus.h"
#include "pcie/config_space.h"
#include "spec/pci.h"
#include "spec/registers.h"

namespace pynvme::pcie {

namespace pci = spec::pci;
namespace vfu = spec::vfu;
using vfu::Command;

namespace {

constexpr uint64_t kPage = 4096;
constexpr uint32_t kBars = 6;
// Doorbells of all queues that there can be, at the widest stride that CAP can say.
constexpr uint64_t kDoorbellBytesMax = 2 * 65536 * (4ULL << 15);

template <typename T>
std::span<const uint8_t> bytes_of(const T& wire) {
  return {reinterpret_cast<const uint8_t*>(&wire), sizeof(T)};
}

template <typename T>
bool take(const std::vector<uint8_t>& bytes, size_t at, T& wire) {
  if (at > bytes.size() || bytes.size() - at < sizeof(T)) return false;
  std::memcpy(&wire, bytes.data() + at, sizeof(T));
  return true;
}

std::string reason(const VfioUserConnection& connection, int error) {
  return connection.gone() ? connection.why_gone() : std::string(std::strerror(error));
}

}  // namespace

VfioUserFunction::VfioUserFunction(std::string name, const std::string& path)
    : VfioUserFunction(std::move(name), [path](bool restarting) {
        return VfioUserConnection::open(path, restarting);
      }) {}

VfioUserFunction::VfioUserFunction(std::string name, Connect server)
    : name_(std::move(name)), server_(std::move(server)) {
  connect(false);
  msix_ = find_capability(pci::kCapIdMsix);
  msi_ = find_capability(pci::kCapIdMsi);
  express_ = find_capability(pci::kCapIdPciExpress);
}

VfioUserFunction::~VfioUserFunction() {
  try {
    disable_interrupts();
  } catch (const std::runtime_error&) {
    // It has no use for them any more, whatever the server thinks of it.
  }
  {
    const std::lock_guard guard(mutex_);
    connection_.reset();
  }
  doorbell_mapping_.reset();
  if (doorbell_area_ != nullptr) munmap(doorbell_area_, doorbell_bytes_);
}

VfioUserFunction::Connection VfioUserFunction::connection() const {
  const std::lock_guard guard(mutex_);
  return connection_;
}

bool VfioUserFunction::removed() const {
  const std::lock_guard guard(mutex_);
  return !off_ && (connection_ == nullptr || connection_->gone());
}

std::string VfioUserFunction::removal() const {
  const auto server = connection();
  return "That is because " + (server == nullptr ? "nobody serves it" : server->why_gone()) +
         "; start its server again, close this one and open " + name_ + " anew";
}

void VfioUserFunction::connect(bool restarting) {
  Connection fresh = server_(restarting);
  learn_regions(*fresh);
  learn_interrupts(*fresh);
  {
    const std::lock_guard guard(memory_mutex_);
    for (const auto& [iova, mapped] : memory_) map_memory(*fresh, iova, mapped);
  }
  const std::lock_guard guard(mutex_);
  connection_ = std::move(fresh);
  off_ = false;
}

void VfioUserFunction::learn_regions(VfioUserConnection& connection) {
  vfu::DeviceInfo device{sizeof(device), 0, 0, 0};
  const auto reply = connection.ask(Command::kDeviceGetInfo, bytes_of(device));
  if (reply.error != 0 || !take(reply.payload, 0, device)) {
    throw OpenError(name_ + " does not say what it is: " + reason(connection, reply.error));
  }
  if ((device.flags & vfu::DeviceInfo::kPci) == 0 || device.num_regions <= vfu::kRegionConfig) {
    throw OpenError(name_ + " is no PCI function (DEVICE_GET_INFO: flags " +
                    std::to_string(device.flags) + ", " + std::to_string(device.num_regions) +
                    " regions)");
  }
  for (uint32_t index = 0; index <= vfu::kRegionConfig; ++index) {
    // Room for capabilities with as many areas as anybody has.
    vfu::RegionInfo info{4096, 0, index, 0, 0, 0};
    const auto answer = connection.ask(Command::kDeviceGetRegionInfo, bytes_of(info));
    // Some servers have an error for what is not there, instead of a size of 0.
    const bool needed = index == vfu::kRegionBar0 || index == vfu::kRegionConfig;
    if (answer.error != 0 && !needed && !connection.gone()) {
      region_bytes_[index] = 0;
      continue;
    }
    if (answer.error != 0 || !take(answer.payload, 0, info)) {
      throw OpenError(name_ + " does not tell its region " + std::to_string(index) + ": " +
                      reason(connection, answer.error));
    }
    region_bytes_[index] = info.size;
    if (index == vfu::kRegionBar0) learn_bar0_areas(answer);
  }
  const uint64_t config = region_bytes_[vfu::kRegionConfig];
  if (config < pci::kConfigSize) {
    throw OpenError(name_ + " has a configuration space of " + std::to_string(config) + " bytes");
  }
}

// What the server offers is taken from 1000h on, as far as the first area goes; whoever rings
// beyond sends messages.
void VfioUserFunction::learn_bar0_areas(const VfioUserConnection::Reply& reply) {
  const uint64_t was_mapped = doorbells_mapped_;
  doorbell_mapping_.reset();
  learn_doorbells(reply);
  // Queues hold what doorbells() said once.
  if (doorbells_mapped_ < was_mapped) {
    throw OpenError(name_ + " has come back with fewer doorbells to map: open it anew");
  }
}

void VfioUserFunction::learn_doorbells(const VfioUserConnection::Reply& reply) {
  vfu::RegionInfo info{};
  take(reply.payload, 0, info);
  doorbells_mapped_ = 0;
  if (info.size <= spec::reg::kDoorbells) return;
  const uint64_t size = std::min(info.size - spec::reg::kDoorbells, kDoorbellBytesMax);
  const uint64_t bytes = (size + kPage - 1) / kPage * kPage;
  if (doorbell_area_ == nullptr) {
    void* const area = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (area == MAP_FAILED) throw OpenError(name_ + ": no memory for its doorbells");
    doorbell_area_ = static_cast<uint8_t*>(area);
    doorbell_bytes_ = bytes;
  } else if (bytes != doorbell_bytes_) {
    throw OpenError(name_ + " has come back with a BAR0 of another size: open it anew");
  }
  if ((info.flags & vfu::RegionInfo::kMmap) == 0 || reply.fds.empty()) return;

  // Without a list the whole region can be mapped.
  std::vector<vfu::SparseArea> areas;
  bool listed = false;
  uint32_t at = (info.flags & vfu::RegionInfo::kCaps) != 0 ? info.cap_offset : 0;
  vfu::CapHeader capability{};
  for (int i = 0; i < 16 && at >= sizeof(info) && take(reply.payload, at, capability); ++i) {
    vfu::SparseMmap sparse{};
    if (capability.id == vfu::kCapSparseMmap && take(reply.payload, at, sparse)) {
      listed = true;
      vfu::SparseArea area{};
      for (uint32_t k = 0;
           k < sparse.areas && take(reply.payload, at + sizeof(sparse) + k * sizeof(area), area);
           ++k) {
        areas.push_back(area);
      }
    }
    if (capability.next <= at) break;
    at = capability.next;
  }
  if (!listed) areas.push_back({0, info.size});
  for (size_t i = 0; i < areas.size(); ++i) {
    const auto& area = areas[i];
    constexpr uint64_t kStart = spec::reg::kDoorbells;
    if (area.offset > kStart || area.size > info.size || area.offset > info.size - area.size ||
        area.offset + area.size <= kStart) {
      continue;
    }
    const uint64_t mappable = std::min(area.offset + area.size - kStart, size) / kPage * kPage;
    if (mappable == 0) continue;
    // One file for all areas, or one for each.
    const int fd = reply.fds[i < reply.fds.size() ? i : 0].get();
    try {
      doorbell_mapping_ = std::make_unique<base::GuardedMapping>(fd, info.offset + kStart, mappable,
                                                                 true, doorbell_area_);
      doorbells_mapped_ = mappable;
    } catch (const std::system_error& error) {
      base::log(base::LogLevel::kWarning,
                "%s: its doorbells cannot be mapped (%s); they are rung by messages", name_.c_str(),
                error.what());
    }
    return;
  }
}

void VfioUserFunction::learn_interrupts(VfioUserConnection& connection) {
  for (uint32_t index = 0; index <= vfu::kIrqMsix; ++index) {
    vfu::IrqInfo info{sizeof(info), 0, index, 0};
    const auto reply = connection.ask(Command::kDeviceGetIrqInfo, bytes_of(info));
    const bool known = reply.error == 0 && take(reply.payload, 0, info);
    irq_counts_[index] = known ? std::min(info.count, 2048U) : 0;
    irq_flags_[index] = known ? info.flags : 0;
  }
}

uint64_t VfioUserFunction::region_read(uint32_t region, uint64_t offset, unsigned size) const {
  const uint64_t ones = size == 8 ? UINT64_MAX : (uint64_t{1} << (8 * size)) - 1;
  const auto server = connection();
  if (server == nullptr) return ones;
  const vfu::RegionAccess access{offset, region, size};
  const auto reply = server->ask(Command::kRegionRead, bytes_of(access));
  if (reply.error != 0 || reply.payload.size() < sizeof(access) + size) return ones;
  uint64_t value = 0;
  std::memcpy(&value, reply.payload.data() + sizeof(access), size);
  return value;
}

void VfioUserFunction::region_write(uint32_t region, uint64_t offset, uint64_t value,
                                    unsigned size) const {
  const auto server = connection();
  if (server == nullptr) return;
  struct {
    vfu::RegionAccess access;
    uint64_t value;
  } const message{{offset, region, size}, value};
  server->ask(Command::kRegionWrite, bytes_of(message).first(sizeof(message.access) + size));
}

uint32_t VfioUserFunction::config_read(uint16_t offset, unsigned size) {
  return static_cast<uint32_t>(region_read(vfu::kRegionConfig, offset, size));
}

void VfioUserFunction::config_write(uint16_t offset, uint32_t value, unsigned size) {
  region_write(vfu::kRegionConfig, offset, value, size);
}

uint32_t VfioUserFunction::config_size() const {
  return region_bytes_[vfu::kRegionConfig] < pci::kExtendedConfigSize ? pci::kConfigSize
                                                                      : pci::kExtendedConfigSize;
}

uint64_t VfioUserFunction::bar_size(unsigned bar) const {
  return bar < kBars ? region_bytes_[bar] : 0;
}

uint64_t VfioUserFunction::bar_read(unsigned bar, uint64_t offset, unsigned size) {
  return region_read(bar, offset, size);
}

void VfioUserFunction::bar_write(unsigned bar, uint64_t offset, uint64_t value, unsigned size) {
  region_write(bar, offset, value, size);
}

Doorbells VfioUserFunction::doorbells(uint32_t stride_bytes) {
  stride_bytes_ = stride_bytes;
  Doorbells doorbells;
  doorbells.base = reinterpret_cast<volatile uint32_t*>(doorbell_area_);
  doorbells.stride_bytes = stride_bytes;
  doorbells.direct_bytes = doorbells_mapped_;
  // The stores beyond what is mapped stay here; what was stored goes as a message.
  doorbells.device = this;
  doorbells.rung = [](void* function, uint32_t index) {
    auto* const self = static_cast<VfioUserFunction*>(function);
    const uint64_t at = uint64_t{index} * self->stride_bytes_;
    if (at + sizeof(uint32_t) > self->doorbell_bytes_) return;
    uint32_t value = 0;
    std::memcpy(&value, self->doorbell_area_ + at, sizeof(value));
    self->region_write(vfu::kRegionBar0, spec::reg::kDoorbells + at, value, sizeof(value));
  };
  return doorbells;
}

void VfioUserFunction::map_memory(VfioUserConnection& connection, uint64_t iova,
                                  const Mapped& mapped) {
  connection.add_memory(iova, mapped.memory, mapped.size);
  const vfu::DmaMap map{sizeof(map), vfu::DmaMap::kRead | vfu::DmaMap::kWrite, mapped.fd_offset,
                        iova, mapped.size};
  const int fds[] = {mapped.fd};
  const auto reply = connection.ask(Command::kDmaMap, bytes_of(map), fds);
  if (reply.error != 0 && !connection.gone()) {
    connection.remove_memory(iova);
    throw OpenError(name_ + " does not take DMA memory of " + std::to_string(mapped.size) +
                    " bytes: " + reason(connection, reply.error));
  }
}

void VfioUserFunction::dma_map(uint64_t iova, void* memory, uint64_t size, int fd,
                               uint64_t fd_offset) {
  const Mapped mapped{memory, size, fd, fd_offset};
  const std::lock_guard guard(memory_mutex_);
  if (const auto server = connection(); server != nullptr) map_memory(*server, iova, mapped);
  memory_[iova] = mapped;
}

void VfioUserFunction::dma_unmap(uint64_t iova, uint64_t size) {
  const std::lock_guard guard(memory_mutex_);
  memory_.erase(iova);
  const auto server = connection();
  if (server == nullptr) return;
  server->ask(Command::kDmaUnmap, bytes_of(vfu::DmaUnmap{sizeof(vfu::DmaUnmap), 0, iova, size}));
  server->remove_memory(iova);
}

uint32_t VfioUserFunction::irq_index(InterruptKind kind) {
  switch (kind) {
    case InterruptKind::kMsix:
      return vfu::kIrqMsix;
    case InterruptKind::kMsi:
      return vfu::kIrqMsi;
    case InterruptKind::kPin:
    case InterruptKind::kNone:
      break;
  }
  return vfu::kIrqIntx;
}

unsigned VfioUserFunction::interrupt_vectors(InterruptKind kind) const {
  if (kind == InterruptKind::kNone) return 0;
  const uint32_t index = irq_index(kind);
  return (irq_flags_[index] & vfu::IrqInfo::kEventfd) != 0 ? irq_counts_[index] : 0;
}

void VfioUserFunction::set_irqs(uint32_t index, uint32_t flags, uint32_t start, uint32_t count,
                                std::span<const int> fds, const char* what) const {
  const auto server = connection();
  if (server == nullptr) return;
  const vfu::IrqSet set{sizeof(set), flags, index, start, count};
  const auto reply = server->ask(Command::kDeviceSetIrqs, bytes_of(set), fds);
  if (reply.error == 0 || server->gone()) return;
  throw std::runtime_error(name_ + " refuses to " + what + ": " + reason(*server, reply.error));
}

void VfioUserFunction::enable_interrupts(InterruptKind kind, unsigned vectors) {
  const unsigned available = interrupt_vectors(kind);
  if (vectors == 0 || vectors > available) {
    throw std::invalid_argument(name_ + " has " + std::to_string(available) +
                                " interrupt vectors of this kind, not " + std::to_string(vectors));
  }
  disable_interrupts();
  std::vector<Vector> fresh(vectors);
  std::vector<int> fds;
  for (Vector& vector : fresh) {
    vector.event = base::UniqueFd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!vector.event) throw std::runtime_error(name_ + ": eventfd: " + std::strerror(errno));
    fds.push_back(vector.event.get());
  }
  const auto server = connection();
  const uint32_t step = server == nullptr ? 1 : server->fds_max();
  for (uint32_t start = 0; start < vectors; start += step) {
    const uint32_t count = std::min(step, vectors - start);
    set_irqs(irq_index(kind), vfu::IrqSet::kDataEventfd | vfu::IrqSet::kActionTrigger, start, count,
             std::span(fds).subspan(start, count), "send interrupts");
  }
  const auto msix_control = static_cast<uint16_t>(msix_ + pci::msix::kControl);
  const auto msi_control = static_cast<uint16_t>(msi_ + pci::msi::kControl);
  if (kind == InterruptKind::kMsix && msix_ != 0) {
    set_config_bits(msix_control, pci::msix::kControlEnable | pci::msix::kControlFunctionMask,
                    pci::msix::kControlEnable);
  }
  if (kind == InterruptKind::kMsi && msi_ != 0) {
    const auto granted = static_cast<uint32_t>(std::bit_width(vectors) - 1);
    set_config_bits(msi_control, 0x70U | pci::msi::kControlEnable,
                    granted << 4 | pci::msi::kControlEnable);
  }
  set_config_bits(pci::kCommand, pci::kCommandInterruptDisable,
                  kind == InterruptKind::kPin ? 0 : uint32_t{pci::kCommandInterruptDisable});
  const std::lock_guard guard(vectors_mutex_);
  vectors_ = std::move(fresh);
  kind_ = kind;
}

void VfioUserFunction::disable_interrupts() {
  InterruptKind kind = InterruptKind::kNone;
  {
    const std::lock_guard guard(vectors_mutex_);
    kind = std::exchange(kind_, InterruptKind::kNone);
    vectors_.clear();
  }
  if (kind != InterruptKind::kNone) {
    set_irqs(irq_index(kind), vfu::IrqSet::kDataNone | vfu::IrqSet::kActionTrigger, 0, 0, {},
             "switch interrupts off");
  }
  if (msix_ != 0) {
    set_config_bits(static_cast<uint16_t>(msix_ + pci::msix::kControl), pci::msix::kControlEnable,
                    0);
  }
  if (msi_ != 0) {
    set_config_bits(static_cast<uint16_t>(msi_ + pci::msi::kControl), pci::msi::kControlEnable, 0);
  }
  set_config_bits(pci::kCommand, pci::kCommandInterruptDisable, pci::kCommandInterruptDisable);
}

void VfioUserFunction::collect(Vector& vector, bool is_pin) const {
  uint64_t count = 0;
  if (read(vector.event.get(), &count, sizeof(count)) != sizeof(count)) return;
  vector.held += count;
  // A pin's line stays masked after it was raised until we say that we have seen it.
  if (is_pin && (irq_flags_[vfu::kIrqIntx] & vfu::IrqInfo::kAutomasked) != 0) {
    set_irqs(vfu::kIrqIntx, vfu::IrqSet::kDataNone | vfu::IrqSet::kActionUnmask, 0, 1, {},
             "unmask its pin");
  }
}

uint64_t VfioUserFunction::take_interrupts(unsigned number) {
  const std::lock_guard guard(vectors_mutex_);
  if (number >= vectors_.size()) return 0;
  Vector& vector = vectors_[number];
  const bool pin = kind_ == InterruptKind::kPin;
  collect(vector, pin);
  if (vector.held == 0 && !vector.masked && number != 0) {
    // A message that was sent before this read of the device comes before its answer. The admin
    // queue's vector is waited for in a loop, which makes up for it.
    region_read(vfu::kRegionConfig, pci::kVendorId, 2);
    collect(vector, pin);
  }
  return vector.masked ? 0 : std::exchange(vector.held, 0);
}

// Masked on the device, as a host does it, and here as well: few servers look at what is written
// to an MSI-X table, which is theirs.
void VfioUserFunction::mask_interrupt(unsigned number, bool masked) {
  if (masked) mask_on_device(number, true);
  {
    const std::lock_guard guard(vectors_mutex_);
    if (number < vectors_.size() && kind_ != InterruptKind::kPin) {
      Vector& vector = vectors_[number];
      collect(vector, false);
      vector.masked = masked;
      // However many there were, one message is pending.
      vector.held = std::min<uint64_t>(vector.held, 1);
    }
  }
  if (!masked) mask_on_device(number, false);
}

void VfioUserFunction::mask_on_device(unsigned number, bool masked) {
  InterruptKind kind = InterruptKind::kNone;
  {
    const std::lock_guard guard(vectors_mutex_);
    if (number < vectors_.size()) kind = kind_;
  }
  if (kind == InterruptKind::kPin) {
    set_config_bits(pci::kCommand, pci::kCommandInterruptDisable,
                    masked ? uint32_t{pci::kCommandInterruptDisable} : 0);
  } else if (kind == InterruptKind::kMsix && msix_ != 0) {
    const uint32_t place = config_read(static_cast<uint16_t>(msix_ + pci::msix::kTable), 4);
    const uint64_t entry =
        (place & pci::msix::kOffsetMask) + number * sizeof(pci::msix::TableEntry);
    bar_write(place & pci::msix::kBirMask, entry + 12, masked ? pci::msix::kVectorControlMask : 0,
              4);
  } else if (kind == InterruptKind::kMsi && msi_ != 0) {
    const auto control = static_cast<uint16_t>(msi_ + pci::msi::kControl);
    if ((config_read(control, 2) & pci::msi::kControlPerVectorMask) == 0) return;
    const auto mask = static_cast<uint16_t>(msi_ + pci::msi::kMask64);
    const uint32_t bit = 1U << (number % 32);
    const uint32_t now = config_read(mask, 4);
    config_write(mask, masked ? now | bit : now & ~bit, 4);
  }
}

bool VfioUserFunction::pending_on_device(unsigned number, InterruptKind kind) {
  if (kind == InterruptKind::kMsix && msix_ != 0) {
    const uint32_t place = config_read(static_cast<uint16_t>(msix_ + pci::msix::kPba), 4);
    const uint64_t at = (place & pci::msix::kOffsetMask) + uint64_t{number} / 32 * 4;
    const uint64_t word = bar_read(place & pci::msix::kBirMask, at, 4);
    return word != UINT32_MAX && (word >> (number % 32) & 1) != 0;
  }
  if (kind == InterruptKind::kMsi && msi_ != 0) {
    const auto control = static_cast<uint16_t>(msi_ + pci::msi::kControl);
    if ((config_read(control, 2) & pci::msi::kControlPerVectorMask) == 0) return false;
    const uint32_t bits = config_read(static_cast<uint16_t>(msi_ + pci::msi::kPending64), 4);
    return bits != UINT32_MAX && (bits >> (number % 32) & 1) != 0;
  }
  return false;
}

bool VfioUserFunction::interrupt_pending(unsigned number) {
  InterruptKind kind = InterruptKind::kNone;
  {
    const std::lock_guard guard(vectors_mutex_);
    if (number >= vectors_.size()) return false;
    kind = kind_;
    if (Vector& vector = vectors_[number]; kind != InterruptKind::kPin && vector.masked) {
      collect(vector, false);
      if (vector.held != 0) return true;
    }
  }
  if (kind != InterruptKind::kPin) return pending_on_device(number, kind);
  const uint32_t status = config_read(pci::kStatus, 2);
  return status != 0xFFFF && (status & pci::kStatusInterrupt) != 0;
}

void VfioUserFunction::function_level_reset() {
  const uint32_t capabilities =
      express_ == 0
          ? 0
          : config_read(static_cast<uint16_t>(express_ + pci::pcie::kDeviceCapabilities), 4);
  if ((capabilities & pci::pcie::kDeviceCapFlr) == 0) {
    throw std::runtime_error(name_ + " has no function level reset (PCIe Device Capabilities)");
  }
  disable_interrupts();
  // A device model is through with it when the write is answered.
  set_config_bits(static_cast<uint16_t>(express_ + pci::pcie::kDeviceControl),
                  pci::pcie::kDeviceControlInitiateFlr, pci::pcie::kDeviceControlInitiateFlr);
}

void VfioUserFunction::hot_reset() {
  disable_interrupts();
  const auto server = connection();
  if (server == nullptr) return;
  const auto reply = server->ask(Command::kDeviceReset, {});
  if (reply.error != 0 && !server->gone()) {
    throw std::runtime_error(name_ + " refuses to be reset: " + reason(*server, reply.error));
  }
}

void VfioUserFunction::power_off() {
  Connection old;
  {
    const std::lock_guard guard(mutex_);
    old = std::move(connection_);
    connection_ = nullptr;
    off_ = true;
  }
  const std::lock_guard guard(vectors_mutex_);
  kind_ = InterruptKind::kNone;
  vectors_.clear();
}

void VfioUserFunction::power_on() {
  {
    const std::lock_guard guard(mutex_);
    if (!off_) return;
  }
  connect(true);
}

void VfioUserFunction::set_config_bits(uint16_t offset, uint32_t mask, uint32_t value) {
  const uint32_t now = config_read(offset, 2);
  if (now == 0xFFFF) return;
  config_write(offset, (now & ~mask) | value, 2);
}

uint16_t VfioUserFunction::find_capability(uint8_t id) {
  return ConfigSpace(*this).find(id).value_or(0);
}

}  // namespace pynvme::pcie
