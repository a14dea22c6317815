// A function behind Linux VFIO: the kernel's driver vfio-pci keeps configuration space, sets
// interrupts up and resets; BARs are mapped. A thread waits for the kernel to ask for the device
// (hot removal, unbinding): it is given back at once, and reads all ones from then on.
#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/unique_fd.h"
#include "pcie/function.h"
#include "pcie/vfio/address_space.h"
#include "pcie/vfio/bar_window.h"
#include "pcie/vfio/interrupts.h"
#include "pcie/vfio/sysfs.h"

namespace pynvme::pcie::vfio {

class VfioFunction final : public Function {
 public:
  // Throws OpenError.
  explicit VfioFunction(SysfsFunction sysfs);
  ~VfioFunction() override;

  const std::string& name() const override { return sysfs_.name; }
  uint32_t config_read(uint16_t offset, unsigned size) override;
  void config_write(uint16_t offset, uint32_t value, unsigned size) override;
  uint32_t config_size() const override { return config_size_; }
  uint64_t bar_size(unsigned bar) const override;
  uint64_t bar_read(unsigned bar, uint64_t offset, unsigned size) override;
  void bar_write(unsigned bar, uint64_t offset, uint64_t value, unsigned size) override;
  Doorbells doorbells(uint32_t stride_bytes) override;
  void dma_map(uint64_t iova, void* memory, uint64_t size, int fd, uint64_t fd_offset) override;
  void dma_unmap(uint64_t iova, uint64_t size) override;
  bool physical_addresses() const override { return physical_; }
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
  bool removed() const override { return gone_.load(std::memory_order_acquire); }
  std::string removal() const override;

 private:
  static constexpr unsigned kBars = 6;
  struct Region {
    uint64_t size = 0;
    uint64_t offset = 0;  // in the device's file
  };

  std::vector<uint8_t> region_info(unsigned index) const;
  void map_bars();
  void register_events();
  void reopen();
  unsigned irq_count(unsigned index) const;
  int set_irqs(unsigned index, uint32_t flags, unsigned count, const std::vector<int>& fds);
  void watch();
  void give_back();
  uint64_t take_pin();
  void set_interrupt_disable(bool disabled);
  // With mutex_ held.
  uint32_t raw_config_read(uint16_t offset, unsigned size) const;
  bool reachable_after(uint16_t offset, uint32_t value, unsigned size) const;
  void write_link_register(uint16_t offset, uint32_t value, unsigned size) const;
  void check_nobody_else_is_reset(const std::vector<uint8_t>& info) const;

  SysfsFunction sysfs_;
  bool physical_ = false;
  uint32_t config_size_ = 0;
  Region config_{};
  std::array<Region, kBars> bars_{};
  uint16_t power_management_ = 0;
  uint16_t express_ = 0;

  // Guards the device's file and its address space, which give_back() takes away.
  mutable std::mutex mutex_;
  std::shared_ptr<AddressSpace> space_;
  base::UniqueFd device_;
  std::array<std::unique_ptr<BarWindow>, kBars> windows_;
  std::atomic<bool> gone_{false};
  std::vector<uint32_t> shadow_doorbells_;  // where the real ones cannot be mapped
  uint32_t doorbell_stride_ = 4;

  std::array<unsigned, 3> vectors_max_{};  // of the pin, MSI, MSI-X
  EventfdVectors vectors_;
  std::atomic<InterruptKind> kind_{InterruptKind::kNone};
  std::atomic<unsigned> granted_{0};
  std::atomic<bool> pin_masked_{false};  // by the kernel, since it told of the pin

  base::UniqueFd request_;  // eventfds: the kernel wants the device back,
  base::UniqueFd error_;    // it got an uncorrectable error from it,
  base::UniqueFd stop_;     // and we are closing it
  std::thread watcher_;
};

}  // namespace pynvme::pcie::vfio
