// NVMe over PCIe: registers in BAR0, doorbells, queues made by admin commands, interrupts, and what
// resets do to configuration space.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "driver/transport.h"
#include "pcie/function.h"

namespace pynvme::driver {

class PcieTransport final : public Transport {
 public:
  static constexpr uint32_t kAdminEntries = 256;

  // Throws EnumerateError when the function has no room for NVMe registers.
  PcieTransport(std::shared_ptr<pcie::Function> function, const base::Clock& clock);

  const std::string& name() const override { return function_->name(); }
  DataPointers data_pointers() const noexcept override { return DataPointers::kPrp; }
  std::shared_ptr<pcie::Function> function() const noexcept override { return function_; }

  uint64_t register_bytes() const override { return function_->bar_size(0); }
  uint32_t read32(uint32_t offset) override;
  uint64_t read64(uint32_t offset) override;
  void write32(uint32_t offset, uint32_t value) override;
  uint32_t status() override;
  std::string gone_text() const override;
  bool vanished() override;

  uint32_t admin_entries() const override { return kAdminEntries; }
  pcie::Doorbells attach_admin(const QueueRings& rings) override;
  void recover(const std::function<void(const char* reason)>& lost) override;
  void start_admin(QueuePair& pair) override;
  void queues_lost() override {}
  void identified(const spec::IdentifyController&) override {}

  std::unique_ptr<QueueLink> link(Controller& controller, const QueueRings& rings) override;
  bool reclaim_queue(Controller& controller, uint16_t id, uint32_t generation) override;

  void check_reset(ResetKind) const override {}
  void reset(ResetKind kind, const std::function<void()>& idle) override;
  void close() noexcept override;

  pcie::InterruptKind interrupt_kind() const noexcept override { return interrupt_kind_; }
  unsigned interrupt_vectors() const noexcept override {
    return static_cast<unsigned>(interrupts_.size());
  }
  uint64_t interrupts(unsigned vector) override;

 private:
  // Throws EnumerateError.
  void check_doorbells(uint16_t id, uint32_t stride) const;

  void write64(uint32_t offset, uint64_t value);
  void start_interrupts();
  void wait_until_present(const std::function<void()>& idle);

  const std::shared_ptr<pcie::Function> function_;
  const base::Clock& clock_;
  pcie::Doorbells doorbells_;
  std::vector<uint32_t> saved_config_;
  pcie::InterruptKind interrupt_kind_ = pcie::InterruptKind::kNone;
  // Messages each vector received since it was switched on.
  std::vector<std::atomic<uint64_t>> interrupts_;
};

}  // namespace pynvme::driver
