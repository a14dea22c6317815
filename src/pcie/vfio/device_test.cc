// On a real NVMe device, whose address is in PYNVME_TEST_VFIO (tests/vm/test_vfio.py gives one of
// QEMU's): the interrupts that the driver does not choose where there is MSI-X, and what a device
// may reach. Skipped without one.
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "pcie/bus.h"
#include "pcie/config_space.h"
#include "pcie/dma_memory.h"
#include "spec/command.h"
#include "spec/identify.h"
#include "spec/opcode.h"
#include "spec/pci.h"
#include "spec/registers.h"

namespace pynvme::pcie::vfio {
namespace {

namespace reg = spec::reg;

constexpr uint32_t kEntries = 16;

class VfioDeviceTest : public testing::Test {
 protected:
  void SetUp() override {
    const char* const address = std::getenv("PYNVME_TEST_VFIO");
    if (address == nullptr) GTEST_SKIP() << "PYNVME_TEST_VFIO names no device";
    function_ = Bus::instance().open(address);
    rings_ = DmaMemory::instance().allocate(3 * kPageSize);
  }
  void TearDown() override { function_.reset(); }

  bool wait(const std::function<bool()>& condition) {
    for (int i = 0; i < 20000; ++i) {
      if (condition()) return true;
      usleep(100);
    }
    return false;
  }
  uint32_t read(uint32_t offset) {
    return static_cast<uint32_t>(function_->bar_read(0, offset, 4));
  }
  void write(uint32_t offset, uint32_t value) { function_->bar_write(0, offset, value, 4); }

  // Interrupts come first: a device may look at them only when it is enabled.
  void start(InterruptKind kind) {
    write(reg::kCc, 0);
    ASSERT_TRUE(wait([this] { return (read(reg::kCsts) & 1) == 0; }));
    function_->enable_interrupts(kind, 1);
    std::memset(rings_.data(), 0, rings_.size());
    tail_ = 0;
    write(reg::kAqa, (kEntries - 1) << 16 | (kEntries - 1));
    function_->bar_write(0, reg::kAsq, rings_.iova(), 8);
    function_->bar_write(0, reg::kAcq, rings_.iova() + kPageSize, 8);
    write(reg::kCc, 0x0046'0001);
    ASSERT_TRUE(wait([this] { return (read(reg::kCsts) & 1) == 1; }));
  }
  void identify() {
    spec::Sqe sqe{};
    sqe.opcode = 0x06;
    sqe.cid = static_cast<uint16_t>(tail_);
    sqe.prp1 = rings_.iova() + 2 * kPageSize;
    sqe.cdw10 = 1;
    std::memcpy(rings_.data() + tail_ * sizeof(sqe), &sqe, sizeof(sqe));
    ++tail_;
    // The processor keeps stores in order; the compiler has to.
    std::atomic_signal_fence(std::memory_order_seq_cst);
    write(reg::kDoorbells, tail_);
    ASSERT_TRUE(wait([this] {
      const volatile uint8_t* const entry = rings_.data() + kPageSize + (tail_ - 1) * 16;
      return (entry[14] & 1) != 0;
    }));
  }
  void take_completions() { write(reg::kDoorbells + 4, tail_); }
  uint64_t interrupts() {
    uint64_t count = 0;
    wait([&] { return (count = function_->take_interrupts(0)) != 0; });
    return count;
  }

  std::shared_ptr<Function> function_;
  DmaBlock rings_;
  uint32_t tail_ = 0;
};

TEST_F(VfioDeviceTest, ThePinCountsOnceEachTimeItRises) {
  if (function_->interrupt_vectors(InterruptKind::kPin) == 0) GTEST_SKIP() << "it has no pin";
  start(InterruptKind::kPin);
  for (int round = 0; round < 3; ++round) {
    identify();
    EXPECT_EQ(interrupts(), 1U);
    EXPECT_TRUE(function_->interrupt_pending(0));  // it is a level: up until the head moves
    EXPECT_EQ(function_->take_interrupts(0), 0U);
    identify();
    EXPECT_EQ(function_->take_interrupts(0), 0U);
    take_completions();
    EXPECT_TRUE(wait([this] { return !function_->interrupt_pending(0); }));
    EXPECT_EQ(function_->take_interrupts(0), 0U);
  }
}

TEST_F(VfioDeviceTest, AMaskedPinIsPendingOnly) {
  if (function_->interrupt_vectors(InterruptKind::kPin) == 0) GTEST_SKIP() << "it has no pin";
  start(InterruptKind::kPin);
  function_->mask_interrupt(0, true);
  identify();
  EXPECT_TRUE(wait([this] { return function_->interrupt_pending(0); }));
  EXPECT_EQ(function_->take_interrupts(0), 0U);
  function_->mask_interrupt(0, false);
  EXPECT_EQ(interrupts(), 1U);
}

TEST_F(VfioDeviceTest, MsiAndMsixWhereItHasThem) {
  for (const auto kind : {InterruptKind::kMsi, InterruptKind::kMsix}) {
    if (function_->interrupt_vectors(kind) == 0) continue;
    start(kind);
    identify();
    EXPECT_EQ(interrupts(), 1U);
    function_->mask_interrupt(0, true);
    take_completions();
    identify();
    EXPECT_TRUE(wait([this] { return function_->interrupt_pending(0); }));
    EXPECT_EQ(function_->take_interrupts(0), 0U);
    function_->mask_interrupt(0, false);
    EXPECT_EQ(interrupts(), 1U);
    EXPECT_FALSE(function_->interrupt_pending(0));
  }
}

TEST_F(VfioDeviceTest, AllVectorsOfTheTableAreEnabledOrWhatTheMachineHas) {
  const unsigned vectors = function_->interrupt_vectors(InterruptKind::kMsix);
  if (vectors == 0) GTEST_SKIP() << "it has no MSI-X";
  function_->enable_interrupts(InterruptKind::kMsix, vectors);
  EXPECT_GE(function_->interrupt_vectors(InterruptKind::kMsix), 1U);
  EXPECT_LE(function_->interrupt_vectors(InterruptKind::kMsix), vectors);
  function_->disable_interrupts();
  EXPECT_EQ(function_->interrupt_vectors(InterruptKind::kMsix), vectors);
  EXPECT_THROW(function_->enable_interrupts(InterruptKind::kMsix, vectors + 1),
               std::invalid_argument);
}

TEST_F(VfioDeviceTest, AFunctionLevelResetStopsIt) {
  start(InterruptKind::kPin);
  function_->function_level_reset();
  EXPECT_EQ(read(reg::kCc) & 1, 0U);
  EXPECT_EQ(read(reg::kCsts) & 1, 0U);
  ConfigSpace(*function_).set_up();
  start(InterruptKind::kPin);
  identify();
}

}  // namespace
}  // namespace pynvme::pcie::vfio
