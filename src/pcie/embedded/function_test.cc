// The in-process door: interrupts of all three kinds as the platform sees them, resets, power, and
// a close that leaves the device quiet. Admin commands are written by hand; no driver is involved.
#include "pcie/embedded/function.h"

#include <cstring>
#include <memory>

#include <gtest/gtest.h>

#include "pcie/config_space.h"
#include "spec/command.h"
#include "spec/opcode.h"
#include "spec/pci.h"
#include "spec/registers.h"

namespace pynvme::pcie {
namespace {

namespace pci = spec::pci;
namespace reg = spec::reg;

class EmbeddedFunctionTest : public testing::Test {
 protected:
  EmbeddedFunctionTest() { plug(); }
  ~EmbeddedFunctionTest() override { unplug(); }

  void plug() {
    function = std::make_unique<EmbeddedFunction>("sim", device);
    ConfigSpace(*function).set_up();
    DmaMemory::instance().attach(*function);
  }
  void unplug() {
    if (function != nullptr) DmaMemory::instance().detach(*function);
    function.reset();
  }
  uint32_t csts() { return static_cast<uint32_t>(function->bar_read(0, reg::kCsts, 4)); }
  void enable() {
    std::memset(queues.data(), 0, queues.size());
    tail = 0;
    function->bar_write(0, reg::kAqa, 0x000F'000F, 4);
    function->bar_write(0, reg::kAsq, queues.iova(), 8);
    function->bar_write(0, reg::kAcq, queues.iova() + 4096, 8);
    function->bar_write(0, reg::kCc, 0x0046'0001, 4);
    ASSERT_EQ(csts() & 1, 1U);
  }
  // Any opcode completes, with some status.
  void send_command() {
    const Doorbells doorbells = function->doorbells(4);
    spec::Sqe sqe{};
    sqe.opcode = spec::admin::kGetFeatures;
    sqe.cdw10 = 7;
    std::memcpy(queues.data() + tail * sizeof(sqe), &sqe, sizeof(sqe));
    doorbells.base[0] = ++tail;
    doorbells.rung(doorbells.device, 0);
    doorbells.poll(doorbells.device);
  }
  void acknowledge() {
    const Doorbells doorbells = function->doorbells(4);
    doorbells.base[1] = tail;
    doorbells.rung(doorbells.device, 1);
  }

  std::shared_ptr<ssd::Device> device = make_embedded_device("capacity=16MiB,latency=0");
  std::unique_ptr<EmbeddedFunction> function;
  DmaBlock queues = DmaMemory::instance().allocate(8192);
  uint32_t tail = 0;
};

TEST_F(EmbeddedFunctionTest, EachKindOfInterruptArrivesOnceAndIsTakenOnce) {
  for (const auto kind : {InterruptKind::kMsix, InterruptKind::kMsi, InterruptKind::kPin}) {
    const unsigned vectors = function->interrupt_vectors(kind);
    ASSERT_GE(vectors, 1U);
    function->enable_interrupts(kind, vectors);
    enable();
    EXPECT_EQ(function->take_interrupts(0), 0U);
    send_command();
    EXPECT_EQ(function->take_interrupts(0), 1U) << static_cast<int>(kind);
    EXPECT_EQ(function->take_interrupts(0), 0U);
    acknowledge();
    send_command();
    EXPECT_EQ(function->take_interrupts(0), 1U) << static_cast<int>(kind);
    function->bar_write(0, reg::kCc, 0x0046'0000, 4);
  }
}

TEST_F(EmbeddedFunctionTest, AMaskedInterruptWaits) {
  for (const auto kind : {InterruptKind::kMsix, InterruptKind::kMsi}) {
    function->enable_interrupts(kind, 1);
    enable();
    function->mask_interrupt(0, true);
    EXPECT_FALSE(function->interrupt_pending(0));
    send_command();
    EXPECT_EQ(function->take_interrupts(0), 0U) << static_cast<int>(kind);
    EXPECT_TRUE(function->interrupt_pending(0)) << static_cast<int>(kind);
    function->mask_interrupt(0, false);
    EXPECT_EQ(function->take_interrupts(0), 1U) << static_cast<int>(kind);
    acknowledge();
    function->bar_write(0, reg::kCc, 0x0046'0000, 4);
  }
}

TEST_F(EmbeddedFunctionTest, WithoutInterruptsNoneArrive) {
  function->enable_interrupts(InterruptKind::kMsix, 1);
  function->disable_interrupts();
  enable();
  send_command();
  EXPECT_EQ(function->take_interrupts(0), 0U);
}

TEST_F(EmbeddedFunctionTest, MoreVectorsThanThereAreIsAnError) {
  const unsigned vectors = function->interrupt_vectors(InterruptKind::kMsix);
  EXPECT_GE(vectors, 17U);  // admin and 16 IO queues
  EXPECT_THROW(function->enable_interrupts(InterruptKind::kMsix, vectors + 1),
               std::invalid_argument);
  EXPECT_THROW(function->enable_interrupts(InterruptKind::kMsix, 0), std::invalid_argument);
  EXPECT_EQ(function->take_interrupts(1'000'000), 0U);
}

TEST_F(EmbeddedFunctionTest, ResetsClearTheControllerAndConfigurationSpace) {
  for (const bool hot : {true, false}) {
    function->enable_interrupts(InterruptKind::kMsix, 1);
    enable();
    if (hot) {
      function->hot_reset();
    } else {
      function->function_level_reset();
    }
    EXPECT_EQ(function->config_read(pci::kCommand, 2) & pci::kCommandBusMaster, 0U);
    ConfigSpace(*function).set_up();
    EXPECT_EQ(csts(), 0U);
    EXPECT_EQ(function->bar_read(0, reg::kCc, 4) & 1, 0U);
  }
}

TEST_F(EmbeddedFunctionTest, WithoutPowerEverythingReadsAllOnes) {
  function->power_off();
  EXPECT_EQ(function->config_read(0, 2), 0xFFFFU);
  EXPECT_EQ(function->config_read(0, 4), UINT32_MAX);
  EXPECT_EQ(csts(), UINT32_MAX);
  EXPECT_EQ(function->bar_read(0, reg::kCap, 8), UINT64_MAX);
  function->power_on();
  ConfigSpace(*function).set_up();
  EXPECT_EQ(csts(), 0U);
}

TEST_F(EmbeddedFunctionTest, ClosingLeavesTheDeviceQuietAndOpenableAgain) {
  function->enable_interrupts(InterruptKind::kMsix, 1);
  enable();
  unplug();
  EXPECT_EQ(device->bar_read(0, reg::kCsts, 4) & UINT32_MAX, UINT32_MAX);
  plug();
  EXPECT_EQ(function->bar_read(0, reg::kCap, 4) & 0xFFFF, 1023U);
}

}  // namespace
}  // namespace pynvme::pcie
