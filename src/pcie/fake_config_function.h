// A function that is nothing but 4096 bytes of configuration space and two BARs, for tests.
#pragma once

#include <array>
#include <cstring>
#include <string>
#include <vector>

#include "pcie/function.h"
#include "spec/pci.h"

namespace pynvme::pcie {

class FakeConfigFunction : public Function {
 public:
  std::array<uint8_t, 4096> config{};
  std::array<uint64_t, 6> bar_sizes{};
  bool gone = false;
  bool physical = false;
  std::vector<uint16_t> written;

  void put(uint16_t offset, uint32_t value, unsigned size) {
    std::memcpy(config.data() + offset, &value, size);
  }

  const std::string& name() const override { return name_; }
  uint32_t config_read(uint16_t offset, unsigned size) override {
    uint32_t value = 0;
    if (gone) return size == 4 ? UINT32_MAX : (1U << (8 * size)) - 1;
    std::memcpy(&value, config.data() + offset, size);
    return value;
  }
  void config_write(uint16_t offset, uint32_t value, unsigned size) override {
    written.push_back(offset);
    put(offset, value, size);
  }
  uint32_t config_size() const override { return spec::pci::kExtendedConfigSize; }
  uint64_t bar_size(unsigned bar) const override { return bar_sizes[bar]; }
  uint64_t bar_read(unsigned, uint64_t, unsigned) override { return 0; }
  void bar_write(unsigned, uint64_t, uint64_t, unsigned) override {}
  Doorbells doorbells(uint32_t) override { return {}; }
  void dma_map(uint64_t, void*, uint64_t, int, uint64_t) override {}
  void dma_unmap(uint64_t, uint64_t) override {}
  bool physical_addresses() const override { return physical; }
  unsigned interrupt_vectors(InterruptKind) const override { return 0; }
  void enable_interrupts(InterruptKind, unsigned) override {}
  void disable_interrupts() override {}
  uint64_t take_interrupts(unsigned) override { return 0; }
  void mask_interrupt(unsigned, bool) override {}
  bool interrupt_pending(unsigned) override { return false; }
  void function_level_reset() override {}
  void hot_reset() override {}
  void power_off() override {}
  void power_on() override {}

 private:
  std::string name_ = "config only";
};

}  // namespace pynvme::pcie
