#include "pcie/vfio/uio_function.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <utility>

#include "base/log.h"
#include "pcie/bus.h"
#include "pcie/config_space.h"
#include "pcie/vfio/memory_switch.h"
#include "pcie/vfio/no_iommu.h"
#include "spec/pci.h"
#include "spec/registers.h"

namespace pynvme::pcie::vfio {
namespace {

namespace pci = spec::pci;

base::UniqueFd open_file(const SysfsFunction& function, const std::string& path, int flags) {
  base::UniqueFd file(open(path.c_str(), flags | O_CLOEXEC));
  if (!file) {
    throw OpenError(function.name + ": cannot open " + path + ": " + std::strerror(errno) +
                    ". Devices without an IOMMU are for root only");
  }
  return file;
}

bool write_text(const std::string& path, const std::string& text) {
  const base::UniqueFd file(open(path.c_str(), O_WRONLY | O_CLOEXEC));
  return file && write(file.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
}

}  // namespace

UioFunction::UioFunction(SysfsFunction sysfs) : sysfs_(std::move(sysfs)) {
  require_no_iommu_allowed(name());
  if (sysfs_.uio_device.empty()) {
    throw OpenError(name() + " has no /dev/uio node: run `./pynvme setup " + name() + "`");
  }
  const std::string node = "/dev/" + sysfs_.uio_device;
  uio_ = open_file(sysfs_, node, O_RDWR | O_NONBLOCK);
  // The kernel lets any number of processes open it.
  if (flock(uio_.get(), LOCK_EX | LOCK_NB) != 0) {
    const std::string who = holders(node);
    throw OpenError(name() + " is in use by " + (who.empty() ? "another process" : who));
  }
  config_ = open_file(sysfs_, sysfs_.directory + "/config", O_RDWR);
  struct stat info {};
  config_size_ = fstat(config_.get(), &info) == 0 ? static_cast<uint32_t>(info.st_size) : 0;
  if (config_size_ < pci::kConfigSize) {
    throw OpenError(name() + ": only root may read all of its configuration space");
  }
  // What a process that died left running: nothing else resets the device between two users.
  ConfigSpace(*this).set_bus_master(false);
  write_text(sysfs_.directory + "/reset", "1");
  power_management_ = ConfigSpace(*this).find(pci::kCapIdPowerManagement).value_or(0);
  bar_sizes_ = parse_bar_sizes(read_text(sysfs_.directory + "/resource"));
  for (unsigned bar = 0; bar < kBars; ++bar) {
    if (bar_sizes_[bar] == 0) continue;
    resources_[bar] =
        open_file(sysfs_, sysfs_.directory + "/resource" + std::to_string(bar), O_RDWR | O_SYNC);
    try {
      windows_[bar] = std::make_unique<BarWindow>(resources_[bar].get(), 0, bar_sizes_[bar],
                                                  std::vector<Area>{{0, bar_sizes_[bar]}});
    } catch (const std::runtime_error& error) {
      throw OpenError(name() + ": BAR " + std::to_string(bar) + ": " + error.what());
    }
  }
}

UioFunction::~UioFunction() {
  if (removed()) return;
  disable_interrupts();
  ConfigSpace(*this).set_bus_master(false);
}

bool UioFunction::removed() const { return raw_config_read(pci::kVendorId, 2) == 0xFFFF; }

uint32_t UioFunction::raw_config_read(uint16_t offset, unsigned size) const {
  uint32_t value = UINT32_MAX;
  if (pread(config_.get(), &value, size, offset) != ssize_t{size}) value = UINT32_MAX;
  return size == 4 ? value : value & ((1U << (8 * size)) - 1);
}

uint32_t UioFunction::config_read(uint16_t offset, unsigned size) {
  uint32_t value = raw_config_read(offset, size);
  // The kernel sets Interrupt Disable when it tells of the pin; the user sees his own.
  const unsigned byte = pci::kCommand + 1;
  if (offset <= byte && byte < offset + size && value != UINT32_MAX) {
    const uint32_t bit = pci::kCommandInterruptDisable >> 8U << (8 * (byte - offset));
    value = disabled_ ? value | bit : value & ~bit;
  }
  return value;
}

void UioFunction::config_write(uint16_t offset, uint32_t value, unsigned size) {
  const unsigned byte = pci::kCommand + 1;
  if (offset <= byte && byte < offset + size) {
    disabled_ = (value >> (8 * (byte - offset)) & (pci::kCommandInterruptDisable >> 8U)) != 0;
  }
  const bool switches = switches_memory(power_management_, offset, size);
  const bool reachable = !switches || reachable_after(offset, value, size);
  // Not every machine answers for memory that is switched off with all ones.
  for (const auto& window : windows_) {
    if (!reachable && window != nullptr && !window->hidden()) window->hide();
  }
  if (pwrite(config_.get(), &value, size, offset) < 0) {
    base::log(base::LogLevel::kDebug, "%s: a write to configuration space %03xh failed",
              name().c_str(), offset);
  }
  for (const auto& window : windows_) {
    if (switches && reachable && window != nullptr && window->hidden()) window->show();
  }
}

bool UioFunction::reachable_after(uint16_t offset, uint32_t value, unsigned size) const {
  const auto read = [this](uint16_t at, unsigned width) { return raw_config_read(at, width); };
  return memory_reachable(read, power_management_, offset, value, size);
}

uint64_t UioFunction::bar_size(unsigned bar) const { return bar < kBars ? bar_sizes_[bar] : 0; }

uint64_t UioFunction::bar_read(unsigned bar, uint64_t offset, unsigned size) {
  const uint64_t ones = size == 8 ? UINT64_MAX : UINT32_MAX;
  if (bar >= kBars || windows_[bar] == nullptr || !windows_[bar]->covers(offset, size)) return ones;
  const uint64_t value = windows_[bar]->read(offset, size);
  return value == 0 && (removed() || !reachable_after(0, 0, 0)) ? ones : value;
}

void UioFunction::bar_write(unsigned bar, uint64_t offset, uint64_t value, unsigned size) {
  if (bar >= kBars || windows_[bar] == nullptr || !windows_[bar]->covers(offset, size)) return;
  windows_[bar]->write(offset, value, size);
}

Doorbells UioFunction::doorbells(uint32_t stride_bytes) {
  Doorbells doorbells;
  doorbells.stride_bytes = stride_bytes;
  if (windows_[0] != nullptr) {
    doorbells.base = reinterpret_cast<volatile uint32_t*>(windows_[0]->at(spec::reg::kDoorbells));
  }
  return doorbells;
}

unsigned UioFunction::interrupt_vectors(InterruptKind kind) const {
  if (kind != InterruptKind::kPin) return 0;
  return raw_config_read(pci::kInterruptPin, 1) % 0xFF == 0 ? 0 : 1;
}

void UioFunction::enable_interrupts(InterruptKind kind, unsigned vectors) {
  if (kind != InterruptKind::kPin || vectors != 1 || interrupt_vectors(kind) == 0) {
    throw std::invalid_argument(name() + " has " + std::to_string(interrupt_vectors(kind)) +
                                " interrupt vectors of this kind, not " + std::to_string(vectors) +
                                ": behind uio_pci_generic only the pin works");
  }
  const std::lock_guard guard(mutex_);
  while (read(uio_.get(), &interrupts_seen_, sizeof(interrupts_seen_)) ==
         sizeof(interrupts_seen_)) {
  }
  pin_enabled_ = true;
  pin_masked_ = false;
  set_pin_disabled(false);
}

void UioFunction::disable_interrupts() {
  const std::lock_guard guard(mutex_);
  pin_enabled_ = false;
  set_pin_disabled(true);
}

void UioFunction::set_pin_disabled(bool disabled) {
  const uint32_t command = raw_config_read(pci::kCommand, 2);
  if (command == 0xFFFF) return;
  const uint32_t bit = pci::kCommandInterruptDisable;
  config_write(pci::kCommand, disabled ? command | bit : command & ~bit, 2);
}

// The kernel masks the pin when it tells of it, and leaves unmasking to its user. That is done when
// the pin is low again, so that each time it rises counts once, however long it stays up.
uint64_t UioFunction::take_interrupts(unsigned vector) {
  const std::lock_guard guard(mutex_);
  if (vector != 0 || !pin_enabled_ || disabled_) return 0;
  if (pin_masked_) {
    const uint32_t status = raw_config_read(pci::kStatus, 2);
    if (status == 0xFFFF || (status & pci::kStatusInterrupt) != 0) return 0;
    pin_masked_ = false;
    set_pin_disabled(false);
  }
  uint32_t count = 0;
  if (read(uio_.get(), &count, sizeof(count)) != sizeof(count) || count == interrupts_seen_) {
    return 0;
  }
  interrupts_seen_ = count;
  pin_masked_ = true;
  return 1;
}

void UioFunction::mask_interrupt(unsigned /*vector*/, bool masked) {
  const std::lock_guard guard(mutex_);
  set_pin_disabled(masked);
}

bool UioFunction::interrupt_pending(unsigned /*vector*/) {
  const uint32_t status = raw_config_read(pci::kStatus, 2);
  return status != 0xFFFF && (status & pci::kStatusInterrupt) != 0;
}

// The kernel resets by the methods it is told to try, and restores configuration space.
void UioFunction::reset(const char* method, const char* what) {
  disable_interrupts();
  const std::string methods = sysfs_.directory + "/reset_method";
  const std::string before = read_text(methods);
  const bool chosen = write_text(methods, method);
  const bool done = chosen && write_text(sysfs_.directory + "/reset", "1");
  const int error = errno;
  if (!before.empty()) write_text(methods, before);
  if (done) return;
  throw std::runtime_error(
      name() + " cannot get a " + what + ": " +
      (chosen ? std::string(std::strerror(error)) : "the kernel's methods for it are: " + before));
}

void UioFunction::function_level_reset() { reset("flr", "function level reset"); }

void UioFunction::hot_reset() { reset("bus", "hot reset"); }

void UioFunction::power_off() {
  throw std::runtime_error(name() +
                           ": the power of its slot cannot be switched from here. Give Subsystem() "
                           "callbacks that switch it (poweron_cb, poweroff_cb)");
}

void UioFunction::power_on() {
  if (!removed()) return;
  throw std::runtime_error(name() + " left PCI: close it and open it again, when it is back");
}

}  // namespace pynvme::pcie::vfio
