// The driver on the embedded SSD: the two sides meet here for the first time.
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "driver/admin_commands.h"
#include "driver/controller.h"
#include "driver/errors.h"
#include "driver/io_queue_pair.h"
#include "pcie/bus.h"
#include "pcie/config_space.h"
#include "spec/feature.h"
#include "spec/opcode.h"
#include "spec/pci.h"
#include "spec/status.h"

namespace pynvme::driver {
namespace {

constexpr const char* kName = "sim:capacity=64MiB,latency=0,serial=DRIVERTEST";

struct Collector final : Delivery {
  void deliver(Finished& finished) override {
    statuses.push_back(finished.cqe.status);
    last = finished;
  }
  std::vector<uint16_t> statuses;
  Finished last;
};

class EmbeddedTest : public testing::Test {
 protected:
  EmbeddedTest() : controller(Controller::open(pcie::Bus::instance().open(kName))) {
    controller->initialise();
  }
  ~EmbeddedTest() override {
    controller.reset();
    pcie::Bus::instance().discard(kName);
  }

  std::unique_ptr<CommandQueue> queue(uint32_t depth = 32) {
    IoQueueOptions options;
    options.depth = depth;
    return std::make_unique<CommandQueue>(IoQueuePair::create(controller, options));
  }
  static Command io(uint8_t opcode, uint64_t slba, uint32_t nlb, const pcie::DmaBlock& block,
                    size_t offset = 0) {
    Command command;
    command.sqe.opcode = opcode;
    command.sqe.nsid = 1;
    command.sqe.set_slba(slba);
    command.sqe.cdw12 = nlb - 1;
    command.data = {block.iova() + offset, block.data() + offset, nlb * 512, nullptr};
    return command;
  }

  std::shared_ptr<Controller> controller;
  Collector got;
};

TEST_F(EmbeddedTest, ComesUpAndTellsWhoItIs) {
  EXPECT_EQ(std::string(controller->identify_data().sn, 10), "DRIVERTEST");
  EXPECT_EQ(controller->mdts_bytes(), 131072U);
  EXPECT_EQ(controller->io_queue_limit(), 16U);
  EXPECT_EQ(controller->active_namespaces(), std::vector<uint32_t>{1});
  EXPECT_EQ(controller->identify_namespace(1).nsze, (64U << 20) / 512);
  EXPECT_EQ(controller->interrupt_kind(), pcie::InterruptKind::kMsix);
  EXPECT_FALSE(controller->admin().pair().anomalies());
}

TEST_F(EmbeddedTest, ReadsBackWhatWasWrittenAtAnyOffsetAndLength) {
  const auto q = queue();
  const auto out = pcie::DmaMemory::instance().allocate(256 * 1024);
  const auto in = pcie::DmaMemory::instance().allocate(256 * 1024);
  for (size_t i = 0; i < out.size(); ++i) out.data()[i] = static_cast<uint8_t>(i * 31 + i / 4096);
  uint64_t slba = 0;
  for (const uint32_t nlb : {1U, 8U, 9U, 16U, 17U, 100U, 256U}) {
    for (const size_t offset : {0U, 4U, 512U, 4092U}) {
      q->send(io(spec::io::kWrite, slba, nlb, out, offset));
      q->send(io(spec::io::kRead, slba, nlb, in, offset));
      q->wait(2, got);
      ASSERT_EQ(std::memcmp(out.data() + offset, in.data() + offset, nlb * 512), 0)
          << nlb << " " << offset;
      slba += nlb;
    }
  }
  for (const uint16_t status : got.statuses) EXPECT_TRUE(spec::status_ok(status));
}

TEST_F(EmbeddedTest, EveryDepthWrapsOnTheDevice) {
  const auto block = pcie::DmaMemory::instance().allocate(4096);
  for (const uint32_t depth : {2U, 3U, 7U, 64U, 1024U}) {
    const auto q = queue(depth);
    for (uint32_t done = 0; done < 2 * depth + 1;) {
      uint32_t batch = 0;
      for (; batch < depth - 1; ++batch) q->send(io(spec::io::kRead, batch, 1, block));
      q->wait(batch, got);
      done += batch;
    }
    EXPECT_EQ(q->pair().anomalies(), 0U);
  }
}

TEST_F(EmbeddedTest, AllQueuesExistAtOnceAndGoInAnyOrder) {
  std::vector<std::unique_ptr<CommandQueue>> queues;
  for (int i = 0; i < 16; ++i) queues.push_back(queue(8));
  EXPECT_THROW(queue(8), QueueCreationError);
  for (const size_t at : {3U, 0U, 7U, 5U}) queues.erase(queues.begin() + static_cast<long>(at));
  for (int i = 0; i < 4; ++i) queues.push_back(queue(16));
  queues.clear();
  EXPECT_NO_THROW(queue(8));
}

TEST_F(EmbeddedTest, InterruptsArriveOnTheQueuesVectorOnly) {
  const auto a = queue();
  const auto b = queue();
  const auto block = pcie::DmaMemory::instance().allocate(4096);
  a->io()->clear_interrupts();
  b->io()->clear_interrupts();
  b->send(io(spec::io::kRead, 0, 1, block));
  b->wait(1, got);
  EXPECT_EQ(a->io()->interrupts(), 0U);
  EXPECT_GE(b->io()->interrupts(), 1U);
}

TEST_F(EmbeddedTest, AMaskedVectorIsPendingAndFiresWhenUnmasked) {
  const auto q = queue();
  const unsigned vector = q->io()->options().vector;
  const auto block = pcie::DmaMemory::instance().allocate(4096);
  q->io()->clear_interrupts();
  controller->function().mask_interrupt(vector, true);
  q->send(io(spec::io::kRead, 0, 1, block));
  q->wait(1, got);
  EXPECT_EQ(q->io()->interrupts(), 0U);
  EXPECT_TRUE(controller->function().interrupt_pending(vector));
  controller->function().mask_interrupt(vector, false);
  EXPECT_EQ(q->io()->interrupts(), 1U);
  EXPECT_FALSE(controller->function().interrupt_pending(vector));
}

TEST_F(EmbeddedTest, AnInvalidVectorIsTheDevicesToRefuse) {
  IoQueueOptions options;
  options.vector = 2000;
  try {
    IoQueuePair::create(controller, options);
    FAIL();
  } catch (const QueueCreationError& error) {
    EXPECT_NE(std::string(error.what()).find("01/08"), std::string::npos) << error.what();
  }
}

TEST_F(EmbeddedTest, ErrorsComeBackAsTheyAre) {
  const auto q = queue();
  const auto block = pcie::DmaMemory::instance().allocate(4096);
  q->send(io(spec::io::kRead, (64U << 20) / 512, 1, block));
  q->wait(1, got);
  EXPECT_EQ(got.last.cqe.sct(), 0);
  EXPECT_EQ(got.last.cqe.sc(), spec::sc::kLbaOutOfRange);
  Command command;
  command.sqe.opcode = 0x7F;
  command.sqe.nsid = 1;
  q->send(std::move(command));
  q->wait(1, got);
  EXPECT_EQ(got.last.cqe.sc(), spec::sc::kInvalidOpcode);
}

TEST_F(EmbeddedTest, DataSurviveEveryResetAndQueuesDoNot) {
  const auto block = pcie::DmaMemory::instance().allocate(4096);
  std::memset(block.data(), 0x5A, 512);
  {
    const auto q = queue();
    q->send(io(spec::io::kWrite, 77, 1, block));
    q->wait(1, got);
  }
  const std::vector<void (*)(Controller&)> resets = {
      [](Controller&) {}, [](Controller& c) { c.hot_reset(); },
      [](Controller& c) { c.function_level_reset(); },
      [](Controller& c) {
        if (c.cap().nssrs()) c.subsystem_reset();
      },
      [](Controller& c) {
        c.shutdown(false);
        c.power_off();
        EXPECT_THROW(c.read32(spec::reg::kCsts), DeviceGone);
        c.power_on();
      }};
  for (size_t i = 0; i < resets.size(); ++i) {
    const auto old = queue();
    resets[i](*controller);
    controller->initialise();
    EXPECT_THROW(old->send(io(spec::io::kRead, 77, 1, block)), QueueDead) << i;
    const auto q = queue();
    std::memset(block.data(), 0, 512);
    q->send(io(spec::io::kRead, 77, 1, block));
    q->wait(1, got);
    EXPECT_EQ(block.data()[511], 0x5A) << i;
    EXPECT_EQ(controller->interrupt_kind(), pcie::InterruptKind::kMsix);
  }
}

TEST_F(EmbeddedTest, ComesUpAfterResetsThatTheScriptMadeItself) {
  pcie::Function& function = controller->function();
  const uint16_t express = pcie::ConfigSpace(function).find(spec::pci::kCapIdPciExpress).value();
  const auto device_control = static_cast<uint16_t>(express + spec::pci::pcie::kDeviceControl);
  const std::vector<std::function<void()>> resets = {
      [&] { controller->write32(spec::reg::kNssr, spec::kNssrReset); },
      [&] {
        const uint32_t control = function.config_read(device_control, 2);
        function.config_write(device_control, control | 0x8000, 2);
      },
      [&] { function.hot_reset(); }};
  for (const auto& reset : resets) {
    const auto old = queue();
    reset();
    EXPECT_THROW(controller->read32(spec::reg::kCsts), DeviceGone);
    controller->initialise();
    EXPECT_TRUE(old->pair().dead());
    EXPECT_EQ(queue()->pair().id(), 1);
    EXPECT_EQ(controller->interrupt_kind(), pcie::InterruptKind::kMsix);
  }
}

TEST_F(EmbeddedTest, AnAerIsAbortable) {
  auto& admin = controller->admin();
  Command abort;
  const auto log = admin.pair().cmdlog()->latest();
  uint16_t cid = 0;
  for (const auto& command : log) {
    if (command.sqe.opcode == spec::admin::kAsyncEventRequest) cid = command.sqe.cid;
  }
  abort.sqe = abort_command(0, cid);
  admin.send(std::move(abort));
  EXPECT_EQ(admin.wait(1, got) & 1, 0U);
  EXPECT_EQ(got.statuses.size(), 2U);
}

TEST_F(EmbeddedTest, ATemperatureEventIsDeliveredAndArmedAgain) {
  auto& admin = controller->admin();
  const uint32_t used = admin.pair().used();
  Command warnings;
  warnings.sqe = set_features_command(spec::fid::kAsyncEventConfig, false, 0xFF);
  admin.send(std::move(warnings));
  // A threshold of 1 K is crossed at once.
  Command command;
  command.sqe = set_features_command(spec::fid::kTemperatureThreshold, false, 1);
  admin.send(std::move(command));
  admin.wait(2, got);
  Command look;
  look.sqe = get_features_command(spec::fid::kNumberOfQueues);
  admin.send(std::move(look));
  admin.wait(1, got);
  EXPECT_EQ(got.statuses.size(), 4U);  // three commands and the event
  EXPECT_EQ(admin.pair().used(), used);
}

TEST_F(EmbeddedTest, ClosingAndOpeningAgainKeepsTheData) {
  const auto block = pcie::DmaMemory::instance().allocate(4096);
  std::memset(block.data(), 0xC3, 512);
  {
    const auto q = queue();
    q->send(io(spec::io::kWrite, 5, 1, block));
    q->wait(1, got);
  }
  controller.reset();
  controller = Controller::open(pcie::Bus::instance().open(kName));
  controller->initialise();
  std::memset(block.data(), 0, 512);
  const auto q = queue();
  q->send(io(spec::io::kRead, 5, 1, block));
  q->wait(1, got);
  EXPECT_EQ(block.data()[0], 0xC3);
}

}  // namespace
}  // namespace pynvme::driver
