// Set-up through configuration space and the MSI-X table, as any PCI host would do it. What is only
// true of a simulated device (a reset takes no time) is said where it is used.
#include "pcie/embedded/function.h"

#include <algorithm>
#include <bit>
#include <stdexcept>
#include <utility>

#include "base/clock.h"
#include "pcie/bus.h"
#include "pcie/config_space.h"
#include "spec/pci.h"

namespace pynvme::pcie {
namespace {

namespace pci = spec::pci;

// Where x86 takes interrupt messages (Intel SDM volume 3, §11.11.1); data is the vector's number.
constexpr uint64_t kMessageAddress = 0xFEE0'0000;
constexpr unsigned kMaxVectors = 2048;  // of an MSI-X table

}  // namespace

std::shared_ptr<ssd::Device> make_embedded_device(std::string_view options) {
  const auto config = ssd::Config::parse(options);
  try {
    return std::make_shared<ssd::Device>(config, base::Clock::real());
  } catch (const std::runtime_error& error) {  // its media file
    throw OpenError(error.what());
  }
}

EmbeddedFunction::EmbeddedFunction(std::string name, std::shared_ptr<ssd::Device> device)
    : name_(std::move(name)), device_(std::move(device)), counters_(kMaxVectors) {
  device_->plug(*this);
  const ConfigSpace space(*this);
  msix_ = space.find(pci::kCapIdMsix).value_or(0);
  msi_ = space.find(pci::kCapIdMsi).value_or(0);
  express_ = space.find(pci::kCapIdPciExpress).value_or(0);
}

EmbeddedFunction::~EmbeddedFunction() {
  if (gone()) return;
  disable_interrupts();
  ConfigSpace(*this).set_bus_master(false);
  device_->unplug();
}

uint32_t EmbeddedFunction::config_read(uint16_t offset, unsigned size) {
  return read_config(offset, size);
}

uint32_t EmbeddedFunction::read_config(uint16_t offset, unsigned size) const {
  const uint32_t value = gone() ? UINT32_MAX : device_->config_read(offset, size);
  return size == 4 ? value : value & ((1U << (8 * size)) - 1);
}

void EmbeddedFunction::config_write(uint16_t offset, uint32_t value, unsigned size) {
  if (!gone()) device_->config_write(offset, value, size);
}

uint32_t EmbeddedFunction::config_size() const { return pci::kExtendedConfigSize; }

uint64_t EmbeddedFunction::bar_size(unsigned bar) const { return device_->bar_size(bar); }

uint64_t EmbeddedFunction::bar_read(unsigned bar, uint64_t offset, unsigned size) {
  const uint64_t value = gone() ? UINT64_MAX : device_->bar_read(bar, offset, size);
  return size == 8 ? value : value & UINT32_MAX;
}

void EmbeddedFunction::bar_write(unsigned bar, uint64_t offset, uint64_t value, unsigned size) {
  if (!gone()) device_->bar_write(bar, offset, value, size);
}

Doorbells EmbeddedFunction::doorbells(uint32_t stride_bytes) {
  Doorbells doorbells;
  doorbells.base = device_->doorbells();
  doorbells.stride_bytes = stride_bytes;
  doorbells.device = this;
  doorbells.rung = [](void* function, uint32_t index) {
    auto* const self = static_cast<EmbeddedFunction*>(function);
    if (!self->gone()) [[likely]]
      self->device_->rung(index);
  };
  doorbells.poll = [](void* function) {
    auto* const self = static_cast<EmbeddedFunction*>(function);
    if (!self->gone()) [[likely]]
      self->device_->advance();
  };
  return doorbells;
}

void EmbeddedFunction::dma_map(uint64_t iova, void* memory, uint64_t size, int /*fd*/,
                               uint64_t /*fd_offset*/) {
  if (!gone()) device_->dma_map(iova, static_cast<uint8_t*>(memory), size);
}

void EmbeddedFunction::dma_unmap(uint64_t iova, uint64_t size) {
  if (!gone()) device_->dma_unmap(iova, size);
}

unsigned EmbeddedFunction::interrupt_vectors(InterruptKind kind) const {
  switch (kind) {
    case InterruptKind::kMsix: {
      if (msix_ == 0) return 0;
      const uint32_t control = read_config(static_cast<uint16_t>(msix_ + pci::msix::kControl), 2);
      return control == 0xFFFF ? 0 : (control & pci::msix::kControlTableSizeMask) + 1;
    }
    case InterruptKind::kMsi: {
      if (msi_ == 0) return 0;
      const auto control =
          static_cast<uint16_t>(read_config(static_cast<uint16_t>(msi_ + pci::msi::kControl), 2));
      return control == 0xFFFF ? 0 : 1U << pci::msi::multiple_message_capable(control);
    }
    case InterruptKind::kPin:
      return read_config(pci::kInterruptPin, 1) % 0xFF == 0 ? 0 : 1;
    case InterruptKind::kNone:
      break;
  }
  return 0;
}

void EmbeddedFunction::enable_interrupts(InterruptKind kind, unsigned vectors) {
  const unsigned available = interrupt_vectors(kind);
  if (vectors == 0 || vectors > available) {
    throw std::invalid_argument(name_ + " has " + std::to_string(available) +
                                " interrupt vectors of this kind, not " + std::to_string(vectors));
  }
  disable_interrupts();
  for (auto& counter : counters_) counter.count.store(0, std::memory_order_relaxed);
  if (kind == InterruptKind::kMsix) enable_msix(vectors);
  if (kind == InterruptKind::kMsi) enable_msi(vectors);
  set_config_bits(pci::kCommand, pci::kCommandInterruptDisable,
                  kind == InterruptKind::kPin ? 0 : pci::kCommandInterruptDisable);
  kind_ = kind;
}

void EmbeddedFunction::enable_msix(unsigned vectors) {
  // Enabled but masked as a whole while the table is written, as PCI 3.0 §6.8.2 has it: no message
  // goes to a half-written entry.
  const auto control = static_cast<uint16_t>(msix_ + pci::msix::kControl);
  set_config_bits(control, pci::msix::kControlEnable | pci::msix::kControlFunctionMask,
                  pci::msix::kControlEnable | pci::msix::kControlFunctionMask);
  const Place table = msix_place(pci::msix::kTable);
  for (unsigned vector = 0; vector < vectors; ++vector) {
    const uint64_t entry = table.offset + vector * sizeof(pci::msix::TableEntry);
    bar_write(table.bar, entry, kMessageAddress, 4);
    bar_write(table.bar, entry + 4, 0, 4);
    bar_write(table.bar, entry + 8, vector, 4);
    bar_write(table.bar, entry + 12, 0, 4);
  }
  set_config_bits(control, pci::msix::kControlFunctionMask, 0);
}

void EmbeddedFunction::enable_msi(unsigned vectors) {
  const auto log2_vectors = static_cast<unsigned>(std::bit_width(vectors) - 1);
  const auto at = [this](uint16_t offset) { return static_cast<uint16_t>(msi_ + offset); };
  const uint32_t control = config_read(at(pci::msi::kControl), 2);
  const bool wide = (control & pci::msi::kControl64Bit) != 0;
  config_write(at(pci::msi::kAddressLow), kMessageAddress, 4);
  if (wide) config_write(at(pci::msi::kAddressHigh), 0, 4);
  config_write(at(wide ? pci::msi::kData64 : pci::msi::kData32), 0, 2);
  if ((control & pci::msi::kControlPerVectorMask) != 0) config_write(at(pci::msi::kMask64), 0, 4);
  set_config_bits(at(pci::msi::kControl), 0x70U | pci::msi::kControlEnable,
                  log2_vectors << 4 | pci::msi::kControlEnable);
}

void EmbeddedFunction::disable_interrupts() {
  if (msix_ != 0) {
    set_config_bits(static_cast<uint16_t>(msix_ + pci::msix::kControl), pci::msix::kControlEnable,
                    0);
  }
  if (msi_ != 0) {
    set_config_bits(static_cast<uint16_t>(msi_ + pci::msi::kControl), pci::msi::kControlEnable, 0);
  }
  set_config_bits(pci::kCommand, pci::kCommandInterruptDisable, pci::kCommandInterruptDisable);
  kind_ = InterruptKind::kNone;
}

uint64_t EmbeddedFunction::take_interrupts(unsigned vector) {
  if (vector >= counters_.size()) return 0;
  auto& count = counters_[vector].count;
  if (count.load(std::memory_order_relaxed) == 0) return 0;
  return count.exchange(0, std::memory_order_acquire);
}

void EmbeddedFunction::mask_interrupt(unsigned vector, bool masked) {
  switch (kind_) {
    case InterruptKind::kMsix: {
      const Place table = msix_place(pci::msix::kTable);
      const uint64_t entry = table.offset + vector * sizeof(pci::msix::TableEntry);
      bar_write(table.bar, entry + 12, masked ? pci::msix::kVectorControlMask : 0, 4);
      break;
    }
    case InterruptKind::kMsi:
      set_config_bits(static_cast<uint16_t>(msi_ + pci::msi::kMask64), 1U << (vector % 32),
                      masked ? 1U << (vector % 32) : 0, 4);
      break;
    case InterruptKind::kPin:
      set_config_bits(pci::kCommand, pci::kCommandInterruptDisable,
                      masked ? pci::kCommandInterruptDisable : 0);
      break;
    case InterruptKind::kNone:
      break;
  }
}

bool EmbeddedFunction::interrupt_pending(unsigned vector) {
  switch (kind_) {
    case InterruptKind::kMsix: {
      const Place pba = msix_place(pci::msix::kPba);
      const uint64_t word = bar_read(pba.bar, pba.offset + uint64_t{vector} / 32 * 4, 4);
      return (word >> (vector % 32) & 1) != 0;
    }
    case InterruptKind::kMsi:
      return (config_read(static_cast<uint16_t>(msi_ + pci::msi::kPending64), 4) >> (vector % 32) &
              1) != 0;
    case InterruptKind::kPin:
      return (config_read(pci::kStatus, 2) & pci::kStatusInterrupt) != 0;
    case InterruptKind::kNone:
      break;
  }
  return false;
}

void EmbeddedFunction::function_level_reset() {
  const uint32_t capabilities =
      express_ == 0
          ? 0
          : config_read(static_cast<uint16_t>(express_ + pci::pcie::kDeviceCapabilities), 4);
  if ((capabilities & pci::pcie::kDeviceCapFlr) == 0) {
    throw std::runtime_error(name_ + " has no function level reset (PCIe Device Capabilities)");
  }
  // A simulated device is through with it when the write returns; no 100 ms of PCIe §6.6.2.
  set_config_bits(static_cast<uint16_t>(express_ + pci::pcie::kDeviceControl),
                  pci::pcie::kDeviceControlInitiateFlr, pci::pcie::kDeviceControlInitiateFlr);
  kind_ = InterruptKind::kNone;
}

void EmbeddedFunction::hot_reset() {
  if (!gone()) device_->hot_reset();
  kind_ = InterruptKind::kNone;
}

void EmbeddedFunction::power_off() {
  if (!gone()) device_->power_off();
}

void EmbeddedFunction::power_on() {
  if (!gone()) device_->power_on();
  kind_ = InterruptKind::kNone;
}

void EmbeddedFunction::message(uint64_t address, uint32_t data, uint32_t /*vector*/) {
  if (address != kMessageAddress || data >= counters_.size()) return;
  counters_[data].count.fetch_add(1, std::memory_order_release);
}

void EmbeddedFunction::pin(bool asserted) {
  if (asserted) counters_[0].count.fetch_add(1, std::memory_order_release);
}

EmbeddedFunction::Place EmbeddedFunction::msix_place(uint16_t register_offset) const {
  const uint32_t value = read_config(static_cast<uint16_t>(msix_ + register_offset), 4);
  return {value & pci::msix::kBirMask, value & pci::msix::kOffsetMask};
}

void EmbeddedFunction::set_config_bits(uint16_t offset, uint32_t mask, uint32_t value,
                                       unsigned size) {
  config_write(offset, (config_read(offset, size) & ~mask) | value, size);
}

}  // namespace pynvme::pcie
