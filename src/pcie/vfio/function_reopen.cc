// A device that left PCI when others switched its power, and came back: the same object goes on
// with it, so that plain pointers into its BARs stay what they were.
#include <fcntl.h>
#include <linux/vfio.h>
#include <unistd.h>

#include <cstdint>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

#include "pcie/bus.h"
#include "pcie/dma_memory.h"
#include "pcie/vfio/function.h"
#include "pcie/vfio/open.h"

namespace pynvme::pcie::vfio {

void VfioFunction::power_on() {
  if (!removed()) return;  // it was away electrically at most
  std::optional<SysfsFunction> now = read_sysfs_function(name());
  if (!now) {
    throw std::runtime_error(name() + " is not there yet: it left PCI, and did not come back");
  }
  check_vfio_driver(*now);
  sysfs_.group = now->group;
  sysfs_.no_iommu = now->no_iommu;
  sysfs_.group_members = std::move(now->group_members);
  sysfs_.vfio_device = std::move(now->vfio_device);
  // What was mapped went with the old address space.
  DmaMemory::instance().detach(*this);
  reopen();
  DmaMemory::instance().attach(*this);
}

void VfioFunction::reopen() {
  if (watcher_.joinable()) watcher_.join();  // it ended when it gave the device back
  const std::lock_guard guard(mutex_);
  try {
    space_ = AddressSpace::of(sysfs_);
    device_ = space_->open_device(sysfs_);
    for (unsigned bar = 0; bar < kBars; ++bar) {
      const auto info = region_info(bar);
      const auto* const fixed = reinterpret_cast<const vfio_region_info*>(info.data());
      if (bars_[bar].size != 0 && fixed->size != bars_[bar].size) {
        throw OpenError(name() + " is another device now: its BAR " + std::to_string(bar) +
                        " has another size. Close this one and open the new one");
      }
      if (windows_[bar] != nullptr) windows_[bar]->set_file(device_.get());
    }
  } catch (...) {
    device_.reset();
    space_.reset();
    throw;
  }
  uint64_t count = 0;
  // Old news: that the device was to be given back. Nothing to read is fine, too.
  for (const base::UniqueFd* const file : {&request_, &error_}) {
    if (read(file->get(), &count, sizeof(count)) < 0) count = 0;
  }
  kind_ = InterruptKind::kNone;
  granted_ = 0;
  register_events();
  space_->add_function(name());
  gone_.store(false, std::memory_order_release);
  if (reachable_after(0, 0, 0)) {
    for (const auto& window : windows_) {
      if (window != nullptr) window->show();
    }
  }
  watcher_ = std::thread([this] { watch(); });
}

}  // namespace pynvme::pcie::vfio
