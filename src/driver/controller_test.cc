// Initialisation, resets, shutdown and IO queues against the fake device, on a manual clock.
#include "driver/controller.h"

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "base/log.h"
#include "driver/errors.h"
#include "driver/fake_function.h"
#include "driver/io_queue_pair.h"

namespace pynvme::driver {
namespace {

using Write = FakeFunction::Write;

class ControllerTest : public testing::Test {
 protected:
  ControllerTest() {
    base::drain_log();
    fake->attach();
    controller = Controller::open(fake, clock);
    // Time passes only while somebody waits.
    controller->set_idle_hook([this] { clock.advance(1'000'000); });
  }

  // A device that a test left stuck must not be waited for: nothing moves the clock in a
  // destructor.
  ~ControllerTest() override { fake->vanished = true; }

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
  std::vector<uint8_t> admin_opcodes() const {
    std::vector<uint8_t> opcodes;
    for (const auto& sqe : fake->admin_commands) opcodes.push_back(sqe.opcode);
    return opcodes;
  }

  base::Clock clock = base::Clock::manual(1'000'000);
  std::shared_ptr<FakeFunction> fake = std::make_shared<FakeFunction>();
  std::shared_ptr<Controller> controller;
};

TEST_F(ControllerTest, OpenWritesNoRegister) { EXPECT_TRUE(fake->writes.empty()); }

TEST_F(ControllerTest, InitialisesInTheOrderOfTheSpecification) {
  controller->initialise();
  // NVMe Base 2.0 §3.5.1: with CC.EN = 0 the admin queue's attributes, its addresses, CC, CC.EN
  // = 1.
  const std::vector<Write>& writes = fake->writes;
  ASSERT_EQ(writes.size(), 6U);
  EXPECT_EQ(writes[0], (Write{spec::reg::kAqa, 0x00FF'00FF}));
  EXPECT_EQ(writes[1].offset, spec::reg::kAsq);
  EXPECT_EQ(writes[1].value % 4096, 0U);
  EXPECT_EQ(writes[2].offset, spec::reg::kAsq + 4);
  EXPECT_EQ(writes[3].offset, spec::reg::kAcq);
  EXPECT_EQ(writes[4].offset, spec::reg::kAcq + 4);
  EXPECT_EQ(writes[5], (Write{spec::reg::kCc, 0x0046'0001}));
  EXPECT_EQ(admin_opcodes(), (std::vector<uint8_t>{0x06, 0x06, 0x09, 0x0C, 0x0C, 0x0C, 0x0C}));
  EXPECT_EQ(fake->admin_commands[0].cdw10, 1U);
  EXPECT_EQ(fake->admin_commands[1].cdw10, 2U);
  EXPECT_EQ(fake->admin_commands[2].cdw10, 7U);
  EXPECT_EQ(controller->io_queue_limit(), 4U);
  EXPECT_EQ(controller->mdts_bytes(), 131072U);
  EXPECT_EQ(controller->active_namespaces(), std::vector<uint32_t>{1});
}

TEST_F(ControllerTest, ARunningControllerIsStoppedFirst) {
  controller->initialise();
  fake->writes.clear();
  controller->initialise();
  EXPECT_EQ(fake->writes[0], (Write{spec::reg::kCc, 0x0046'0000}));
  EXPECT_EQ(fake->writes[1].offset, spec::reg::kAqa);
}

TEST_F(ControllerTest, ChoosesCommandSetAndArbitrationByCap) {
  struct Case {
    uint8_t css;
    uint8_t ams;
    uint32_t cc;
  };
  for (const Case c :
       {Case{0x01, 0, 0x0046'0001}, Case{0x41, 0, 0x0046'0061}, Case{0xC1, 0, 0x0046'0061},
        Case{0x80, 0, 0x0046'0071}, Case{0x01, 1, 0x0046'0801}}) {
    auto device = std::make_shared<FakeFunction>();
    device->cap = device->cap.with_css(c.css).with_ams(c.ams);
    device->attach();
    const auto other = Controller::open(device, clock);
    other->init_admin_queue();
    other->enable();
    EXPECT_EQ(device->writes.back(), (Write{spec::reg::kCc, c.cc})) << std::hex << c.cc;
  }
}

TEST_F(ControllerTest, ArmsNoMoreAersThanTheDeviceTakes) {
  for (const uint8_t aerl : {uint8_t{0}, uint8_t{1}, uint8_t{15}}) {
    fake->identify.aerl = aerl;
    fake->admin_commands.clear();
    controller->initialise();
    const auto opcodes = admin_opcodes();
    EXPECT_EQ(std::count(opcodes.begin(), opcodes.end(), 0x0C), std::min(aerl + 1, 4));
  }
}

TEST_F(ControllerTest, ADeviceThatNeverGetsReadyIsGivenItsTime) {
  fake->stuck = true;
  const uint64_t start_ns = clock.now_ns();
  const auto text = text_of<CommandTimeout>([&] { controller->initialise(); });
  EXPECT_NE(text.find("fake did not become ready (CSTS.RDY = 1) within 2000 ms"), std::string::npos)
      << text;
  EXPECT_GE(clock.now_ns() - start_ns, 2'000'000'000U);
  EXPECT_LT(clock.now_ns() - start_ns, 2'100'000'000U);
}

TEST_F(ControllerTest, ADeviceThatGotReadyWhileTheHostStoodStillIsInTime) {
  fake->stuck = true;
  int reads = 0;
  fake->on_read = [&] {
    if (fake->writes.empty() || fake->writes.back().offset != spec::reg::kCc) return;
    const uint64_t cc = fake->writes.back().value;
    if (!spec::Cc{static_cast<uint32_t>(cc)}.en()) return;
    if (++reads == 1) return clock.advance(60'000'000'000);
    if (!std::exchange(fake->stuck, false)) return;
    fake->bar_write(0, spec::reg::kCc, 0, 4);
    fake->bar_write(0, spec::reg::kCc, cc, 4);
  };
  controller->initialise();
  EXPECT_GE(reads, 2);
  fake->on_read = nullptr;
}

TEST_F(ControllerTest, ADeviceThatNeverStopsIsATimeout) {
  controller->initialise();
  fake->stuck = true;
  EXPECT_NE(text_of<CommandTimeout>([&] { controller->disable(); }).find("did not stop"),
            std::string::npos);
}

TEST_F(ControllerTest, AVanishedDeviceIsSaidToBeGone) {
  controller->initialise();
  fake->vanished = true;
  EXPECT_NE(text_of<DeviceGone>([&] { controller->read32(spec::reg::kCsts); }).find("fake is gone"),
            std::string::npos);
  EXPECT_THROW(controller->initialise(), DeviceGone);
  EXPECT_THROW(controller->identify_namespace(1), Error);
}

TEST_F(ControllerTest, AVanishedDeviceEndsAWaitAtOnce) {
  controller->initialise();
  fake->silent = {spec::admin::kIdentify};
  controller->set_idle_hook([this] {
    clock.advance(1'000'000);
    fake->vanished = true;
  });
  const uint64_t start_ns = clock.now_ns();
  EXPECT_THROW(controller->identify(), DeviceGone);
  EXPECT_LT(clock.now_ns() - start_ns, 10'000'000U);
}

TEST_F(ControllerTest, AFatalErrorEndsAWait) {
  controller->initialise();
  fake->silent = {spec::admin::kIdentify};
  fake->fatal = true;
  EXPECT_NE(text_of<ControllerFatal>([&] { controller->identify(); }).find("CSTS.CFS"),
            std::string::npos);
  // The cure works: CFS does not stand in the way of a reset.
  fake->silent.clear();
  fake->fatal = false;
  controller->initialise();
}

TEST_F(ControllerTest, ACommandOfTheDriverThatFailsIsNamedWithItsStatus) {
  fake->failing[spec::admin::kIdentify] = spec::make_status(0, 2, true);
  EXPECT_NE(text_of<CommandFailed>([&] {
              controller->initialise();
            }).find("fake: Identify Controller failed with status 00/02"),
            std::string::npos);
}

TEST_F(ControllerTest, AnUnansweredCommandOfTheDriverTimesOut) {
  fake->silent = {spec::admin::kSetFeatures};
  controller->set_timeout_ms(500);
  const auto text = text_of<CommandTimeout>([&] { controller->initialise(); });
  EXPECT_NE(text.find("Set Features, cid 0, did not complete within 500 ms"), std::string::npos)
      << text;
}

TEST_F(ControllerTest, AnAdminQueueIsOnlySetUpWhileDisabled) {
  controller->initialise();
  EXPECT_THROW(controller->init_admin_queue(), InvalidArgument);
}

TEST_F(ControllerTest, FollowsALongNamespaceList) {
  fake->namespaces.clear();
  for (uint32_t nsid = 1; nsid <= 1500; ++nsid) fake->namespaces.push_back(nsid * 2);
  controller->initialise();
  EXPECT_EQ(controller->active_namespaces(), fake->namespaces);
}

TEST_F(ControllerTest, CommandsBeforeTheInitialisationAreRefused) {
  EXPECT_NE(text_of<QueueDead>([&] { controller->admin().send({}); }).find("was not initialised"),
            std::string::npos);
  EXPECT_THROW(IoQueuePair::create(controller, {}), QueueCreationError);
}

TEST_F(ControllerTest, CreatesAndDeletesIoQueuesInOrder) {
  controller->initialise();
  fake->admin_commands.clear();
  IoQueueOptions options;
  options.depth = 16;
  options.priority = 2;
  auto queue = IoQueuePair::create(controller, options);
  EXPECT_EQ(queue->id(), 1);
  queue.reset();
  EXPECT_EQ(admin_opcodes(), (std::vector<uint8_t>{0x05, 0x01, 0x00, 0x04}));
  const auto& cq = fake->admin_commands[0];
  EXPECT_EQ(cq.cdw10, 0x000F'0001U);
  EXPECT_EQ(cq.cdw11, 0x0001'0003U);  // vector 1, interrupts enabled, contiguous
  const auto& sq = fake->admin_commands[1];
  EXPECT_EQ(sq.cdw10, 0x000F'0001U);
  EXPECT_EQ(sq.cdw11, 0x0001'0005U);  // CQ 1, priority 2, contiguous
  EXPECT_EQ(fake->admin_commands[2].cdw10, 1U);
  EXPECT_EQ(fake->admin_commands[3].cdw10, 1U);
}

TEST_F(ControllerTest, QueueIdentifiersAreReusedAndBounded) {
  controller->initialise();
  std::vector<std::shared_ptr<IoQueuePair>> queues;
  for (int i = 0; i < 4; ++i) queues.push_back(IoQueuePair::create(controller, {}));
  const auto text =
      text_of<QueueCreationError>([&] { IoQueuePair::create(controller, IoQueueOptions{}); });
  EXPECT_NE(text.find("all 4 IO queue pairs"), std::string::npos) << text;
  queues.erase(queues.begin() + 1);
  EXPECT_EQ(IoQueuePair::create(controller, {})->id(), 2);
}

TEST_F(ControllerTest, DepthIsBoundedByMqesAndTheDriver) {
  fake->cap = fake->cap.with_mqes(63);
  controller.reset();
  controller = Controller::open(fake, clock);
  controller->initialise();
  for (const uint32_t depth : {0U, 1U, 65U, 1024U}) {
    IoQueueOptions options;
    options.depth = depth;
    const auto text = text_of<InvalidArgument>([&] { IoQueuePair::create(controller, options); });
    EXPECT_NE(text.find("a queue can be 2 to 64 deep"), std::string::npos) << text;
  }
  for (const uint32_t depth : {2U, 64U}) {
    IoQueueOptions options;
    options.depth = depth;
    EXPECT_EQ(IoQueuePair::create(controller, options)->pair().slots(), depth - 1);
  }
}

TEST_F(ControllerTest, AFailedCreationLeavesNothingBehind) {
  controller->initialise();
  fake->failing[spec::admin::kCreateIoSq] = spec::make_status(1, 2);
  fake->admin_commands.clear();
  const auto text = text_of<QueueCreationError>([&] { IoQueuePair::create(controller, {}); });
  EXPECT_NE(text.find("Create I/O Submission Queue failed with status 01/02"), std::string::npos);
  EXPECT_EQ(admin_opcodes(), (std::vector<uint8_t>{0x05, 0x01, 0x04}));
  EXPECT_FALSE(fake->queues.contains(1));
  fake->failing.clear();
  EXPECT_EQ(IoQueuePair::create(controller, {})->id(), 1);
}

TEST_F(ControllerTest, AFailedDeletionIsSaidOnceAndTheIdentifierStaysTaken) {
  controller->initialise();
  auto queue = IoQueuePair::create(controller, {});
  fake->failing[spec::admin::kDeleteIoSq] = spec::make_status(1, 1);
  EXPECT_THROW(queue->remove(), QueueDeletionError);
  EXPECT_FALSE(queue->device_is_done());
  EXPECT_TRUE(queue->dead());
  queue.reset();
  fake->failing.clear();
  EXPECT_EQ(IoQueuePair::create(controller, {})->id(), 2);
  controller->initialise();
  EXPECT_EQ(IoQueuePair::create(controller, {})->id(), 1);
}

TEST_F(ControllerTest, AResetEndsIoQueuesAndTheyKnow) {
  controller->initialise();
  const auto queue = IoQueuePair::create(controller, {});
  EXPECT_FALSE(queue->dead());
  controller->write32(spec::reg::kCc, 0x0046'0000);
  EXPECT_TRUE(queue->dead());
  EXPECT_FALSE(queue->device_is_done());
  controller->initialise();
  EXPECT_TRUE(queue->device_is_done());
  EXPECT_STREQ(queue->pair().death(), "CC.EN was cleared");
  // The new queue may have the old one's identifier, and the old one's end does not touch it.
  auto next = IoQueuePair::create(controller, {});
  EXPECT_EQ(next->id(), queue->id());
  fake->admin_commands.clear();
  queue->remove();
  EXPECT_TRUE(fake->admin_commands.empty());
  EXPECT_FALSE(next->dead());
}

TEST_F(ControllerTest, ObjectsMayGoInAnyOrder) {
  controller->initialise();
  auto queue = IoQueuePair::create(controller, {});
  controller.reset();
  EXPECT_TRUE(fake->queues.contains(1));
  queue.reset();
  EXPECT_TRUE(fake->queues.empty());
  EXPECT_FALSE(fake->bus_master);
  EXPECT_EQ(spec::Cc{static_cast<uint32_t>(fake->writes.back().value)}.en(), false);
}

TEST_F(ControllerTest, ClosingNotifiesTheShutdown) {
  controller->initialise();
  fake->writes.clear();
  controller.reset();
  ASSERT_EQ(fake->writes.size(), 2U);
  EXPECT_EQ(fake->writes[0], (Write{spec::reg::kCc, 0x0046'4001}));
  EXPECT_EQ(fake->writes[1], (Write{spec::reg::kCc, 0x0046'0000}));
}

TEST_F(ControllerTest, ShutdownThatNeverCompletesIsBounded) {
  controller->initialise();
  fake->silent_shutdown = true;
  const uint64_t start_ns = clock.now_ns();
  const auto text = text_of<ShutdownTimeout>([&] { controller->shutdown(true); });
  EXPECT_NE(text.find("within 10000 ms"), std::string::npos) << text;
  EXPECT_LT(clock.now_ns() - start_ns, 10'100'000'000U);
  EXPECT_EQ(fake->writes.back(), (Write{spec::reg::kCc, 0x0046'8001}));
}

// A controller that wedged: whatever is still open ends in the time of one admin command, one
// shutdown and one disable, however many queues there are.
TEST_F(ControllerTest, AControllerThatAnswersNothingAnyMoreIsClosedInBoundedTime) {
  controller->initialise();
  std::vector<std::shared_ptr<IoQueuePair>> queues;
  for (int i = 0; i < 4; ++i) queues.push_back(IoQueuePair::create(controller, {}));
  fake->on_read = [this] { clock.advance(1'000'000); };
  fake->silent = {spec::admin::kDeleteIoSq, spec::admin::kDeleteIoCq};
  fake->silent_shutdown = true;
  fake->stuck = true;
  fake->admin_commands.clear();
  const uint64_t start_ns = clock.now_ns();
  queues.clear();
  EXPECT_EQ(admin_opcodes(), std::vector<uint8_t>{spec::admin::kDeleteIoSq});
  EXPECT_LT(clock.now_ns() - start_ns, 10'100'000'000U);
  controller.reset();
  EXPECT_LT(clock.now_ns() - start_ns, 20'200'000'000U);
  EXPECT_FALSE(fake->bus_master);
  std::string log;
  for (const auto& line : base::drain_log()) log += line.text + "\n";
  EXPECT_NE(log.find("Delete I/O Submission Queue, cid"), std::string::npos) << log;
  EXPECT_NE(log.find("not deleted, because the device did not answer the deletion of another one"),
            std::string::npos)
      << log;
  EXPECT_NE(log.find("did not complete its shutdown"), std::string::npos) << log;
}

TEST_F(ControllerTest, AWedgedControllerThatIsResetIsATimeoutAndQueuesGoAtOnce) {
  controller->initialise();
  std::vector<std::shared_ptr<IoQueuePair>> queues;
  for (int i = 0; i < 4; ++i) queues.push_back(IoQueuePair::create(controller, {}));
  fake->silent = {spec::admin::kDeleteIoSq};
  EXPECT_THROW(queues[0]->remove(), QueueDeletionError);
  fake->stuck = true;
  EXPECT_THROW(controller->initialise(), CommandTimeout);
  const uint64_t start_ns = clock.now_ns();
  fake->admin_commands.clear();
  queues.clear();
  EXPECT_EQ(clock.now_ns(), start_ns);
  EXPECT_TRUE(fake->admin_commands.empty());
}

TEST_F(ControllerTest, AnAnsweredDeletionEndsTheSuspicion) {
  controller->initialise();
  std::vector<std::shared_ptr<IoQueuePair>> queues;
  for (int i = 0; i < 4; ++i) queues.push_back(IoQueuePair::create(controller, {}));
  fake->silent = {spec::admin::kDeleteIoSq};
  EXPECT_THROW(queues[0]->remove(), QueueDeletionError);
  queues[1].reset();  // left to a reset
  EXPECT_TRUE(fake->queues.contains(2));
  EXPECT_THROW(queues[2]->remove(), QueueDeletionError);  // asked for: tried
  // The identifiers are all taken, so those that are left are tried again; by one of them only.
  queues[0].reset();
  queues[2].reset();
  fake->admin_commands.clear();
  EXPECT_THROW(IoQueuePair::create(controller, {}), QueueCreationError);
  EXPECT_EQ(admin_opcodes(), std::vector<uint8_t>{spec::admin::kDeleteIoSq});
  fake->silent.clear();
  EXPECT_EQ(IoQueuePair::create(controller, {})->id(), 1);
  queues[3].reset();
  EXPECT_EQ(fake->queues.size(), 1U);
}

TEST_F(ControllerTest, ConfigurationIsRestoredWhenOthersSwitchedThePower) {
  fake->config_write(spec::pci::kBar0, 0xFEB0'0000, 4);
  controller->initialise();
  fake->vanished = true;
  EXPECT_THROW(controller->read32(spec::reg::kCc), DeviceGone);
  fake->vanished = false;
  fake->config_write(spec::pci::kBar0, 0, 4);
  fake->config_write(spec::pci::kCommand, 0, 2);
  controller->power_on();
  EXPECT_EQ(fake->config_read(spec::pci::kBar0, 4), 0xFEB0'0000U);
  EXPECT_TRUE(fake->bus_master);
  controller->initialise();
}

TEST_F(ControllerTest, ResetsLeaveADisabledControllerThatComesUpAgain) {
  fake->cap = fake->cap.with_nssrs(true);
  controller.reset();
  controller = Controller::open(fake, clock);
  controller->set_idle_hook([this] { clock.advance(1'000'000); });
  const std::vector<std::function<void()>> resets = {
      [&] { controller->hot_reset(); }, [&] { controller->function_level_reset(); },
      [&] { controller->subsystem_reset(); },
      [&] {
        controller->power_off();
        EXPECT_THROW(controller->read32(spec::reg::kCc), DeviceGone);
        controller->power_on();
      }};
  for (const auto& reset : resets) {
    controller->initialise();
    const auto queue = IoQueuePair::create(controller, {});
    reset();
    EXPECT_TRUE(queue->dead());
    EXPECT_TRUE(queue->device_is_done());
    EXPECT_TRUE(fake->bus_master);
    EXPECT_THROW(controller->admin().send({}), QueueDead);
  }
  controller->initialise();
}

TEST_F(ControllerTest, NoSubsystemResetWithoutNssrs) {
  EXPECT_THROW(controller->subsystem_reset(), InvalidArgument);
}

TEST_F(ControllerTest, RefusesDevicesItCannotDrive) {
  auto device = std::make_shared<FakeFunction>();
  device->cap = device->cap.with_mpsmin(1);
  EXPECT_THROW(Controller::open(device, clock), EnumerateError);
  auto odd = std::make_shared<FakeFunction>();
  odd->identify.sqes = 0x77;
  odd->attach();
  const auto other = Controller::open(odd, clock);
  EXPECT_THROW(other->initialise(), EnumerateError);
  auto gone = std::make_shared<FakeFunction>();
  gone->vanished = true;
  EXPECT_THROW(Controller::open(gone, clock), DeviceGone);
}

TEST_F(ControllerTest, InterruptsOfAQueueAreCountedOnItsVector) {
  controller->initialise();
  fake->complete_io = true;
  const auto first = IoQueuePair::create(controller, {});
  const auto second = IoQueuePair::create(controller, {});
  EXPECT_EQ(first->options().vector, 1);
  EXPECT_EQ(second->options().vector, 2);
  second->pair().submit({});
  second->pair().ring();
  EXPECT_EQ(first->interrupts(), 0U);
  EXPECT_EQ(second->interrupts(), 1U);
  second->clear_interrupts();
  EXPECT_EQ(second->interrupts(), 0U);
}

TEST_F(ControllerTest, LogsOfAllQueuesCanBeMerged) {
  controller->initialise();
  fake->complete_io = true;
  const auto queue = IoQueuePair::create(controller, {});
  clock.advance(10);
  queue->pair().submit({});
  queue->pair().ring();
  const auto all = merged(controller->cmdlogs());
  ASSERT_GE(all.size(), 3U);
  EXPECT_EQ(all.back().sqid, 1);
  EXPECT_EQ(all[0].sqid, 0);
}

}  // namespace
}  // namespace pynvme::driver
