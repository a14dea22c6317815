// Asynchronous events: the limit, reporting, masking until the log is read.
#include "ssd/test_host.h"

namespace pynvme::ssd::testing {
namespace {

class EventsTest : public ::testing::Test {
 protected:
  uint16_t arm() { return host.submit(host.admin, Command::make(0x0C)); }
  void bad_doorbell(uint32_t value = 999) { host.ring(8, value); }
  uint16_t read_log(uint32_t lid, bool retain = false) {
    return host.status(Command::make(0x02, 0xFFFFFFFF)
                           .prp(page)
                           .set(10, 15u << 16 | lid | (retain ? 0x8000u : 0u)));
  }
  uint16_t enable_events(uint32_t bits) {
    return host.status(Command::make(0x09).set(10, 0x0B).set(11, bits));
  }

  TestHost host;
  uint64_t page = host.page();
};

TEST_F(EventsTest, RequestsWaitUpToTheLimit) {
  for (int i = 0; i < 4; ++i) {
    arm();
    EXPECT_FALSE(host.poll(host.admin));
  }
  arm();
  const auto c = host.poll(host.admin);
  ASSERT_TRUE(c);
  EXPECT_EQ(c->status(), 0x105);
  EXPECT_TRUE(c->dnr());
}

TEST_F(EventsTest, EventWaitsForARequest) {
  bad_doorbell();
  EXPECT_FALSE(host.poll(host.admin));
  const uint16_t cid = arm();
  const auto c = host.poll(host.admin);
  ASSERT_TRUE(c);
  EXPECT_EQ(c->cid(), cid);
  EXPECT_EQ(c->status(), 0);
  EXPECT_EQ(c->cdw0(), 0x010000u) << "error, invalid doorbell register, log 1";
}

TEST_F(EventsTest, TypeIsMaskedUntilItsLogIsRead) {
  arm();
  arm();
  bad_doorbell();
  ASSERT_TRUE(host.poll(host.admin));
  bad_doorbell();
  EXPECT_FALSE(host.poll(host.admin));
  EXPECT_EQ(read_log(1, true), 0) << "RAE: stays masked";
  bad_doorbell();
  EXPECT_FALSE(host.poll(host.admin));
  EXPECT_EQ(read_log(2), 0) << "another log";
  bad_doorbell();
  EXPECT_FALSE(host.poll(host.admin));
  EXPECT_EQ(read_log(1), 0);
  EXPECT_FALSE(host.poll(host.admin)) << "what came meanwhile was told by the log";
  bad_doorbell();
  EXPECT_TRUE(host.poll(host.admin));
}

TEST_F(EventsTest, TemperatureThresholdRaisesOneWhenEnabled) {
  arm();
  // Over threshold of 300 K: it is warmer than that.
  ASSERT_EQ(enable_events(0), 0);
  ASSERT_EQ(host.status(Command::make(0x09).set(10, 0x04).set(11, 300)), 0);
  EXPECT_FALSE(host.poll(host.admin)) << "not enabled";
  ASSERT_EQ(host.status(Command::make(0x09).set(10, 0x04).set(11, 400)), 0);
  host.clock.advance(1'000'000'000);
  ASSERT_EQ(enable_events(0x02), 0);
  host.submit(host.admin, Command::make(0x09).set(10, 0x04).set(11, 300));
  EXPECT_EQ(host.poll(host.admin)->cdw0(), 0u);
  const auto event = host.poll(host.admin);
  ASSERT_TRUE(event);
  EXPECT_EQ(event->cdw0(), 0x020101u) << "SMART, temperature, log 2";
  EXPECT_EQ(read_log(2), 0);
  EXPECT_EQ(host.get<uint8_t>(page) & 2, 2) << "critical warning";
}

TEST(Events, ASubsystemShutdownIsToldAtOnceAndEndsWithASubsystemReset) {
  Config config = TestHost::quick();
  config.version = 0x0002'0000;
  TestHost host(config);
  EXPECT_EQ(host.reg64(0) >> 58 & 1, 1u) << "CAP.NSSS";
  ASSERT_EQ(host.status(Command::make(0x09).set(10, 0x0B).set(11, 1 << 15)), 0);
  const uint16_t cid = host.submit(host.admin, Command::make(0x0C));
  host.set_reg32(0x64, 0x12345678);
  EXPECT_EQ(host.reg32(0x1C), 1u) << "not the word";
  host.set_reg32(0x64, 0x4E726D6C);
  const auto event = host.poll(host.admin);
  ASSERT_TRUE(event);
  EXPECT_EQ(event->cid(), cid);
  EXPECT_EQ(event->cdw0(), 0x000003u) << "immediate";
  EXPECT_EQ(host.reg32(0x1C), 1u | 2u << 2 | 1u << 6) << "CSTS: shut down, the subsystem";
  EXPECT_EQ(host.reg32(0x64), 0u);
  host.disable();
  host.enable();
  EXPECT_EQ(host.reg32(0x1C), 2u << 2 | 1u << 6) << "a controller reset does not start it again";
  host.set_reg32(0x20, 0x4E564D65);
  host.set_command(0x0406);
  host.enable();
  EXPECT_EQ(host.reg32(0x1C), 1u | 1u << 4);
  EXPECT_EQ(host.status(Command::make(0x0A).set(10, 7)), 0);
}

TEST_F(EventsTest, FormatTellsThatANamespaceChanged) {
  ASSERT_EQ(enable_events(0x100), 0);
  arm();
  EXPECT_EQ(host.status(Command::make(0x80, 1).set(10, 0)), 0);
  EXPECT_FALSE(host.poll(host.admin)) << "the same format";
  host.submit(host.admin, Command::make(0x80, 1).set(10, 1));
  std::vector<Completion> both = {*host.poll(host.admin), *host.poll(host.admin)};
  EXPECT_EQ(both[1].cdw0(), 0x040002u) << "notice, namespace attribute, log 4";
  EXPECT_EQ(read_log(4, true), 0);
  EXPECT_EQ(host.get<uint32_t>(page), 1u);
  EXPECT_EQ(read_log(4), 0);
  EXPECT_EQ(host.get<uint32_t>(page), 1u);
  EXPECT_EQ(read_log(4), 0);
  EXPECT_EQ(host.get<uint32_t>(page), 0u) << "reading clears it";
}

TEST_F(EventsTest, NoticesOfTwoLogsDoNotHideEachOther) {
  ASSERT_EQ(enable_events(0x300), 0);
  ASSERT_EQ(host.status(Command::make(0x80, 1).set(10, 1)), 0);
  const uint64_t image = host.page();
  ASSERT_EQ(host.status(Command::make(0x11).prp(image).set(10, 1023)), 0);
  ASSERT_EQ(host.status(Command::make(0x10).set(10, 3 << 3 | 2)), 0);
  arm();
  arm();
  EXPECT_EQ(host.poll(host.admin)->cdw0(), 0x040002u);
  EXPECT_FALSE(host.poll(host.admin)) << "the type is masked";
  host.submit(host.admin, Command::make(0x02, 0xFFFFFFFF).prp(page).set(10, 15u << 16 | 4));
  EXPECT_EQ(host.poll(host.admin)->cdw0(), 0u);
  EXPECT_EQ(host.poll(host.admin)->cdw0(), 0x030102u) << "firmware activation, log 3";
}

TEST_F(EventsTest, AbortTakesARequestAway) {
  const uint16_t cid = arm();
  host.submit(host.admin, Command::make(0x08).set(10, static_cast<uint32_t>(cid) << 16));
  const auto aborted = host.poll(host.admin);
  EXPECT_EQ(aborted->cid(), cid);
  EXPECT_EQ(aborted->status(), 0x007);
  EXPECT_EQ(host.poll(host.admin)->cdw0(), 0u);
}

TEST_F(EventsTest, ResetForgetsRequestsAndEvents) {
  arm();
  host.disable();
  host.enable();
  bad_doorbell();
  EXPECT_FALSE(host.poll(host.admin));
  host.disable();
  host.enable();
  arm();
  EXPECT_FALSE(host.poll(host.admin));
}

TEST_F(EventsTest, WaitsForRoomInTheAdminQueue) {
  host.disable();
  host.enable(0x00460001, 4);
  arm();
  for (int i = 0; i < 3; ++i) host.submit(host.admin, Command::make(0x0A).set(10, 7));
  bad_doorbell();
  for (int i = 0; i < 3; ++i) EXPECT_EQ(host.poll(host.admin)->cdw0(), 0x000F000Fu);
  EXPECT_EQ(host.poll(host.admin)->cdw0(), 0x010000u);
}

}  // namespace
}  // namespace pynvme::ssd::testing
