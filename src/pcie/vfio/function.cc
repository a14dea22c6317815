// Opening, configuration space, BARs and DMA; interrupts and resets are in function_events.cc.
#include "pcie/vfio/function.h"

#include <fcntl.h>
#include <linux/vfio.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <utility>

#include "base/log.h"
#include "pcie/bus.h"
#include "pcie/config_space.h"
#include "pcie/vfio/capability.h"
#include "pcie/vfio/memory_switch.h"
#include "spec/pci.h"
#include "spec/registers.h"

namespace pynvme::pcie::vfio {
namespace {

namespace pci = spec::pci;

constexpr uint64_t kPage = 4096;

}  // namespace

VfioFunction::VfioFunction(SysfsFunction sysfs)
    : sysfs_(std::move(sysfs)), space_(AddressSpace::of(sysfs_)) {
  device_ = space_->open_device(sysfs_);
  physical_ = space_->physical();
  vfio_device_info info{};
  info.argsz = sizeof(info);
  if (ioctl(device_.get(), VFIO_DEVICE_GET_INFO, &info) != 0 ||
      (info.flags & VFIO_DEVICE_FLAGS_PCI) == 0) {
    throw OpenError(name() + ": VFIO does not know it as a PCI device");
  }
  const auto config = region_info(VFIO_PCI_CONFIG_REGION_INDEX);
  const auto* const fixed = reinterpret_cast<const vfio_region_info*>(config.data());
  config_ = {fixed->size, fixed->offset};
  config_size_ = static_cast<uint32_t>(fixed->size);
  const ConfigSpace space(*this);
  power_management_ = space.find(pci::kCapIdPowerManagement).value_or(0);
  express_ = space.find(pci::kCapIdPciExpress).value_or(0);
  map_bars();
  vectors_max_ = {irq_count(VFIO_PCI_INTX_IRQ_INDEX), irq_count(VFIO_PCI_MSI_IRQ_INDEX),
                  irq_count(VFIO_PCI_MSIX_IRQ_INDEX)};
  request_ = base::UniqueFd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  error_ = base::UniqueFd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  stop_ = base::UniqueFd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!request_ || !error_ || !stop_) {
    throw OpenError(name() + ": no eventfd: " + std::strerror(errno));
  }
  register_events();
  space_->add_function(name());
  watcher_ = std::thread([this] { watch(); });
}

VfioFunction::~VfioFunction() {
  const uint64_t one = 1;
  if (write(stop_.get(), &one, sizeof(one)) == sizeof(one) && watcher_.joinable()) {
    watcher_.join();
  }
  const std::lock_guard guard(mutex_);
  for (auto& window : windows_) window.reset();
  if (space_ != nullptr) space_->remove_function(name());
  // Closing it, the kernel switches bus mastering and interrupts off and resets the function: only
  // then may its mappings go.
  device_.reset();
  space_.reset();
}

std::vector<uint8_t> VfioFunction::region_info(unsigned index) const {
  std::vector<uint8_t> info(sizeof(vfio_region_info));
  for (int attempt = 0; attempt < 2; ++attempt) {
    auto* const fixed = reinterpret_cast<vfio_region_info*>(info.data());
    fixed->argsz = static_cast<uint32_t>(info.size());
    fixed->index = index;
    if (ioctl(device_.get(), VFIO_DEVICE_GET_REGION_INFO, fixed) != 0) {
      fixed->size = 0;
      fixed->flags = 0;
      break;
    }
    if (fixed->argsz <= info.size()) break;
    info.assign(fixed->argsz, 0);
  }
  return info;
}

void VfioFunction::map_bars() {
  Area table;
  unsigned table_bar = kBars;
  if (const auto msix = ConfigSpace(*this).find(pci::kCapIdMsix)) {
    const uint32_t where = config_read(static_cast<uint16_t>(*msix + pci::msix::kTable), 4);
    const uint32_t control = config_read(static_cast<uint16_t>(*msix + pci::msix::kControl), 2);
    table_bar = where & pci::msix::kBirMask;
    table = {where & pci::msix::kOffsetMask,
             ((control & pci::msix::kControlTableSizeMask) + 1) * sizeof(pci::msix::TableEntry)};
  }
  for (unsigned bar = 0; bar < kBars; ++bar) {
    const uint32_t low = config_read(static_cast<uint16_t>(pci::kBar0 + 4 * bar), 4);
    const auto info = region_info(bar);
    const auto* const fixed = reinterpret_cast<const vfio_region_info*>(info.data());
    if (fixed->size == 0 || (low & pci::kBarIoSpace) != 0) continue;
    bars_[bar] = {fixed->size, fixed->offset};
    auto areas = mappable_areas(info);
    // The kernel sets the MSI-X table up; a store into it would send interrupts elsewhere.
    if (bar == table_bar) areas = without_pages(areas, table);
    if (areas.empty()) continue;
    try {
      windows_[bar] = std::make_unique<BarWindow>(device_.get(), fixed->offset, fixed->size, areas);
    } catch (const std::runtime_error& error) {
      throw OpenError(name() + ": BAR " + std::to_string(bar) + ": " + error.what());
    }
    if (!reachable_after(0, 0, 0)) windows_[bar]->hide();
  }
}

unsigned VfioFunction::irq_count(unsigned index) const {
  vfio_irq_info info{};
  info.argsz = sizeof(info);
  info.index = index;
  const bool known = ioctl(device_.get(), VFIO_DEVICE_GET_IRQ_INFO, &info) == 0;
  return known && (info.flags & VFIO_IRQ_INFO_EVENTFD) != 0 ? info.count : 0;
}

uint32_t VfioFunction::raw_config_read(uint16_t offset, unsigned size) const {
  uint32_t value = UINT32_MAX;
  if (!device_ || pread(device_.get(), &value, size, static_cast<off_t>(config_.offset + offset)) !=
                      ssize_t{size}) {
    value = UINT32_MAX;
  }
  return size == 4 ? value : value & ((1U << (8 * size)) - 1);
}

uint32_t VfioFunction::config_read(uint16_t offset, unsigned size) {
  const std::lock_guard guard(mutex_);
  // The kernel answers for the identifiers from what it knows, also when there is no device left.
  if (offset < pci::kCommand && raw_config_read(pci::kStatus, 2) == 0xFFFF) {
    return size == 4 ? UINT32_MAX : (1U << (8 * size)) - 1;
  }
  return raw_config_read(offset, size);
}

// As the kernel sees it, which answers an access to a mapped BAR with SIGBUS when it is not.
bool VfioFunction::reachable_after(uint16_t offset, uint32_t value, unsigned size) const {
  const auto read = [this](uint16_t at, unsigned width) { return raw_config_read(at, width); };
  return memory_reachable(read, power_management_, offset, value, size);
}

void VfioFunction::config_write(uint16_t offset, uint32_t value, unsigned size) {
  const std::lock_guard guard(mutex_);
  if (!device_) return;
  const bool switches = switches_memory(power_management_, offset, size);
  const bool reachable = !switches || reachable_after(offset, value, size);
  if (!reachable) {
    for (const auto& window : windows_) {
      if (window != nullptr && !window->hidden()) window->hide();
    }
  }
  if (pwrite(device_.get(), &value, size, static_cast<off_t>(config_.offset + offset)) < 0) {
    base::log(base::LogLevel::kDebug, "%s: the kernel refused a write to configuration space %03xh",
              name().c_str(), offset);
  }
  write_link_register(offset, value, size);
  if (!switches || !reachable || !reachable_after(0, 0, 0)) return;
  for (const auto& window : windows_) {
    if (window != nullptr && window->hidden()) window->show();
  }
}

// VFIO keeps its user's hands off the link registers and drops the write in silence; the file in
// sysfs takes it from root.
void VfioFunction::write_link_register(uint16_t offset, uint32_t value, unsigned size) const {
  if (express_ == 0) return;
  const unsigned control = express_ + pci::pcie::kLinkControl;
  const unsigned control2 = express_ + pci::pcie::kLinkControl2;
  if (!overlaps(offset, size, control, 2) && !overlaps(offset, size, control2, 2)) return;
  if (raw_config_read(offset, size) == value) return;
  const base::UniqueFd file(open((sysfs_.directory + "/config").c_str(), O_WRONLY | O_CLOEXEC));
  if (!file || pwrite(file.get(), &value, size, offset) != ssize_t{size}) {
    base::log(base::LogLevel::kWarning,
              "%s: Link Control (ASPM) was not written: VFIO does not let its user, and %s/config "
              "needs root",
              name().c_str(), sysfs_.directory.c_str());
  }
}

uint64_t VfioFunction::bar_size(unsigned bar) const { return bar < kBars ? bars_[bar].size : 0; }

uint64_t VfioFunction::bar_read(unsigned bar, uint64_t offset, unsigned size) {
  const uint64_t ones = size == 8 ? UINT64_MAX : UINT32_MAX;
  if (bar >= kBars || bars_[bar].size == 0) return ones;
  if (const auto& window = windows_[bar]; window != nullptr && window->covers(offset, size)) {
    return window->read(offset, size);
  }
  const std::lock_guard guard(mutex_);
  uint64_t value = 0;
  if (!device_ || pread(device_.get(), &value, size,
                        static_cast<off_t>(bars_[bar].offset + offset)) != ssize_t{size}) {
    return ones;
  }
  return value;
}

void VfioFunction::bar_write(unsigned bar, uint64_t offset, uint64_t value, unsigned size) {
  if (bar >= kBars || bars_[bar].size == 0) return;
  if (const auto& window = windows_[bar]; window != nullptr && window->covers(offset, size)) {
    window->write(offset, value, size);
    return;
  }
  const std::lock_guard guard(mutex_);
  if (!device_) return;
  if (pwrite(device_.get(), &value, size, static_cast<off_t>(bars_[bar].offset + offset)) < 0) {
    base::log(base::LogLevel::kDebug, "%s: the kernel refused a write to BAR %u", name().c_str(),
              bar);
  }
}

Doorbells VfioFunction::doorbells(uint32_t stride_bytes) {
  Doorbells doorbells;
  doorbells.stride_bytes = stride_bytes;
  if (windows_[0] != nullptr && windows_[0]->covers(spec::reg::kDoorbells, kPage)) {
    doorbells.base = reinterpret_cast<volatile uint32_t*>(windows_[0]->at(spec::reg::kDoorbells));
    return doorbells;
  }
  // The page has the MSI-X table in it, or the kernel maps nothing: a system call for each.
  doorbell_stride_ = stride_bytes;
  shadow_doorbells_.assign((bar_size(0) - spec::reg::kDoorbells) / sizeof(uint32_t), 0);
  doorbells.base = shadow_doorbells_.data();
  doorbells.device = this;
  doorbells.rung = [](void* function, uint32_t index) {
    auto* const self = static_cast<VfioFunction*>(function);
    const uint64_t at = uint64_t{index} * self->doorbell_stride_;
    const volatile uint32_t* const value = &self->shadow_doorbells_[at / sizeof(uint32_t)];
    self->bar_write(0, spec::reg::kDoorbells + at, *value, 4);
  };
  doorbells.poll = [](void*) {};
  return doorbells;
}

void VfioFunction::dma_map(uint64_t iova, void* memory, uint64_t size, int /*fd*/,
                           uint64_t /*fd_offset*/) {
  std::shared_ptr<AddressSpace> space;
  {
    const std::lock_guard guard(mutex_);
    space = space_;
  }
  if (space != nullptr) space->map(name(), iova, memory, size);
}

void VfioFunction::dma_unmap(uint64_t iova, uint64_t size) {
  std::shared_ptr<AddressSpace> space;
  {
    const std::lock_guard guard(mutex_);
    space = space_;
  }
  if (space != nullptr) space->unmap(iova, size);
}

}  // namespace pynvme::pcie::vfio
