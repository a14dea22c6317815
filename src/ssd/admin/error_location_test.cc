// The Error Information log after commands that fail: whose error, where in the command, and why.
#include "ssd/test_host.h"

namespace pynvme::ssd::testing {
namespace {

class ErrorLocationTest : public ::testing::Test {
 protected:
  // The newest entry's Parameter Error Location, after a command that has to fail with `status`.
  uint32_t location(HostQueue& queue, const Command& command, uint16_t status) {
    const Completion done = host.run(queue, command);
    EXPECT_EQ(done.status(), status);
    EXPECT_TRUE(done.more());
    EXPECT_EQ(host.status(Command::make(0x02, 0xFFFFFFFF).prp(log).set(10, 15 << 16 | 1)), 0);
    EXPECT_EQ(host.get<uint16_t>(log + 8), queue.sqid);
    EXPECT_EQ(host.get<uint16_t>(log + 10), done.cid());
    EXPECT_EQ(host.get<uint16_t>(log + 12) >> 1 & 0x7FF, status);
    EXPECT_EQ(host.get<uint32_t>(log + 24), command.dw[1]) << "NSID";
    return host.get<uint16_t>(log + 14);
  }
  uint32_t location(const Command& command, uint16_t status) {
    return location(host.admin, command, status);
  }

  TestHost host;
  uint64_t log = host.page();
  uint64_t page = host.page();
  HostQueue q = host.create_queue(1);
};

constexpr uint32_t at(uint32_t byte, uint32_t bit = 0) { return bit << 8 | byte; }

TEST_F(ErrorLocationTest, AdminCommands) {
  EXPECT_EQ(location(Command::make(0xFF), 0x001), at(0));
  EXPECT_EQ(location(Command::make(0x06).fuse(1), 0x002), at(1));
  Command sgl = Command::make(0x06);
  sgl.dw[0] |= 1 << 14;
  EXPECT_EQ(location(sgl, 0x002), at(1, 6));
  EXPECT_EQ(location(Command::make(0x06, 99).prp(page), 0x00B), at(4));
  EXPECT_EQ(location(Command::make(0x06).set(10, 0xEE).prp(page), 0x002), at(40));
  EXPECT_EQ(location(Command::make(0x02).set(10, 0xEE).prp(page), 0x109), at(40));
  EXPECT_EQ(location(Command::make(0x02).set(10, 2).set(12, 3).prp(page), 0x002), at(48));
  EXPECT_EQ(location(Command::make(0x02).set(10, 2).set(11, 9).prp(page), 0x002), at(42));
  EXPECT_EQ(location(Command::make(0x02).set(10, 126 << 16 | 7).prp(page), 0x002), at(42))
      << "not a whole block of telemetry";
  EXPECT_EQ(location(Command::make(0x0A).set(10, 0xEE), 0x002), at(40)) << "FID";
  EXPECT_EQ(location(Command::make(0x0A).set(10, 7 << 8 | 1), 0x002), at(41)) << "SEL";
  EXPECT_EQ(location(Command::make(0x09).set(10, 2).set(11, 31), 0x002), at(44)) << "PS";
  EXPECT_EQ(location(Command::make(0x09).set(10, 1u << 31 | 7), 0x10D), at(43, 7)) << "SV";
  EXPECT_EQ(location(Command::make(0x80, 1).set(10, 15), 0x10A), at(40)) << "LBAFL";
  EXPECT_EQ(location(Command::make(0x80, 1).set(10, 3 << 9), 0x002), at(41, 1)) << "SES";
  EXPECT_EQ(location(Command::make(0x1A, 1).set(11, 1 << 8 | 1).prp(page), 0x002), at(45))
      << "directive type";
  EXPECT_EQ(location(Command::make(0x80, 1).set(10, 4 << 5), 0x002), at(40, 5)) << "PI";
  EXPECT_EQ(location(Command::make(0x80, 7), 0x002), at(4)) << "inactive";
  EXPECT_EQ(location(Command::make(0x0A, 7).set(10, 5), 0x002), at(4)) << "of an inactive one";
  EXPECT_EQ(location(Command::make(0x0D).set(10, 2), 0x002), at(40)) << "SEL";
  EXPECT_EQ(location(Command::make(0x0D, 5).prp(page), 0x002), at(4)) << "create with an NSID";
  EXPECT_EQ(location(Command::make(0x15, 5).prp(page), 0x002), at(4)) << "not allocated";
  EXPECT_EQ(location(Command::make(0x86, 1).prp(page), 0x002), at(55)) << "ATYPE";
  EXPECT_EQ(location(Command::make(0x05).set(10, 31 << 16 | 99).set(11, 1).prp(page), 0x101),
            at(40));
  EXPECT_EQ(location(Command::make(0x05).set(10, 2).set(11, 1).prp(page), 0x102), at(42));
  EXPECT_EQ(
      location(Command::make(0x01).set(10, 31 << 16 | 2).set(11, 5 << 16 | 1).prp(page), 0x100),
      at(46));
}

TEST_F(ErrorLocationTest, IoCommands) {
  EXPECT_EQ(location(q, read_command(page, 1 << 20, 1), 0x080), at(40));
  EXPECT_EQ(host.get<uint64_t>(log + 16), 1u << 20) << "LBA";
  Command elsewhere = read_command(page, 5, 1);
  elsewhere.dw[1] = 99;
  EXPECT_EQ(location(q, elsewhere, 0x00B), at(4));
  elsewhere.dw[1] = 7;
  EXPECT_EQ(location(q, elsewhere, 0x002), at(4)) << "inactive";
  elsewhere.dw[1] = 0xFFFFFFFF;
  EXPECT_EQ(location(q, elsewhere, 0x002), at(4)) << "broadcast";
  EXPECT_EQ(location(q, read_command(page, 5, 1).fuse(1), 0x002), at(1)) << "cannot be fused";
  EXPECT_EQ(location(q, Command::make(0x55, 1), 0x001), at(0));
  EXPECT_EQ(host.get<uint64_t>(log + 16), 0u) << "no LBA in it";
  EXPECT_EQ(location(q, read_command(page, 0, 2048), 0x002), at(48)) << "beyond MDTS";
  EXPECT_EQ(location(q, read_command(page + 2, 0, 1), 0x013), at(24));
  EXPECT_EQ(location(q, read_command(page, 0, 16, page + 8), 0x013), at(32));
  ASSERT_EQ(host.status(q, Command::make(0x04, 1).slba(77).nlb(1)), 0);
  EXPECT_EQ(location(q, read_command(page, 70, 16, 0x1'0000'0000 + (8 << 20)), 0x281), 0xFFFFu)
      << "the media are to blame";
  EXPECT_EQ(host.get<uint64_t>(log + 16), 77u);
  EXPECT_EQ(location(q, read_command(page, 1 << 20, 1), 0x080), at(40));
  EXPECT_EQ(host.get<uint64_t>(log + 16), 1u << 20);
}

}  // namespace
}  // namespace pynvme::ssd::testing
