// A PCI function that another process serves over vfio-user: the embedded SSD behind
// `./pynvme serve`, or any device model that speaks the protocol. Registers are messages; doorbells
// are shared memory where the server offers them (else messages, too), interrupts eventfds, DMA
// memory is shared by its files. When the server is gone every access reads all ones.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/guarded_mapping.h"
#include "base/unique_fd.h"
#include "pcie/function.h"
#include "pcie/vfio_user/connection.h"

namespace pynvme::pcie {

class VfioUserFunction final : public Function {
 public:
  // `restarting` as for VfioUserConnection::open(). Throws OpenError.
  using Connect = std::function<std::unique_ptr<VfioUserConnection>(bool restarting)>;

  // At a path, as VfioUserConnection::open() takes it. Throws OpenError.
  VfioUserFunction(std::string name, const std::string& path);
  VfioUserFunction(std::string name, Connect server);
  ~VfioUserFunction() override;

  const std::string& name() const override { return name_; }
  bool is_served() const override { return true; }
  bool removed() const override;
  std::string removal() const override;
  // The connection's watcher sees the server's end by itself.
  bool absent() override { return removed(); }
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
  // The cable is pulled and put in again: the function comes back as after power-on. What the
  // server does with its device's power, and its cache, is its own business.
  void power_off() override;
  void power_on() override;

 private:
  struct Mapped {
    void* memory;
    uint64_t size;
    int fd;
    uint64_t fd_offset;
  };
  struct Vector {
    base::UniqueFd event;
    bool masked = false;
    uint64_t held = 0;  // arrived while masked, or seen and not taken
  };
  using Connection = std::shared_ptr<VfioUserConnection>;

  Connection connection() const;
  void connect(bool restarting);
  void learn_regions(VfioUserConnection& connection);
  void learn_bar0_areas(const VfioUserConnection::Reply& reply);
  void learn_doorbells(const VfioUserConnection::Reply& reply);
  void learn_interrupts(VfioUserConnection& connection);
  void map_memory(VfioUserConnection& connection, uint64_t iova, const Mapped& mapped);

  uint64_t region_read(uint32_t region, uint64_t offset, unsigned size) const;
  void region_write(uint32_t region, uint64_t offset, uint64_t value, unsigned size) const;
  void set_irqs(uint32_t index, uint32_t flags, uint32_t start, uint32_t count,
                std::span<const int> fds, const char* what) const;
  void collect(Vector& vector, bool is_pin) const;  // vectors_mutex_ is held
  void set_config_bits(uint16_t offset, uint32_t mask, uint32_t value);
  uint16_t find_capability(uint8_t id);
  void mask_on_device(unsigned number, bool masked);
  bool pending_on_device(unsigned number, InterruptKind kind);
  static uint32_t irq_index(InterruptKind kind);

  const std::string name_;
  const Connect server_;
  mutable std::mutex mutex_;  // guards connection_ and off_
  Connection connection_;
  bool off_ = false;
  std::mutex memory_mutex_;
  std::map<uint64_t, Mapped> memory_;  // by IOVA

  std::array<uint64_t, spec::vfu::kRegions> region_bytes_{};
  std::array<uint32_t, spec::vfu::kIrqs> irq_counts_{};
  std::array<uint32_t, spec::vfu::kIrqs> irq_flags_{};
  uint16_t msix_ = 0;
  uint16_t msi_ = 0;
  uint16_t express_ = 0;

  // BAR0 from 1000h on at one address for good: the server's memory is mapped over it.
  uint8_t* doorbell_area_ = nullptr;
  uint64_t doorbell_bytes_ = 0;
  uint64_t doorbells_mapped_ = 0;  // of them, those in the server's memory
  std::unique_ptr<base::GuardedMapping> doorbell_mapping_;
  uint32_t stride_bytes_ = 4;

  mutable std::mutex vectors_mutex_;
  std::vector<Vector> vectors_;
  InterruptKind kind_ = InterruptKind::kNone;
};

}  // namespace pynvme::pcie
