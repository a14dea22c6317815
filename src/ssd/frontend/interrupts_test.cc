// MSI-X, MSI and the pin, as the host sees them: masks, pending bits, coalescing.
#include "ssd/frontend/interrupts.h"

#include "ssd/test_host.h"

namespace pynvme::ssd::testing {
namespace {

constexpr uint16_t kMsi = 0x50;
constexpr uint16_t kMsix = 0xB0;
constexpr uint32_t kTable = 0x2000;
constexpr uint32_t kPba = 0x3000;

class InterruptsTest : public ::testing::Test {
 protected:
  void use_msix(uint16_t control = 0x8000) { host.device.config_write(kMsix + 2, control, 2); }
  void set_vector(uint32_t vector, uint64_t address, uint32_t data, uint32_t control) {
    host.set_reg64(kTable + vector * 16, address);
    host.set_reg32(kTable + vector * 16 + 8, data);
    host.set_reg32(kTable + vector * 16 + 12, control);
  }
  HostQueue queue(uint16_t qid, uint16_t vector, uint32_t depth = 64) {
    HostQueue q = host.create_queue(qid, depth, 0x3 | static_cast<uint32_t>(vector) << 16);
    host.messages.clear();
    return q;
  }
  void flush(HostQueue& q) { host.submit(q, Command::make(0x00, 1)); }

  TestHost host;
};

using Message = std::pair<uint64_t, uint32_t>;

TEST_F(InterruptsTest, TableIsMaskedAfterResetAndKeepsWhatIsWritten) {
  EXPECT_EQ(host.reg32(kTable + 12), 1u);
  EXPECT_EQ(host.reg64(kTable), 0u);
  set_vector(3, 0xFEE0'1234'5677, 0x55, 0xFFFFFFFE);
  EXPECT_EQ(host.reg64(kTable + 48), 0xFEE0'1234'5674u);
  EXPECT_EQ(host.reg32(kTable + 56), 0x55u);
  EXPECT_EQ(host.reg32(kTable + 60), 0u);
  EXPECT_EQ(host.reg32(kTable + 17 * 16), 0u) << "beyond the table";
}

TEST_F(InterruptsTest, MsixMessageForItsVectorOnly) {
  use_msix();
  set_vector(0, 0xFEE00000, 10, 0);
  set_vector(2, 0xFEE00000, 12, 0);
  HostQueue q = queue(1, 2);
  flush(q);
  EXPECT_EQ(host.messages, (std::vector<Message>{{0xFEE00000, 12}}));
  host.messages.clear();
  host.submit(host.admin, Command::make(0x0A).set(10, 7));
  EXPECT_EQ(host.messages, (std::vector<Message>{{0xFEE00000, 10}}));
}

TEST_F(InterruptsTest, OneMessageForABatch) {
  use_msix();
  set_vector(2, 0xFEE00000, 12, 0);
  HostQueue q = queue(1, 2);
  for (int i = 0; i < 20; ++i) host.place(q, Command::make(0x00, 1));
  host.ring_tail(q);
  EXPECT_EQ(host.messages.size(), 1u);
}

TEST_F(InterruptsTest, NoMessageForAQueueWithoutInterrupts) {
  use_msix();
  set_vector(0, 0xFEE00000, 10, 0);
  HostQueue q = host.create_queue(1);
  host.messages.clear();
  flush(q);
  EXPECT_TRUE(host.messages.empty());
}

TEST_F(InterruptsTest, MaskedVectorIsPendingUntilUnmasked) {
  use_msix();
  set_vector(2, 0xFEE00000, 12, 1);
  HostQueue q = queue(1, 2);
  flush(q);
  EXPECT_TRUE(host.messages.empty());
  // The admin queue's vector 0 is masked as well, and pending since the queues were made.
  EXPECT_EQ(host.reg32(kPba), 0x5u);
  host.set_reg32(kTable + 2 * 16 + 12, 0);
  EXPECT_EQ(host.messages, (std::vector<Message>{{0xFEE00000, 12}}));
  EXPECT_EQ(host.reg32(kPba), 0x1u);
}

TEST_F(InterruptsTest, FunctionMaskHoldsAllVectors) {
  use_msix(0xC000);
  set_vector(0, 0xFEE00000, 10, 0);
  set_vector(2, 0xFEE00000, 12, 0);
  HostQueue q = queue(1, 2);
  flush(q);
  EXPECT_TRUE(host.messages.empty());
  EXPECT_EQ(host.reg32(kPba), 0x5u);
  use_msix();
  EXPECT_EQ(host.messages, (std::vector<Message>{{0xFEE00000, 10}, {0xFEE00000, 12}}));
  EXPECT_EQ(host.reg64(kPba), 0u);
}

TEST_F(InterruptsTest, NoMessageWithoutBusMaster) {
  use_msix();
  set_vector(0, 0xFEE00000, 10, 0);
  host.submit(host.admin, Command::make(0x0A).set(10, 7));
  ASSERT_EQ(host.messages.size(), 1u);
  host.set_command(0x0402);
  host.submit(host.admin, Command::make(0x0A).set(10, 7));
  EXPECT_EQ(host.messages.size(), 1u);
}

TEST_F(InterruptsTest, SingleMsi) {
  host.device.config_write(kMsi + 4, 0xFEE01000, 4);
  host.device.config_write(kMsi + 12, 0x4041, 2);
  host.device.config_write(kMsi + 2, 1, 2);
  host.submit(host.admin, Command::make(0x0A).set(10, 7));
  EXPECT_EQ(host.messages, (std::vector<Message>{{0xFEE01000, 0x4041}}));
}

TEST_F(InterruptsTest, SeveralMsiMessagesChangeTheLowDataBits) {
  host.device.config_write(kMsi + 4, 0xFEE01000, 4);
  host.device.config_write(kMsi + 8, 0x1, 4);
  host.device.config_write(kMsi + 12, 0x4041, 2);
  host.device.config_write(kMsi + 2, 1 | 2 << 4, 2);
  HostQueue q = queue(1, 3);
  flush(q);
  EXPECT_EQ(host.messages, (std::vector<Message>{{0x1'FEE01000, 0x4043}}));
  EXPECT_EQ(
      host.status(Command::make(0x05).prp(host.page()).set(10, 15 << 16 | 2).set(11, 4 << 16 | 3)),
      0x108)
      << "vector 4 of 4 messages";
}

TEST_F(InterruptsTest, MsiMaskAndPendingBits) {
  host.device.config_write(kMsi + 2, 1 | 2 << 4, 2);
  host.device.config_write(kMsi + 16, 1U << 3, 4);
  HostQueue q = queue(1, 3);
  flush(q);
  EXPECT_TRUE(host.messages.empty());
  EXPECT_EQ(host.device.config_read(kMsi + 20, 4), 1U << 3);
  host.device.config_write(kMsi + 16, 0, 4);
  EXPECT_EQ(host.messages.size(), 1u);
  EXPECT_EQ(host.device.config_read(kMsi + 20, 4), 0u);
}

TEST_F(InterruptsTest, ControllerMaskHoldsMsi) {
  host.device.config_write(kMsi + 2, 1, 2);
  host.set_reg32(0x0C, 1);
  EXPECT_EQ(host.reg32(0x0C), 1u);
  EXPECT_EQ(host.reg32(0x10), 1u);
  host.submit(host.admin, Command::make(0x0A).set(10, 7));
  EXPECT_TRUE(host.messages.empty());
  host.set_reg32(0x10, 1);
  EXPECT_EQ(host.messages.size(), 1u);
  EXPECT_EQ(host.reg32(0x0C), 0u);
}

TEST_F(InterruptsTest, PinIsAssertedWhileEntriesWait) {
  host.set_command(0x0006);
  host.submit(host.admin, Command::make(0x0A).set(10, 7));
  EXPECT_EQ(host.pins, (std::vector<bool>{true}));
  EXPECT_NE(host.device.config_read(0x06, 2) & 8, 0u) << "Interrupt Status";
  EXPECT_TRUE(host.poll(host.admin));
  EXPECT_EQ(host.pins, (std::vector<bool>{true, false}));
  EXPECT_EQ(host.device.config_read(0x06, 2) & 8, 0u);
}

TEST_F(InterruptsTest, PinFollowsMaskAndDisableBit) {
  host.set_command(0x0006);
  host.submit(host.admin, Command::make(0x0A).set(10, 7));
  host.set_reg32(0x0C, 1);
  host.set_reg32(0x10, 1);
  host.set_command(0x0406);
  host.set_command(0x0006);
  EXPECT_EQ(host.pins, (std::vector<bool>{true, false, true, false, true}));
  host.disable();
  EXPECT_EQ(host.pins.back(), false);
}

TEST_F(InterruptsTest, PinHasOneVector) {
  host.set_command(0x0006);
  const HostQueue q{1, 1, 64, host.page(), host.page()};
  EXPECT_EQ(host.status(host.create_cq(q, 0x3 | 1u << 16)), 0x108);
  EXPECT_EQ(host.status(host.create_cq(q, 0x3)), 0);
}

TEST_F(InterruptsTest, DisabledPinStillHasAStatus) {
  host.set_command(0x0406);
  host.submit(host.admin, Command::make(0x0A).set(10, 7));
  EXPECT_TRUE(host.pins.empty());
  EXPECT_NE(host.device.config_read(0x06, 2) & 8, 0u) << "Interrupt Status";
  host.set_command(0x0006);
  EXPECT_EQ(host.pins, (std::vector<bool>{true}));
  host.set_command(0x0406);
  EXPECT_EQ(host.pins, (std::vector<bool>{true, false}));
  EXPECT_NE(host.device.config_read(0x06, 2) & 8, 0u);
  EXPECT_TRUE(host.poll(host.admin));
  EXPECT_EQ(host.device.config_read(0x06, 2) & 8, 0u);
}

TEST_F(InterruptsTest, CoalescingWaitsForEntriesOrTime) {
  use_msix();
  set_vector(2, 0xFEE00000, 12, 0);
  HostQueue q = queue(1, 2);
  // Threshold 3 (0's based), 500 microseconds.
  ASSERT_EQ(host.status(Command::make(0x09).set(10, 8).set(11, 5 << 8 | 2)), 0);
  host.messages.clear();
  flush(q);
  flush(q);
  EXPECT_TRUE(host.messages.empty());
  flush(q);
  EXPECT_EQ(host.messages.size(), 1u) << "three entries";
  flush(q);
  host.clock.advance(499'999);
  host.device.advance();
  EXPECT_EQ(host.messages.size(), 1u);
  host.clock.advance(1);
  host.device.advance();
  EXPECT_EQ(host.messages.size(), 2u) << "time is up";
}

TEST_F(InterruptsTest, CoalescingCanBeSwitchedOffForAVectorAndNeverHoldsTheAdminQueue) {
  use_msix();
  set_vector(0, 0xFEE00000, 10, 0);
  set_vector(2, 0xFEE00000, 12, 0);
  HostQueue q = queue(1, 2);
  ASSERT_EQ(host.status(Command::make(0x09).set(10, 8).set(11, 5 << 8 | 9)), 0);
  ASSERT_EQ(host.status(Command::make(0x09).set(10, 9).set(11, 1 << 16 | 2)), 0);
  host.messages.clear();
  flush(q);
  EXPECT_EQ(host.messages, (std::vector<Message>{{0xFEE00000, 12}}));
  host.submit(host.admin, Command::make(0x0A).set(10, 7));
  EXPECT_EQ(host.messages.size(), 2u);
}

}  // namespace
}  // namespace pynvme::ssd::testing
