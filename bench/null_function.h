// A PCI function without data, for measuring the driver alone: every command in a queue is
// completed with success the moment its doorbell is rung. No registers, no admin queue, no
// interrupts: queues are made with add_queue().
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "driver/queue.h"
#include "pcie/dma_memory.h"
#include "pcie/function.h"

namespace pynvme::bench {

class NullFunction : public pcie::Function {
 public:
  // A submission and a completion queue of `entries`, with the same identifier, from 1 on.
  struct Rings {
    driver::SubmissionQueue sq;
    driver::CompletionQueue cq;
  };
  Rings add_queue(uint32_t entries);

  const std::string& name() const override { return name_; }
  uint32_t config_read(uint16_t, unsigned) override { return UINT32_MAX; }
  void config_write(uint16_t, uint32_t, unsigned) override {}
  uint32_t config_size() const override { return 0; }
  uint64_t bar_size(unsigned) const override { return 0; }
  uint64_t bar_read(unsigned, uint64_t, unsigned) override { return UINT64_MAX; }
  void bar_write(unsigned, uint64_t, uint64_t, unsigned) override {}
  pcie::Doorbells doorbells(uint32_t stride_bytes) override;
  void dma_map(uint64_t, void*, uint64_t, int, uint64_t) override {}
  void dma_unmap(uint64_t, uint64_t) override {}
  unsigned interrupt_vectors(pcie::InterruptKind) const override { return 0; }
  void enable_interrupts(pcie::InterruptKind, unsigned) override {}
  void disable_interrupts() override {}
  uint64_t take_interrupts(unsigned) override { return 0; }
  void mask_interrupt(unsigned, bool) override {}
  bool interrupt_pending(unsigned) override { return false; }
  void function_level_reset() override {}
  void hot_reset() override {}
  void power_off() override {}
  void power_on() override {}

 private:
  static constexpr uint32_t kDoorbells = 64;

  struct Queue {
    const spec::Sqe* sq = nullptr;
    spec::Cqe* cq = nullptr;
    uint32_t entries = 0;
    uint32_t sq_head = 0;
    uint32_t cq_tail = 0;
    uint16_t phase = 1;
    pcie::DmaBlock memory;
  };

  static void rung(void* device, uint32_t index);

  std::string name_ = "null";
  std::vector<std::unique_ptr<Queue>> queues_;
  uint32_t doorbells_[kDoorbells] = {};
};

}  // namespace pynvme::bench
