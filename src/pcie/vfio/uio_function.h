// A function behind uio_pci_generic, for machines without an IOMMU: root reaches configuration
// space and BARs through sysfs, and only the interrupt pin works. Device addresses are physical
// addresses; nothing keeps the device from any of the machine's memory.
#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "pcie/function.h"
#include "pcie/vfio/bar_window.h"
#include "pcie/vfio/sysfs.h"

namespace pynvme::pcie::vfio {

class UioFunction final : public Function {
 public:
  // Throws OpenError.
  explicit UioFunction(SysfsFunction sysfs);
  ~UioFunction() override;

  const std::string& name() const override { return sysfs_.name; }
  uint32_t config_read(uint16_t offset, unsigned size) override;
  void config_write(uint16_t offset, uint32_t value, unsigned size) override;
  uint32_t config_size() const override { return config_size_; }
  uint64_t bar_size(unsigned bar) const override;
  uint64_t bar_read(unsigned bar, uint64_t offset, unsigned size) override;
  void bar_write(unsigned bar, uint64_t offset, uint64_t value, unsigned size) override;
  Doorbells doorbells(uint32_t stride_bytes) override;
  void dma_map(uint64_t /*iova*/, void* /*memory*/, uint64_t /*size*/, int /*fd*/,
               uint64_t /*fd_offset*/) override {}
  void dma_unmap(uint64_t /*iova*/, uint64_t /*size*/) override {}
  bool physical_addresses() const override { return true; }
  unsigned interrupt_vectors(InterruptKind kind) const override;
  void enable_interrupts(InterruptKind kind, unsigned vectors) override;
  void disable_interrupts() override;
  uint64_t take_interrupts(unsigned vector) override;
  void mask_interrupt(unsigned vector, bool masked) override;
  bool interrupt_pending(unsigned vector) override;
  void function_level_reset() override;
  void hot_reset() override;
  void power_off() override;
  void power_on() override;
  bool removed() const override;

 private:
  static constexpr unsigned kBars = 6;

  uint32_t raw_config_read(uint16_t offset, unsigned size) const;
  bool reachable_after(uint16_t offset, uint32_t value, unsigned size) const;
  void set_pin_disabled(bool disabled);
  void reset(const char* method, const char* what);

  const SysfsFunction sysfs_;
  uint32_t config_size_ = 0;
  uint16_t power_management_ = 0;
  std::vector<uint64_t> bar_sizes_;
  base::UniqueFd
      uio_;  // open: the kernel takes interrupts; closed, also by a crash: bus mastering goes off
  base::UniqueFd config_;
  std::array<base::UniqueFd, kBars> resources_;
  std::array<std::unique_ptr<BarWindow>, kBars> windows_;
  std::mutex mutex_;  // of the pin's state
  bool pin_enabled_ = false;
  bool pin_masked_ = false;           // by the kernel, since it told of the pin
  std::atomic<bool> disabled_{true};  // Interrupt Disable as the user set it
  uint32_t interrupts_seen_ = 0;
};

}  // namespace pynvme::pcie::vfio
