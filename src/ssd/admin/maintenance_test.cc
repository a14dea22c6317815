// Sanitize and Device Self-test from the host's side: progress, ends, what is refused meanwhile.
#include <set>

#include "ssd/test_host.h"

namespace pynvme::ssd::testing {
namespace {

constexpr uint64_t kSecond = 1'000'000'000;

class MaintenanceTest : public ::testing::Test {
 protected:
  uint16_t sanitize(uint32_t cdw10, uint32_t pattern = 0) {
    return host.status(Command::make(0x84).set(10, cdw10).set(11, pattern));
  }
  uint16_t self_test(uint32_t stc, uint32_t nsid = 0xFFFFFFFF) {
    return host.status(Command::make(0x14, nsid).set(10, stc));
  }
  uint16_t log(uint8_t lid, uint32_t bytes = 512) {
    std::memset(host.at(page), 0xEE, 4096);
    return host.status(
        Command::make(0x02, 0xFFFFFFFF).prp(page).set(10, (bytes / 4 - 1) << 16 | lid));
  }
  // SSTAT 2:0
  uint32_t sanitize_status() {
    EXPECT_EQ(log(0x81), 0);
    return host.get<uint16_t>(page + 2) & 7;
  }
  void pass(uint64_t ns) {
    host.clock.advance(ns);
    host.device.advance();
  }
  uint16_t write(uint64_t lba, uint8_t value) {
    std::memset(host.at(data), value, 512);
    return host.status(q, write_command(data, lba, 1));
  }
  uint32_t read(uint64_t lba) {
    std::memset(host.at(data), 0xEE, 512);
    EXPECT_EQ(host.status(q, read_command(data, lba, 1)), 0);
    const auto first = host.get<uint32_t>(data);
    EXPECT_EQ(host.get<uint32_t>(data + 508), first);
    return first;
  }
  uint64_t nuse() {
    EXPECT_EQ(host.status(Command::make(0x06, 1).prp(page)), 0);
    return host.get<uint64_t>(page + 16);
  }

  TestHost host;
  uint64_t page = host.page();
  uint64_t data = host.page();
  HostQueue q = host.create_queue(1);
};

TEST_F(MaintenanceTest, IsAdvertised) {
  ASSERT_EQ(host.status(Command::make(0x06).set(10, 1).prp(page)), 0);
  EXPECT_EQ(host.get<uint32_t>(page + 328), 0x4000'0007u) << "SANICAP";
  EXPECT_EQ(host.get<uint16_t>(page + 256) >> 4 & 1, 1) << "OACS, Device Self-test";
  EXPECT_EQ(host.get<uint16_t>(page + 316), 1u) << "EDSTT";
  EXPECT_EQ(*host.at(page + 318), 1u) << "DSTO";
}

TEST_F(MaintenanceTest, SanitizeChecks) {
  EXPECT_EQ(sanitize(0), 0x002);
  EXPECT_EQ(sanitize(5), 0x002);
  EXPECT_EQ(sanitize(7), 0x002);
  EXPECT_EQ(sanitize(1), 0) << "Exit Failure Mode where there is no failure";
  EXPECT_EQ(sanitize_status(), 0u);
}

TEST_F(MaintenanceTest, GlobalDataErased) {
  ASSERT_EQ(log(0x81), 0);
  EXPECT_EQ(host.get<uint16_t>(page), 0xFFFF) << "SPROG";
  EXPECT_EQ(host.get<uint16_t>(page + 2), 0x100) << "SSTAT";
  ASSERT_EQ(write(0, 1), 0);
  ASSERT_EQ(log(0x81), 0);
  EXPECT_EQ(host.get<uint16_t>(page + 2), 0);
  ASSERT_EQ(sanitize(2), 0);
  pass(kSecond);
  ASSERT_EQ(log(0x81), 0);
  EXPECT_EQ(host.get<uint16_t>(page + 2), 0x101);
  ASSERT_EQ(write(0, 1), 0);
  ASSERT_EQ(log(0x81), 0);
  EXPECT_EQ(host.get<uint16_t>(page + 2), 0x001);
}

TEST_F(MaintenanceTest, SanitizeRunsAndErases) {
  for (const uint32_t action : {2u, 3u, 4u}) {
    ASSERT_EQ(write(9, 0x5A), 0);
    ASSERT_EQ(sanitize(action, 0xDEADBEEF), 0);
    ASSERT_EQ(log(0x81), 0);
    EXPECT_EQ(host.get<uint16_t>(page + 2) & 7, 2);
    EXPECT_LT(host.get<uint16_t>(page), 0x100) << "SPROG";
    EXPECT_EQ(host.get<uint32_t>(page + 4), action) << "SCDW10";
    pass(150'000'000);
    ASSERT_EQ(log(0x81), 0);
    EXPECT_GT(host.get<uint16_t>(page), 0x4000);
    EXPECT_LT(host.get<uint16_t>(page), 0xFFFF);
    pass(kSecond);
    ASSERT_EQ(log(0x81), 0);
    EXPECT_EQ(host.get<uint16_t>(page), 0xFFFF);
    EXPECT_EQ(host.get<uint16_t>(page + 2), action == 3 ? 0x101 | 16 << 3 : 0x101);
    EXPECT_EQ(read(9), 0u);
    EXPECT_EQ(nuse(), 0u);
  }
}

TEST_F(MaintenanceTest, OverwriteLeavesThePattern) {
  ASSERT_EQ(write(9, 0x5A), 0);
  // NDAS, 2 passes, inverted between them.
  ASSERT_EQ(sanitize(3 | 2 << 4 | 1 << 8 | 1 << 9, 0x12345678), 0);
  pass(kSecond);
  EXPECT_EQ(read(9), 0x12345678u);
  EXPECT_EQ(read(100'000), 0x12345678u);
  EXPECT_EQ(nuse(), (64u << 20) / 512);
  // The LBAs are ordinary ones afterwards.
  ASSERT_EQ(write(10, 0x77), 0);
  EXPECT_EQ(read(9), 0x12345678u);
  EXPECT_EQ(read(10), 0x77777777u);
  ASSERT_EQ(host.status(q, Command::make(0x08, 1).slba(8).set(12, 1 << 25 | 7)), 0) << "DEAC";
  EXPECT_EQ(read(9), 0u);
  EXPECT_EQ(read(16), 0x12345678u);
  EXPECT_EQ(nuse(), (64u << 20) / 512 - 8);
  ASSERT_EQ(sanitize(2 | 1 << 9), 0);
  pass(kSecond);
  EXPECT_EQ(read(16), 0xFFFFFFFFu);
  ASSERT_EQ(sanitize(4), 0);
  pass(kSecond);
  EXPECT_EQ(read(16), 0u);
  EXPECT_EQ(nuse(), 0u);
}

TEST_F(MaintenanceTest, RefusesWhileItRuns) {
  ASSERT_EQ(sanitize(2), 0);
  EXPECT_EQ(host.status(q, read_command(data, 0, 1)), 0x01D);
  EXPECT_EQ(host.status(q, write_command(data, 0, 1)), 0x01D);
  EXPECT_EQ(host.status(q, Command::make(0x00, 1)), 0x01D) << "Flush";
  EXPECT_EQ(sanitize(2), 0x01D);
  EXPECT_EQ(host.status(Command::make(0x80, 1)), 0x01D) << "Format NVM";
  EXPECT_EQ(self_test(1), 0x01D);
  EXPECT_EQ(host.status(Command::make(0x11).prp(page)), 0x01D) << "Firmware Image Download";
  EXPECT_EQ(host.status(Command::make(0x10)), 0x01D) << "Firmware Commit";
  EXPECT_EQ(log(0x03), 0x01D);
  EXPECT_EQ(log(0x06), 0x01D);
  EXPECT_EQ(log(0x01), 0);
  EXPECT_EQ(log(0x02), 0);
  EXPECT_EQ(host.status(Command::make(0x06).set(10, 1).prp(page)), 0) << "Identify";
  EXPECT_EQ(host.status(Command::make(0x0A).set(10, 7)), 0) << "Get Features";
  EXPECT_EQ(host.status(Command::make(0x08)), 0) << "Abort";
  EXPECT_EQ(sanitize_status(), 2u);
  pass(kSecond);
  EXPECT_EQ(host.status(q, read_command(data, 0, 1)), 0);
  EXPECT_EQ(log(0x03), 0);
}

TEST_F(MaintenanceTest, ItsEventComesThoughTheLogIsReadAtThatMoment) {
  const uint16_t aer = host.submit(host.admin, Command::make(0x0C));
  ASSERT_EQ(sanitize(2), 0);
  host.clock.advance(kSecond);  // the next command brings the end about
  const uint16_t read =
      host.submit(host.admin, Command::make(0x02, 0xFFFFFFFF).prp(page).set(10, 127u << 16 | 0x81));
  std::set<uint16_t> cids;
  while (const auto done = host.poll(host.admin)) cids.insert(done->cid());
  EXPECT_EQ(cids, (std::set<uint16_t>{aer, read}));
  EXPECT_EQ(host.get<uint16_t>(page + 2) & 7, 1);
}

TEST_F(MaintenanceTest, RaisesItsEvent) {
  const uint16_t aer = host.submit(host.admin, Command::make(0x0C));
  ASSERT_EQ(sanitize(2), 0);
  EXPECT_FALSE(host.poll(host.admin));
  pass(kSecond);
  const auto done = host.poll(host.admin);
  ASSERT_TRUE(done);
  EXPECT_EQ(done->cid(), aer);
  EXPECT_EQ(done->cdw0(), 0x81'01'06u);
}

TEST_F(MaintenanceTest, SanitizeSurvivesResetAndPowerCycle) {
  ASSERT_EQ(write(0, 1), 0);
  ASSERT_EQ(sanitize(2), 0);
  pass(100'000'000);
  host.disable();
  host.enable();
  EXPECT_EQ(sanitize_status(), 2u);
  host.device.power_off();
  pass(10 * kSecond);  // without power nothing goes on
  host.device.power_on();
  host.set_command(0x0406);
  host.enable();
  ASSERT_EQ(log(0x81), 0);
  EXPECT_EQ(host.get<uint16_t>(page + 2) & 7, 2);
  EXPECT_GT(host.get<uint16_t>(page), 0x5000);
  pass(250'000'000);
  EXPECT_EQ(sanitize_status(), 1u);
}

TEST_F(MaintenanceTest, SanitizeWaitsForPendingFirmware) {
  std::memcpy(host.at(page), "9.9     ", 8);
  ASSERT_EQ(host.status(Command::make(0x11).prp(page).set(10, 1023)), 0);
  ASSERT_EQ(host.status(Command::make(0x10).set(10, 2 | 1 << 3)), 0);
  EXPECT_EQ(sanitize(2), 0x111);
  host.disable();
  host.enable();
  EXPECT_EQ(sanitize(2), 0);
}

TEST_F(MaintenanceTest, SanitizeLeavesProtectedNamespacesAlone) {
  ASSERT_EQ(host.status(Command::make(0x09, 1).set(10, 0x84).set(11, 1)), 0);
  EXPECT_EQ(sanitize(2), 0x020);
  ASSERT_EQ(host.status(Command::make(0x09, 1).set(10, 0x84).set(11, 0)), 0);
  EXPECT_EQ(sanitize(2), 0);
}

TEST_F(MaintenanceTest, KeepAliveKeepsTheControllerAlive) {
  ASSERT_EQ(host.status(Command::make(0x06).set(10, 1).prp(page)), 0);
  EXPECT_EQ(host.get<uint16_t>(page + 320), 1u) << "KAS";
  EXPECT_EQ(host.status(Command::make(0x18)), 0) << "no timer yet";
  ASSERT_EQ(host.status(Command::make(0x09).set(10, 0x0F).set(11, 1950)), 0);
  EXPECT_EQ(host.run(Command::make(0x0A).set(10, 0x0F)).cdw0(), 2000u) << "in units of KAS";
  for (unsigned i = 0; i < 5; ++i) {
    pass(1'900'000'000);
    EXPECT_EQ(host.status(Command::make(0x18)), 0);
  }
  pass(1'900'000'000);
  EXPECT_EQ(host.reg32(0x1C), 1u);
  pass(200'000'000);
  EXPECT_EQ(host.reg32(0x1C), 3u) << "CSTS.CFS";
  host.submit(host.admin, Command::make(0x18));
  EXPECT_FALSE(host.poll(host.admin)) << "nothing is processed any more";
  host.disable();
  host.enable();
  EXPECT_EQ(host.reg32(0x1C), 1u);
  EXPECT_EQ(host.run(Command::make(0x0A).set(10, 0x0F)).cdw0(), 0u);
  ASSERT_EQ(log(0x01, 64), 0);
  EXPECT_EQ(host.get<uint16_t>(page + 12) >> 1 & 0x7FF, 0x019) << "Keep Alive Timer Expired";
  EXPECT_EQ(host.get<uint16_t>(page + 8), 0xFFFF) << "of no queue";
  pass(10 * kSecond);
  EXPECT_EQ(host.reg32(0x1C), 1u);
}

TEST_F(MaintenanceTest, SelfTestChecks) {
  EXPECT_EQ(self_test(0), 0x002);
  EXPECT_EQ(self_test(3), 0x002);
  EXPECT_EQ(self_test(0xE), 0x002);
  EXPECT_EQ(self_test(1, 99), 0x00B);
  EXPECT_EQ(self_test(1, 7), 0x002) << "inactive";
  EXPECT_EQ(self_test(0xF), 0) << "nothing to abort";
  ASSERT_EQ(log(0x06, 564), 0);
  EXPECT_EQ(host.get<uint32_t>(page), 0u);
  for (unsigned i = 0; i < 20; ++i) EXPECT_EQ(*host.at(page + 4 + 28 * i), 0x0F);
}

TEST_F(MaintenanceTest, SelfTestRunsInTheBackground) {
  ASSERT_EQ(self_test(1, 1), 0);
  EXPECT_EQ(self_test(2), 0x11D);
  pass(100'000'000);
  ASSERT_EQ(log(0x06, 564), 0);
  EXPECT_EQ(*host.at(page), 1);
  EXPECT_EQ(*host.at(page + 1), 50);
  ASSERT_EQ(host.status(q, read_command(data, 0, 1)), 0) << "I/O goes on";
  pass(100'000'000);
  ASSERT_EQ(log(0x06, 564), 0);
  EXPECT_EQ(*host.at(page), 0);
  EXPECT_EQ(*host.at(page + 4), 0x10) << "short, completed without error";
  EXPECT_EQ(*host.at(page + 6), 1) << "NSID is valid";
  EXPECT_EQ(host.get<uint32_t>(page + 16), 1u);
}

TEST_F(MaintenanceTest, SelfTestResultsNewestFirst) {
  ASSERT_EQ(self_test(2), 0);
  ASSERT_EQ(self_test(0xF), 0);
  ASSERT_EQ(self_test(1, 0), 0);
  host.disable();
  host.enable();
  ASSERT_EQ(self_test(1), 0);
  ASSERT_EQ(host.status(Command::make(0x80, 1)), 0);
  ASSERT_EQ(self_test(2), 0);
  host.disable();
  host.enable();
  ASSERT_EQ(log(0x06, 564), 0);
  EXPECT_EQ(*host.at(page), 2) << "an extended one goes on";
  ASSERT_EQ(sanitize(4), 0);
  pass(kSecond);
  ASSERT_EQ(log(0x06, 564), 0);
  EXPECT_EQ(*host.at(page + 4), 0x29) << "sanitize";
  EXPECT_EQ(*host.at(page + 4 + 28), 0x14) << "format";
  EXPECT_EQ(*host.at(page + 4 + 56), 0x12) << "reset";
  EXPECT_EQ(*host.at(page + 4 + 58), 0) << "no namespace was tested";
  EXPECT_EQ(*host.at(page + 4 + 84), 0x21) << "by command";
  EXPECT_EQ(*host.at(page + 4 + 112), 0x0F);
  for (unsigned i = 0; i < 25; ++i) {
    ASSERT_EQ(self_test(1), 0);
    pass(kSecond);
  }
  ASSERT_EQ(log(0x06, 564), 0);
  for (unsigned i = 0; i < 20; ++i) EXPECT_EQ(*host.at(page + 4 + 28 * i), 0x10);
}

}  // namespace
}  // namespace pynvme::ssd::testing
