// A function whose device is an embedded SSD in this process. This folder alone knows the SSD; it
// plays the part of slot and platform: it programs MSI-X and MSI as an operating system would,
// counts the messages that arrive, and hands the doorbells out as plain memory.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "pcie/function.h"
#include "ssd/device.h"
#include "ssd/host_port.h"

namespace pynvme::pcie {

// options: what follows "sim:". Throws std::invalid_argument.
std::shared_ptr<ssd::Device> make_embedded_device(std::string_view options);

class EmbeddedFunction final : public Function, private ssd::HostPort {
 public:
  EmbeddedFunction(std::string name, std::shared_ptr<ssd::Device> device);
  ~EmbeddedFunction() override;

  const std::string& name() const override { return name_; }
  uint32_t config_read(uint16_t offset, unsigned size) override;
  void config_write(uint16_t offset, uint32_t value, unsigned size) override;
  uint32_t config_size() const override;
  uint64_t bar_size(unsigned bar) const override;
  uint64_t bar_read(unsigned bar, uint64_t offset, unsigned size) override;
  void bar_write(unsigned bar, uint64_t offset, uint64_t value, unsigned size) override;
  Doorbells doorbells(uint32_t stride_bytes) override;
  void dma_map(uint64_t iova, void* memory, uint64_t size, int fd, uint64_t fd_offset) override;
  void dma_unmap(uint64_t iova, uint64_t size) override;
  unsigned interrupt_vectors(InterruptKind kind) const override;
  void enable_interrupts(InterruptKind kind, unsigned vectors) override;
  void disable_interrupts() override;
  uint64_t take_interrupts(unsigned vector) override;
  void mask_interrupt(unsigned vector, bool masked) override;
  bool interrupt_pending(unsigned vector) override;
  void function_level_reset() override;
  void hot_reset() override;
  bool has_slot_power() const override { return true; }
  void power_off() override;
  void power_on() override;

  const ssd::Device& device() const { return *device_; }

  // The device was pulled out of its slot: every access reads all ones from now on, also when the
  // device is in use elsewhere by then.
  void set_removed() { removed_.store(true, std::memory_order_release); }
  bool removed() const override { return gone(); }

 private:
  uint32_t read_config(uint16_t offset, unsigned size) const;
  bool gone() const { return removed_.load(std::memory_order_relaxed); }

  // Where a BAR-resident structure of MSI-X lies.
  struct Place {
    unsigned bar;
    uint64_t offset;
  };
  // A cache line each: vectors of different queues are counted by different threads.
  struct alignas(64) Counter {
    std::atomic<uint64_t> count{0};
  };

  void message(uint64_t address, uint32_t data, uint32_t /*vector*/) override;
  void pin(bool asserted) override;

  void enable_msix(unsigned vectors);
  void enable_msi(unsigned vectors);
  Place msix_place(uint16_t register_offset) const;
  void set_config_bits(uint16_t offset, uint32_t mask, uint32_t value, unsigned size = 2);

  const std::string name_;
  const std::shared_ptr<ssd::Device> device_;
  // Found once: the capabilities of a device do not move, and closing must work when it is gone.
  uint16_t msix_ = 0;
  uint16_t msi_ = 0;
  uint16_t express_ = 0;
  std::vector<Counter> counters_;
  InterruptKind kind_ = InterruptKind::kNone;
  std::atomic<bool> removed_{false};
};

}  // namespace pynvme::pcie
