// Interrupts and resets of a function behind VFIO, and the thread that gives the device back when
// the kernel asks for it.
#include <linux/vfio.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <time.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <stdexcept>

#include "base/log.h"
#include "pcie/vfio/capability.h"
#include "pcie/vfio/function.h"
#include "spec/pci.h"

namespace pynvme::pcie::vfio {
namespace {

namespace pci = spec::pci;

constexpr int kResetAttempts = 100;
constexpr long kResetPauseNs = 10'000'000;

unsigned irq_index(InterruptKind kind) {
  switch (kind) {
    case InterruptKind::kMsix:
      return VFIO_PCI_MSIX_IRQ_INDEX;
    case InterruptKind::kMsi:
      return VFIO_PCI_MSI_IRQ_INDEX;
    case InterruptKind::kPin:
    case InterruptKind::kNone:
      break;
  }
  return VFIO_PCI_INTX_IRQ_INDEX;
}

}  // namespace

int VfioFunction::set_irqs(unsigned index, uint32_t flags, unsigned count,
                           const std::vector<int>& fds) {
  std::vector<uint8_t> buffer(sizeof(vfio_irq_set) + fds.size() * sizeof(int32_t), 0);
  auto* const set = reinterpret_cast<vfio_irq_set*>(buffer.data());
  set->argsz = static_cast<uint32_t>(buffer.size());
  set->flags = flags;
  set->index = index;
  set->count = count;
  if (!fds.empty()) std::memcpy(set->data, fds.data(), fds.size() * sizeof(int32_t));
  return device_ ? ioctl(device_.get(), VFIO_DEVICE_SET_IRQS, set) : -1;
}

unsigned VfioFunction::interrupt_vectors(InterruptKind kind) const {
  if (kind == InterruptKind::kNone || removed()) return 0;
  if (kind == kind_) return granted_;
  return std::min(vectors_max_[irq_index(kind)], EventfdVectors::kMax);
}

void VfioFunction::enable_interrupts(InterruptKind kind, unsigned vectors) {
  disable_interrupts();
  const unsigned available = interrupt_vectors(kind);
  if (vectors == 0 || vectors > available) {
    throw std::invalid_argument(name() + " has " + std::to_string(available) +
                                " interrupt vectors of this kind, not " + std::to_string(vectors));
  }
  {
    const std::lock_guard guard(mutex_);
    std::vector<int> fds = vectors_.prepare(vectors);
    pin_masked_ = false;
    while (true) {
      const auto count = static_cast<unsigned>(fds.size());
      const int left = set_irqs(
          irq_index(kind), VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER, count, fds);
      if (left == 0) break;
      // The machine has only so many vectors left.
      if (left < 0 || static_cast<unsigned>(left) >= count) {
        throw std::runtime_error(name() +
                                 ": VFIO does not set its interrupts up: " + std::strerror(errno));
      }
      fds.resize(static_cast<size_t>(left));
    }
    granted_ = static_cast<unsigned>(fds.size());
    kind_ = kind;
  }
  set_interrupt_disable(kind != InterruptKind::kPin);
}

void VfioFunction::disable_interrupts() {
  {
    const std::lock_guard guard(mutex_);
    if (kind_ == InterruptKind::kNone) return;
    set_irqs(irq_index(kind_), VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_TRIGGER, 0, {});
    kind_ = InterruptKind::kNone;
    granted_ = 0;
  }
  set_interrupt_disable(true);
}

void VfioFunction::set_interrupt_disable(bool disabled) {
  const uint32_t command = config_read(pci::kCommand, 2);
  const uint32_t bit = pci::kCommandInterruptDisable;
  config_write(pci::kCommand, disabled ? command | bit : command & ~bit, 2);
}

uint64_t VfioFunction::take_interrupts(unsigned vector) {
  return kind_ == InterruptKind::kPin ? take_pin() : vectors_.take(vector);
}

// The kernel masks the pin when it tells of it, and leaves unmasking to its user. That is done when
// the pin is low again, so that each time it rises counts once, however long it stays up.
uint64_t VfioFunction::take_pin() {
  const std::lock_guard guard(mutex_);
  if (pin_masked_) {
    const uint32_t status = raw_config_read(pci::kStatus, 2);
    if (status == 0xFFFF || (status & pci::kStatusInterrupt) != 0) return 0;
    set_irqs(VFIO_PCI_INTX_IRQ_INDEX, VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_UNMASK, 1, {});
    pin_masked_ = false;
  }
  if (vectors_.take(0) == 0) return 0;
  pin_masked_ = true;
  return 1;
}

void VfioFunction::mask_interrupt(unsigned vector, bool masked) {
  if (kind_ == InterruptKind::kPin) {
    set_interrupt_disable(masked);
  } else {
    vectors_.mask(vector, masked);
  }
}

bool VfioFunction::interrupt_pending(unsigned vector) {
  if (kind_ == InterruptKind::kPin) {
    const uint32_t status = config_read(pci::kStatus, 2);
    return status != 0xFFFF && (status & pci::kStatusInterrupt) != 0;
  }
  return vectors_.pending(vector);
}

void VfioFunction::function_level_reset() {
  const uint32_t capabilities =
      express_ == 0
          ? 0
          : config_read(static_cast<uint16_t>(express_ + pci::pcie::kDeviceCapabilities), 4);
  if ((capabilities & pci::pcie::kDeviceCapFlr) == 0) {
    throw std::runtime_error(name() + " has no function level reset (PCIe Device Capabilities)");
  }
  disable_interrupts();
  const std::lock_guard guard(mutex_);
  // Busy while somebody else reads the device's files in sysfs.
  for (int attempt = 0; device_ && ioctl(device_.get(), VFIO_DEVICE_RESET) != 0; ++attempt) {
    if (errno != EAGAIN || attempt == kResetAttempts) {
      throw std::runtime_error(name() + ": function level reset failed: " + std::strerror(errno));
    }
    const timespec pause{0, kResetPauseNs};
    nanosleep(&pause, nullptr);
  }
}

// Of everything behind the port only functions may be reset that this process has open: those were
// named.
void VfioFunction::check_nobody_else_is_reset(const std::vector<uint8_t>& info) const {
  std::string others;
  for (const Dependent& one : hot_reset_dependents(info)) {
    if (one.name == name() || find_space_of(one.name) != nullptr) continue;
    others += (others.empty() ? "" : ", ") + one.name;
  }
  if (others.empty()) return;
  throw std::runtime_error(name() + ": a hot reset would also reset " + others +
                           ", which this process has not opened. Open them as well (Pcie()), or "
                           "use flr()");
}

void VfioFunction::hot_reset() {
  disable_interrupts();
  const std::lock_guard guard(mutex_);
  if (!device_) return;
  std::vector<uint8_t> info(sizeof(vfio_pci_hot_reset_info));
  while (true) {
    auto* const head = reinterpret_cast<vfio_pci_hot_reset_info*>(info.data());
    head->argsz = static_cast<uint32_t>(info.size());
    if (ioctl(device_.get(), VFIO_DEVICE_GET_PCI_HOT_RESET_INFO, head) == 0) break;
    if (errno != ENOSPC) {
      throw std::runtime_error(name() +
                               " cannot get a hot reset: there is no port above it that could give "
                               "one to it (" +
                               std::strerror(errno) + ")");
    }
    info.assign(sizeof(vfio_pci_hot_reset_info) + head->count * sizeof(vfio_pci_dependent_device),
                0);
  }
  check_nobody_else_is_reset(info);
  std::vector<int32_t> groups;
  if (space_->group_fd() >= 0) {
    groups.push_back(space_->group_fd());
    for (const Dependent& one : hot_reset_dependents(info)) {
      if (one.name == name()) continue;
      const auto space = find_space_of(one.name);
      if (space == nullptr || space->group_fd() < 0) continue;
      if (std::find(groups.begin(), groups.end(), space->group_fd()) == groups.end()) {
        groups.push_back(space->group_fd());
      }
    }
  }
  std::vector<uint8_t> buffer(sizeof(vfio_pci_hot_reset) + groups.size() * sizeof(int32_t), 0);
  auto* const reset = reinterpret_cast<vfio_pci_hot_reset*>(buffer.data());
  reset->argsz = static_cast<uint32_t>(buffer.size());
  reset->count = static_cast<uint32_t>(groups.size());
  if (!groups.empty()) {
    std::memcpy(reset->group_fds, groups.data(), groups.size() * sizeof(int32_t));
  }
  if (ioctl(device_.get(), VFIO_DEVICE_PCI_HOT_RESET, reset) == 0) return;
  // Reset, but the port did not report the link as active in time (the kernel's
  // pci_bridge_wait_for_secondary_bus). Some ports never do; the device's own answer counts.
  const int error = errno;
  if (error == ENOTTY && raw_config_read(pci::kStatus, 2) != 0xFFFF) {
    base::log(base::LogLevel::kInfo,
              "%s: after the hot reset the port above reported no active link, but it answers",
              name().c_str());
    return;
  }
  throw std::runtime_error(name() + ": hot reset failed: " + std::strerror(error));
}

void VfioFunction::power_off() {
  throw std::runtime_error(name() +
                           ": the power of its slot cannot be switched from here. Give Subsystem() "
                           "callbacks that switch it (poweron_cb, poweroff_cb)");
}

// A kernel that has not one of these just does not tell.
void VfioFunction::register_events() {
  constexpr uint32_t kTrigger = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER;
  set_irqs(VFIO_PCI_REQ_IRQ_INDEX, kTrigger, 1, {request_.get()});
  set_irqs(VFIO_PCI_ERR_IRQ_INDEX, kTrigger, 1, {error_.get()});
}

void VfioFunction::watch() {
  std::array<pollfd, 3> files{
      {{stop_.get(), POLLIN, 0}, {request_.get(), POLLIN, 0}, {error_.get(), POLLIN, 0}}};
  while (true) {
    if (poll(files.data(), files.size(), -1) < 0 && errno != EINTR) return;
    if (files[0].revents != 0) return;
    if (files[1].revents != 0) {
      base::log(base::LogLevel::kWarning,
                "%s was taken away: unplugged, or unbound from vfio-pci. It reads all ones now",
                name().c_str());
      give_back();
      return;
    }
    if (files[2].revents != 0) {
      base::log(base::LogLevel::kWarning,
                "%s: the kernel got an uncorrectable PCIe error from it; a reset may bring it back",
                name().c_str());
      files[2].fd = -1;  // told once; a device that is lost would tell without end
    }
  }
}

std::string VfioFunction::removal() const {
  return "The kernel took it away: it was unplugged, or unbound from vfio-pci. When it is back, "
         "run "
         "`./pynvme setup " +
         name() + "`, close this one and open it anew";
}

// The kernel waits for every mapping and file to go before it lets the device go, and for the group
// before it gives it to another driver.
void VfioFunction::give_back() {
  std::shared_ptr<AddressSpace> space;
  const std::lock_guard guard(mutex_);
  gone_.store(true, std::memory_order_release);
  for (const auto& window : windows_) {
    if (window != nullptr) window->hide();
  }
  device_.reset();
  space.swap(space_);
  space->remove_function(name());
}

}  // namespace pynvme::pcie::vfio
