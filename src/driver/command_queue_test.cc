// Sending, waiting, timeouts and misuse against the fake device.
#include "driver/command_queue.h"

#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "base/log.h"
#include "driver/admin_commands.h"
#include "driver/controller.h"
#include "driver/errors.h"
#include "driver/fake_function.h"
#include "driver/io_queue_pair.h"

namespace pynvme::driver {
namespace {

struct Collector final : Delivery {
  void deliver(Finished& finished) override {
    cids.push_back(finished.cid);
    last = finished;
    if (then) then(finished);
  }
  std::vector<uint16_t> cids;
  Finished last;
  std::function<void(Finished&)> then;
};

using Cids = std::vector<uint16_t>;

class CommandQueueTest : public testing::Test {
 protected:
  CommandQueueTest() {
    fake->attach();
    controller = Controller::open(fake, clock);
    controller->set_idle_hook([this] {
      clock.advance(1'000'000);
      ++idles;
      if (idle) idle();
    });
    controller->initialise();
    IoQueueOptions options;
    options.depth = 8;
    io = std::make_unique<CommandQueue>(IoQueuePair::create(controller, options));
    base::drain_log();
  }

  static Command plain(uint8_t opcode) {
    Command command;
    command.sqe.opcode = opcode;
    command.sqe.nsid = 1;
    return command;
  }
  template <class Exception>
  std::string text_of(const std::function<void()>& action) {
    try {
      action();
    } catch (const Exception& error) {
      return error.what();
    }
    ADD_FAILURE() << "nothing was thrown";
    return "";
  }

  base::Clock clock = base::Clock::manual(1'000'000);
  std::shared_ptr<FakeFunction> fake = std::make_shared<FakeFunction>();
  std::shared_ptr<Controller> controller;
  std::unique_ptr<CommandQueue> io;
  Collector got;
  std::function<void()> idle;
  uint32_t idles = 0;
};

TEST_F(CommandQueueTest, DeliversInTheOrderOfCompletionOneAtATime) {
  for (int i = 0; i < 4; ++i) io->send(plain(2));
  for (const uint16_t cid : {uint16_t{2}, uint16_t{0}, uint16_t{3}}) {
    fake->complete(1, cid, 0, 100U + cid);
  }
  EXPECT_EQ(io->wait(1, got), 102U);
  EXPECT_EQ(got.cids, Cids{2});
  EXPECT_EQ(io->wait(2, got), 103U);
  EXPECT_EQ(got.cids, (Cids{2, 0, 3}));
  EXPECT_EQ(io->outstanding(), 1U);
  EXPECT_EQ(io->latest_cid(), 3);
}

TEST_F(CommandQueueTest, TheContextComesBack) {
  auto command = plain(2);
  command.context = std::make_shared<int>(42);
  io->send(std::move(command));
  clock.advance(5000);
  fake->complete(1, 0, spec::make_status(2, 0x81, true), 7);
  io->wait(1, got);
  EXPECT_EQ(*std::static_pointer_cast<int>(got.last.context), 42);
  EXPECT_EQ(got.last.cqe.sct(), 2);
  EXPECT_EQ(got.last.cqe.sc(), 0x81);
  EXPECT_EQ(got.last.sqid, 1);
  EXPECT_EQ(got.last.latency_ns, 5000U);
  EXPECT_EQ(io->latest_latency_ns(), 5000U);
}

TEST_F(CommandQueueTest, BothHalvesOfAFusedOperationGoWithOneDoorbell) {
  auto first = plain(5);
  first.sqe.set_fuse(spec::Fuse::kFirst);
  auto second = plain(1);
  second.sqe.set_fuse(spec::Fuse::kSecond);
  io->send(std::move(first));
  EXPECT_TRUE(fake->queues[1].held.empty());
  io->send(std::move(second));
  EXPECT_EQ(fake->queues[1].held.size(), 2U);
}

TEST_F(CommandQueueTest, AFirstHalfThatNothingFollowsIsSentByTheWait) {
  fake->complete_io = true;
  auto first = plain(5);
  first.sqe.set_fuse(spec::Fuse::kFirst);
  io->send(std::move(first));
  EXPECT_EQ(io->outstanding(), 1U);
  io->wait(1, got);
  EXPECT_EQ(got.cids, Cids{0});
}

TEST_F(CommandQueueTest, ACallbackMaySend) {
  fake->complete_io = true;
  int sent = 0;
  got.then = [&](Finished&) {
    if (sent++ < 2) io->send(plain(2));
  };
  io->send(plain(1));
  io->wait(3, got);
  EXPECT_EQ(got.cids.size(), 3U);
}

TEST_F(CommandQueueTest, WaitingInsideACallbackIsRefused) {
  fake->complete_io = true;
  got.then = [&](Finished&) {
    Collector inner;
    io->send(plain(2));
    EXPECT_NE(text_of<InvalidArgument>([&] { io->wait(1, inner); }).find("inside a callback"),
              std::string::npos);
    // On another queue as well.
    EXPECT_THROW(controller->admin().wait(1, inner), InvalidArgument);
    // A command of the driver's own is no wait.
    EXPECT_NO_THROW(controller->identify());
  };
  io->send(plain(1));
  io->wait(1, got);
  got.then = nullptr;
  EXPECT_NO_THROW(io->wait(1, got));
}

TEST_F(CommandQueueTest, WhatACallbackThrowsEndsTheWaitAndKeepsTheRest) {
  fake->complete_io = true;
  got.then = [](Finished&) { throw std::runtime_error("from the script"); };
  io->send(plain(1));
  io->send(plain(1));
  EXPECT_EQ(text_of<std::runtime_error>([&] { io->wait(2, got); }), "from the script");
  got.then = nullptr;
  io->wait(1, got);
  EXPECT_EQ(got.cids, (Cids{0, 1}));
}

TEST_F(CommandQueueTest, AFullQueueSaysSoAndLosesNothing) {
  for (int i = 0; i < 7; ++i) io->send(plain(2));
  const auto text = text_of<QueueFull>([&] { io->send(plain(2)); });
  EXPECT_NE(text.find("fake: IO queue 1 is full: 7 commands are outstanding"), std::string::npos);
  EXPECT_EQ(io->outstanding(), 7U);
  for (uint16_t cid = 0; cid < 7; ++cid) fake->complete(1, cid);
  io->wait(7, got);
  EXPECT_EQ(got.cids.size(), 7U);
}

TEST_F(CommandQueueTest, ReapingEarlyFreesSlotsAndKeepsCompletionsForTheWait) {
  for (int i = 0; i < 3; ++i) io->send(plain(2));
  EXPECT_EQ(io->room(), 4U);
  EXPECT_EQ(io->undelivered(), 0U);
  fake->complete(1, 1);
  fake->complete(1, 0);
  io->reap();
  EXPECT_TRUE(got.cids.empty());
  EXPECT_EQ(io->room(), 6U);
  EXPECT_EQ(io->outstanding(), 1U);
  EXPECT_EQ(io->undelivered(), 2U);
  io->wait(2, got);
  EXPECT_EQ(got.cids, (Cids{1, 0}));
  EXPECT_EQ(io->undelivered(), 0U);
}

TEST_F(CommandQueueTest, NothingOutstandingIsAnErrorAtOnce) {
  fake->complete_io = true;
  io->send(plain(2));
  const auto text = text_of<CommandTimeout>([&] { io->wait(2, got); });
  EXPECT_NE(text.find("waiting for 2 completions, but after 1 nothing is outstanding"),
            std::string::npos)
      << text;
  EXPECT_EQ(idles, 0U);
  EXPECT_THROW(io->wait(1, got), CommandTimeout);
  EXPECT_THROW(controller->admin().wait(1, got), CommandTimeout);  // AERs do not count
}

TEST_F(CommandQueueTest, ACommandThatIsNeverAnsweredTimesOut) {
  controller->set_timeout_ms(200);
  auto buffer = std::make_shared<pcie::DmaBlock>(pcie::DmaMemory::instance().allocate(4096));
  const std::weak_ptr<pcie::DmaBlock> alive = buffer;
  auto command = plain(2);
  command.data = {buffer->iova(), buffer->data(), 4096, buffer};
  buffer.reset();
  io->send(std::move(command));
  EXPECT_EQ(io->wait(1, got), UINT32_MAX);
  EXPECT_TRUE(got.last.timed_out);
  EXPECT_EQ(got.last.cqe.status, 0xFFFF);
  EXPECT_EQ(got.last.cid, 0);
  EXPECT_GE(idles, 199U);
  EXPECT_LE(idles, 202U);
  const auto lines = base::drain_log();
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_EQ(lines[0].text, "drive timeout: qpair: 1, cid: 0");
  got.last = {};

  // The device may still write there, so neither buffer nor slot are anybody else's.
  EXPECT_FALSE(alive.expired());
  EXPECT_EQ(io->send(plain(2)), 1);
  fake->complete(1, 0);
  fake->complete(1, 1);
  io->wait(1, got);
  EXPECT_EQ(got.cids, (Cids{0, 1}));
  EXPECT_TRUE(alive.expired());
  EXPECT_EQ(io->send(plain(2)), 1);
  EXPECT_EQ(io->send(plain(2)), 0);
}

TEST_F(CommandQueueTest, AHostThatStoodStillLooksBeforeItBlamesTheDevice) {
  controller->set_timeout_ms(200);
  io->send(plain(2));
  idle = [this] {
    if (idles == 1) clock.advance(2'000'000'000);
    if (idles == 2) fake->complete(1, 0);  // the look before was too early to see it
  };
  EXPECT_EQ(io->wait(1, got), 0U);
  EXPECT_EQ(got.cids, Cids{0});
  EXPECT_FALSE(got.last.timed_out);
  EXPECT_TRUE(base::drain_log().empty());
}

TEST_F(CommandQueueTest, TheLastLookEndsWithAPollOfTheDevice) {
  controller->set_timeout_ms(200);
  for (int i = 0; i < 3; ++i) io->send(plain(2));
  bool posts_when_polled = false;
  fake->on_poll = [&] {
    if (std::exchange(posts_when_polled, false)) fake->complete(1, 0);
  };
  idle = [&] {
    if (idles == 1) clock.advance(2'000'000'000);
    if (idles == 2) {
      fake->complete(1, 2);
      posts_when_polled = true;
    }
  };
  io->wait(3, got);
  EXPECT_EQ(got.cids, (Cids{2, 0, 1}));
  const auto lines = base::drain_log();
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_EQ(lines[0].text, "drive timeout: qpair: 1, cid: 1");
  fake->on_poll = nullptr;
}

TEST_F(CommandQueueTest, BuffersOfAStuckDeviceOutliveTheQueue) {
  controller->set_timeout_ms(50);
  auto buffer = std::make_shared<pcie::DmaBlock>(pcie::DmaMemory::instance().allocate(4096));
  const std::weak_ptr<pcie::DmaBlock> alive = buffer;
  auto command = plain(2);
  command.data = {buffer->iova(), buffer->data(), 4096, buffer};
  buffer.reset();
  io->send(std::move(command));
  fake->failing[spec::admin::kDeleteIoSq] = spec::make_status(0, 6);
  io.reset();
  EXPECT_FALSE(alive.expired());
  controller->initialise();
  EXPECT_TRUE(alive.expired());
}

TEST_F(CommandQueueTest, BuffersAreReleasedWithTheQueue) {
  auto buffer = std::make_shared<int>(1);
  const std::weak_ptr<int> alive = buffer;
  auto command = plain(2);
  command.data.keep_alive = std::move(buffer);
  io->send(std::move(command));
  io.reset();
  EXPECT_TRUE(alive.expired());
}

TEST_F(CommandQueueTest, BuildsPrpsFromTheBuffer) {
  const auto block = pcie::DmaMemory::instance().allocate(65536);
  auto command = plain(2);
  command.data = {block.iova() + 512, block.data() + 512, 4096 * 3, nullptr};
  io->send(std::move(command));
  const auto& sqe = fake->queues.at(1).held.at(0);
  EXPECT_EQ(sqe.prp1, block.iova() + 512);
  uint64_t list[3];
  std::memcpy(list, fake->host(sqe.prp2), sizeof(list));
  EXPECT_EQ(list[0], block.iova() + 4096);
  EXPECT_EQ(list[1], block.iova() + 8192);
  EXPECT_EQ(list[2], block.iova() + 12288);
  // Without a buffer the pointers are the caller's.
  auto raw = plain(2);
  raw.sqe.prp1 = 0x123;
  raw.sqe.prp2 = 0x456;
  io->send(std::move(raw));
  EXPECT_EQ(fake->queues.at(1).held.at(1).prp1, 0x123U);
  EXPECT_EQ(fake->queues.at(1).held.at(1).prp2, 0x456U);
}

TEST_F(CommandQueueTest, ProvidesZeroedMemoryForMetadata) {
  const auto block = pcie::DmaMemory::instance().allocate(8192);
  std::vector<uint64_t> places;
  for (int i = 0; i < 3; ++i) {
    auto command = plain(2);
    command.data = {block.iova(), block.data(), 512, nullptr};
    command.metadata_bytes = 48;
    io->send(std::move(command));
    places.push_back(fake->queues.at(1).held.back().mptr);
    auto* metadata = reinterpret_cast<uint8_t*>(fake->host(places.back()));
    EXPECT_EQ(std::vector<uint8_t>(metadata, metadata + 48), std::vector<uint8_t>(48));
    std::memset(metadata, 0xEE, 48);
    if (i == 0) {  // the slot is used again, and its memory with it
      fake->complete(1, io->latest_cid());
      Collector collector;
      io->wait(1, collector);
    }
  }
  EXPECT_NE(places[1], places[2]);
}

TEST_F(CommandQueueTest, ABufferThatPrpsCannotReachIsRefusedAndCostsNoSlot) {
  auto command = plain(2);
  command.data = {0x1'0000'0001, nullptr, 512, nullptr};
  EXPECT_THROW(io->send(std::move(command)), InvalidArgument);
  EXPECT_EQ(io->outstanding(), 0U);
  EXPECT_EQ(io->pair().room(), 7U);
}

TEST_F(CommandQueueTest, AHookSeesCompletionsFirstAndMayChangeThem) {
  struct Hook final : CompletionHook {
    void on_complete(const Command& command, spec::Cqe& cqe) noexcept override {
      values.push_back(command.hook_value);
      statuses.push_back(cqe.status);
      if (cqe.ok()) cqe.status = spec::make_status(7, 0x81);
    }
    void on_lost(const Command&) noexcept override {}
    std::vector<uint64_t> values;
    std::vector<uint16_t> statuses;
  };
  const auto hook = std::make_shared<Hook>();
  controller->set_timeout_ms(20);
  for (uint64_t value : {10U, 11U, 12U}) {
    auto command = plain(2);
    command.hook = hook;
    command.hook_value = value;
    io->send(std::move(command));
  }
  fake->complete(1, 1);
  io->wait(1, got);
  EXPECT_EQ(got.last.cqe.sct(), 7);
  EXPECT_EQ(got.last.cqe.sc(), 0x81);
  io->wait(1, got);  // one of the others times out
  EXPECT_TRUE(got.last.timed_out);
  io.reset();
  EXPECT_EQ(hook->values, (std::vector<uint64_t>{11, 10, 12}));
  EXPECT_EQ(hook->statuses[1], 0xFFFF);
}

TEST_F(CommandQueueTest, AHookLearnsThatAResetTookTheCommand) {
  struct Hook final : CompletionHook {
    void on_complete(const Command&, spec::Cqe&) noexcept override { completed = true; }
    void on_lost(const Command&) noexcept override { lost = true; }
    bool completed = false;
    bool lost = false;
  };
  const auto hook = std::make_shared<Hook>();
  auto command = plain(1);
  command.hook = hook;
  io->send(std::move(command));
  controller->initialise();
  EXPECT_TRUE(hook->lost);
  EXPECT_FALSE(hook->completed);
  const auto text = text_of<QueueDead>([&] { io->wait(1, got); });
  EXPECT_EQ(text, "fake: IO queue 1 is not usable: CC.EN was cleared");
  EXPECT_THROW(io->send(plain(1)), QueueDead);
}

TEST_F(CommandQueueTest, AnEventIsDeliveredOnTopAndSentAgain) {
  auto& admin = controller->admin();
  const auto aer = fake->queues.at(0).held.at(0);
  ASSERT_EQ(aer.opcode, spec::admin::kAsyncEventRequest);
  const size_t before = fake->queues.at(0).held.size();
  fake->complete(0, aer.cid, 0, 0x0001'0100);
  admin.send(plain(spec::admin::kGetFeatures));
  admin.wait(1, got);
  ASSERT_EQ(got.cids.size(), 2U);
  EXPECT_EQ(got.cids[0], aer.cid);
  EXPECT_FALSE(got.last.async_event);
  EXPECT_EQ(fake->queues.at(0).held.size(), before);
}

TEST_F(CommandQueueTest, AnEventThatCameWithTheLastCompletionIsDelivered) {
  auto& admin = controller->admin();
  const auto aer = fake->queues.at(0).held.at(0);
  admin.send(plain(spec::admin::kGetFeatures));
  fake->complete(0, aer.cid, 0, 0x77);
  EXPECT_EQ(admin.wait(1, got), 0U);  // cdw0 of the command, not of the event
  ASSERT_EQ(got.cids.size(), 2U);
  EXPECT_TRUE(got.last.async_event);
  EXPECT_EQ(got.last.cqe.cdw0, 0x77U);
}

TEST_F(CommandQueueTest, AnAbortedEventIsNotSentAgain) {
  auto& admin = controller->admin();
  const auto aer = fake->queues.at(0).held.at(0);
  const size_t before = fake->queues.at(0).held.size();
  fake->complete(0, aer.cid, spec::make_status(0, 7));
  admin.wait(0, got);
  EXPECT_EQ(got.cids, Cids{aer.cid});
  EXPECT_EQ(fake->queues.at(0).held.size(), before - 1);
}

TEST_F(CommandQueueTest, EventsDoNotTimeOut) {
  auto& admin = controller->admin();
  controller->set_timeout_ms(10);
  fake->silent = {spec::admin::kGetFeatures};
  admin.send(plain(spec::admin::kGetFeatures));
  admin.wait(1, got);
  EXPECT_EQ(got.cids.size(), 1U);
  EXPECT_TRUE(got.last.timed_out);
}

TEST_F(CommandQueueTest, AdminCompletionsAreReapedOnlyAfterTheirInterrupt) {
  auto& admin = controller->admin();
  controller->set_timeout_ms(20);
  fake->send_interrupts = false;
  admin.send(plain(spec::admin::kGetFeatures));
  admin.wait(1, got);
  EXPECT_TRUE(got.last.timed_out);
  const auto lines = base::drain_log();
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_NE(lines[0].text.find("no interrupt came on vector 0"), std::string::npos);
  // The late completion comes to light with the next interrupt, and is nobody's.
  fake->send_interrupts = true;
  admin.send(plain(spec::admin::kGetFeatures));
  admin.wait(1, got);
  EXPECT_FALSE(got.last.timed_out);
  EXPECT_EQ(got.cids.size(), 2U);
}

TEST_F(CommandQueueTest, WithoutInterruptsTheAdminQueueIsPolled) {
  fake->vectors = 0;
  fake->send_interrupts = false;
  controller->initialise();
  controller->admin().send(plain(spec::admin::kGetFeatures));
  controller->admin().wait(1, got);
  EXPECT_FALSE(got.last.timed_out);
}

TEST_F(CommandQueueTest, TheIdleHookMayEndAWait) {
  io->send(plain(2));
  idle = [] { throw std::runtime_error("interrupted"); };
  EXPECT_EQ(text_of<std::runtime_error>([&] { io->wait(1, got); }), "interrupted");
  idle = nullptr;
  fake->complete(1, 0);
  io->wait(1, got);
  EXPECT_EQ(got.cids, Cids{0});
}

TEST_F(CommandQueueTest, AnInterruptedExecutionLeavesAUsableQueue) {
  fake->silent = {spec::admin::kIdentify};
  idle = [] { throw std::runtime_error("interrupted"); };
  EXPECT_THROW(controller->identify(), std::runtime_error);
  idle = nullptr;
  fake->silent.clear();
  fake->complete(0, fake->admin_commands.back().cid);
  EXPECT_NO_THROW(controller->identify());
  EXPECT_EQ(controller->admin().pair().used(), 4U);  // the AERs
}

TEST_F(CommandQueueTest, ASecondThreadMaySendButNotWaitForWhatOthersSent) {
  io->send(plain(2));
  bool sent = false;
  idle = [&] {
    if (sent) return;
    sent = true;
    std::thread([&] {
      Collector other;
      EXPECT_NE(text_of<InvalidArgument>([&] { io->wait(1, other); }).find("another thread"),
                std::string::npos);
      io->send(plain(2));
      fake->complete(1, 1);
      fake->complete(1, 0);
    }).join();
  };
  io->wait(2, got);
  EXPECT_EQ(got.cids, (Cids{0, 1}));  // its own first, though it came later
}

TEST_F(CommandQueueTest, EachThreadGetsWhatItSent) {
  Collector other;
  uint32_t cdw0 = 0;
  io->send(plain(2));
  bool sent = false;
  idle = [&] {
    if (sent) return;
    sent = true;
    std::thread([&] {
      io->send(plain(2));
      fake->complete(1, 0, 0, 70);
      fake->complete(1, 1, 0, 71);
      cdw0 = io->wait(1, other);
    }).join();
  };
  EXPECT_EQ(io->wait(1, got), 70U);
  EXPECT_EQ(cdw0, 71U);
  EXPECT_EQ(got.cids, (Cids{0}));
  EXPECT_EQ(other.cids, (Cids{1}));
  EXPECT_NE(text_of<CommandTimeout>([&] { io->wait(1, got); }).find("nothing is outstanding"),
            std::string::npos);
}

TEST_F(CommandQueueTest, ExecutionAndScriptShareTheAdminQueue) {
  auto& admin = controller->admin();
  admin.send(plain(spec::admin::kGetFeatures));
  controller->identify();  // reaps the script's completion, too, and keeps it
  EXPECT_TRUE(got.cids.empty());
  admin.wait(1, got);
  EXPECT_EQ(got.cids.size(), 1U);
  EXPECT_EQ(got.last.sqe.opcode, spec::admin::kGetFeatures);
}

}  // namespace
}  // namespace pynvme::driver
