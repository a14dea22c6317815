// Get Log Page: contents, offsets, checks; the error log and SMART filled by what really happens.
#include <sys/resource.h>

#include <algorithm>
#include <vector>

#include "ssd/test_host.h"

namespace pynvme::ssd::testing {
namespace {

class LogsTest : public ::testing::Test {
 protected:
  static Command command(uint32_t lid, uint32_t bytes, uint32_t nsid = 0xFFFFFFFF) {
    const uint32_t numd = bytes / 4 - 1;
    return Command::make(0x02, nsid).set(10, (numd & 0xFFFF) << 16 | lid).set(11, numd >> 16);
  }
  uint16_t log(uint32_t lid, uint32_t bytes = 512) {
    return host.status(command(lid, bytes).prp(page, page + 4096));
  }
  template <typename T>
  T field(uint32_t offset) {
    return host.get<T>(page + offset);
  }

  TestHost host;
  uint64_t page = host.page(2);
};

TEST_F(LogsTest, Checks) {
  for (const uint32_t lid : {0x00u, 0x09u, 0x12u, 0x80u, 0xC0u}) EXPECT_EQ(log(lid), 0x109) << lid;
  for (const uint32_t lid : {1u, 2u, 3u, 4u, 5u, 6u, 0x81u}) EXPECT_EQ(log(lid), 0) << lid;
  EXPECT_EQ(host.status(command(2, 512).prp(page).set(12, 2)), 0x002) << "offset not a dword's";
  EXPECT_EQ(host.status(command(2, 512).prp(page).set(12, 516)), 0x002) << "beyond the page";
  EXPECT_EQ(host.status(command(2, 512).prp(page).set(13, 1)), 0x002);
  EXPECT_EQ(host.status(command(2, 512).prp(page).set(12, 512)), 0) << "at its end";
  EXPECT_EQ(host.status(command(2, 132 * 1024).prp(page)), 0x002) << "beyond MDTS";
  EXPECT_EQ(host.status(command(2, 512, 1).prp(page)), 0x002) << "SMART is not per namespace";
  EXPECT_EQ(host.status(command(2, 512, 0).prp(page)), 0);
  EXPECT_EQ(host.status(command(2, 512).prp(0x5000)), 0x004);
}

TEST_F(LogsTest, OffsetAndLength) {
  ASSERT_EQ(log(3), 0);
  const uint64_t revision = field<uint64_t>(8);
  std::memset(host.at(page), 0xEE, 64);
  EXPECT_EQ(host.status(command(3, 12).prp(page).set(12, 8)), 0);
  EXPECT_EQ(field<uint64_t>(0), revision);
  EXPECT_EQ(field<uint32_t>(8), 0u);
  EXPECT_EQ(field<uint32_t>(12), 0xEEEEEEEE) << "not a byte more";
  EXPECT_EQ(host.status(command(3, 1024).prp(page)), 0);
  EXPECT_EQ(field<uint64_t>(512), 0u) << "zeroes beyond the page";
}

TEST_F(LogsTest, TheHostChoosesTheLengthButNotTheDrivesMemory) {
  Config config;
  config.mdts_bytes = 0;
  TestHost unlimited{config};
  const uint64_t data = unlimited.page();
  rusage before{}, after{};
  getrusage(RUSAGE_SELF, &before);
  // 2 GiB, at an address whose second page is not there.
  Command all = Command::make(0x02, 0xFFFFFFFF).set(10, 0xFFFF << 16 | 2).set(11, 0x1FFF);
  EXPECT_EQ(unlimited.status(all.prp(data, 0x5000)), 0x004);
  getrusage(RUSAGE_SELF, &after);
  EXPECT_LT(after.ru_maxrss - before.ru_maxrss, 64 << 10) << "KiB";
}

TEST_F(LogsTest, ErrorInformation) {
  ASSERT_EQ(log(1, 128), 0);
  EXPECT_EQ(field<uint64_t>(0), 0u);
  HostQueue q = host.create_queue(1);
  Completion c = host.run(q, read_command(page, 0xFFFFFFFFFF, 1));
  EXPECT_EQ(c.status(), 0x080);
  EXPECT_TRUE(c.more());
  EXPECT_TRUE(c.dnr());
  host.run(Command::make(0xFF).set(1, 7));
  ASSERT_EQ(log(1, 192), 0);
  EXPECT_EQ(field<uint64_t>(0), 2u) << "the newest first";
  EXPECT_EQ(field<uint16_t>(8), 0) << "admin queue";
  EXPECT_EQ(field<uint16_t>(12) >> 1 & 0x7FF, 0x001);
  EXPECT_EQ(field<uint32_t>(24), 7u) << "NSID";
  EXPECT_EQ(field<uint64_t>(64), 1u);
  EXPECT_EQ(field<uint16_t>(72), 1);
  EXPECT_EQ(field<uint16_t>(74), c.cid());
  EXPECT_EQ(field<uint16_t>(76) >> 1 & 0x7FF, 0x080);
  EXPECT_EQ(field<uint16_t>(78), 40);
  EXPECT_EQ(field<uint64_t>(80), 0xFFFFFFFFFFu);
  EXPECT_EQ(field<uint32_t>(88), 1u);
  EXPECT_EQ(field<uint64_t>(128), 0u);
  ASSERT_EQ(log(2), 0);
  EXPECT_EQ(field<uint64_t>(176), 2u) << "SMART counts them";
}

TEST_F(LogsTest, ErrorLogKeepsTheLatest) {
  for (int i = 0; i < 70; ++i) host.run(Command::make(0xFF));
  const uint64_t big = host.page(2);
  EXPECT_EQ(host.status(command(1, 4096).prp(big)), 0);
  EXPECT_EQ(host.get<uint64_t>(big), 70u);
  EXPECT_EQ(host.get<uint64_t>(big + 63 * 64), 7u);
}

TEST_F(LogsTest, SmartCounts) {
  HostQueue q = host.create_queue(1);
  const uint64_t data = host.page();
  for (int i = 0; i < 130; ++i) ASSERT_EQ(host.status(q, write_command(data, 8, 8)), 0);
  for (int i = 0; i < 2; ++i) ASSERT_EQ(host.status(q, read_command(data, 8, 8)), 0);
  ASSERT_EQ(log(2), 0);
  EXPECT_EQ(field<uint8_t>(0), 0);
  EXPECT_EQ(field<uint8_t>(3), 100) << "spare";
  EXPECT_GT(field<uint16_t>(1), 273) << "Kelvin";
  EXPECT_EQ(field<uint16_t>(200), field<uint16_t>(1));
  EXPECT_EQ(field<uint64_t>(32), 1u) << "data units read, rounded up";
  EXPECT_EQ(field<uint64_t>(48), 2u) << "1040 sectors written";
  EXPECT_EQ(field<uint64_t>(64), 2u);
  EXPECT_EQ(field<uint64_t>(80), 130u);
  EXPECT_EQ(field<uint64_t>(112), 1u) << "power cycles";
  EXPECT_EQ(field<uint64_t>(144), 0u) << "unsafe shutdowns";
  EXPECT_EQ(field<uint64_t>(160), 0u);
  EXPECT_EQ(host.status(q, Command::make(0x04, 1).slba(8).nlb(1)), 0);
  EXPECT_EQ(host.status(q, read_command(data, 8, 1)), 0x281);
  ASSERT_EQ(log(2), 0);
  EXPECT_EQ(field<uint64_t>(160), 1u) << "media errors";
}

TEST_F(LogsTest, TemperatureFollowsTheLoad) {
  HostQueue q = host.create_queue(1);
  const uint64_t data = host.page(32);
  const uint64_t list = host.page();
  for (uint64_t i = 0; i < 31; ++i) host.put<uint64_t>(list + 8 * i, data + 4096 * (i + 1));
  ASSERT_EQ(log(2), 0);
  const uint16_t idle = field<uint16_t>(1);
  // 20 seconds of 131 MB/s.
  for (int second = 0; second < 20; ++second) {
    for (int i = 0; i < 1000; ++i) ASSERT_EQ(host.status(q, read_command(data, 0, 256, list)), 0);
    host.clock.advance(1'000'000'000);
  }
  ASSERT_EQ(log(2), 0);
  EXPECT_GT(field<uint16_t>(1), idle);
}

TEST_F(LogsTest, CommandsSupportedAndEffects) {
  ASSERT_EQ(log(5, 4096), 0);
  const std::vector<uint32_t> admin = {0x00, 0x01, 0x02, 0x04, 0x05, 0x06, 0x08, 0x09, 0x0A,
                                       0x0C, 0x0D, 0x10, 0x11, 0x14, 0x15, 0x18, 0x19, 0x1A,
                                       0x1D, 0x1E, 0x7C, 0x80, 0x81, 0x82, 0x84, 0x86};
  const std::vector<uint32_t> io = {0x00, 0x01, 0x02, 0x04, 0x05, 0x08, 0x09, 0x0C};
  HostQueue q = host.create_queue(1);
  for (uint32_t opcode = 0; opcode < 256; ++opcode) {
    const bool is_admin = std::find(admin.begin(), admin.end(), opcode) != admin.end();
    const bool is_io = std::find(io.begin(), io.end(), opcode) != io.end();
    EXPECT_EQ(field<uint32_t>(opcode * 4) & 1, is_admin ? 1u : 0u) << opcode;
    EXPECT_EQ(field<uint32_t>(1024 + opcode * 4) & 1, is_io ? 1u : 0u) << opcode;
    // What the log does not name is an invalid opcode, and the other way round.
    if (!is_admin) {
      EXPECT_EQ(host.status(Command::make(static_cast<uint8_t>(opcode))), 0x001);
    }
    EXPECT_EQ(host.status(q, Command::make(static_cast<uint8_t>(opcode))) == 0x001, !is_io);
  }
}

TEST_F(LogsTest, OfVersion2) {
  Config config = TestHost::quick();
  config.version = 0x20000;
  TestHost two(config);
  const uint64_t to = two.page();
  EXPECT_EQ(two.status(command(0, 1024).prp(to)), 0);
  for (uint32_t lid = 0; lid < 256; ++lid) {
    const bool there = lid <= 8 || lid == 0x0D || lid == 0x12 || lid == 0x13 || lid == 0x81;
    EXPECT_EQ(two.get<uint32_t>(to + 4 * lid) & 1, there ? 1u : 0u) << lid;
  }
  EXPECT_EQ(two.status(command(0x12, 1024).prp(to)), 0);
  EXPECT_EQ(two.get<uint32_t>(to + 4 * 7), 1u | 1u << 21);
  EXPECT_EQ(two.get<uint32_t>(to + 4 * 5), 1u | 1u << 20);
  EXPECT_EQ(two.get<uint32_t>(to + 4 * 0x0D), 0u) << "no Host Memory Buffer";
  EXPECT_EQ(two.status(command(0x13, 1024).prp(to)), 0);
}

}  // namespace
}  // namespace pynvme::ssd::testing
