// Format NVM: formats, erasing, checks.
#include "ssd/test_host.h"

namespace pynvme::ssd::testing {
namespace {

class FormatTest : public ::testing::Test {
 protected:
  static Config two() {
    Config config = TestHost::quick();
    config.namespaces = 2;
    return config;
  }
  uint16_t format(uint32_t cdw10, uint32_t nsid = 1) {
    return host.status(Command::make(0x80, nsid).set(10, cdw10));
  }
  uint64_t nsze(uint32_t nsid) {
    EXPECT_EQ(host.status(Command::make(0x06, nsid).prp(page)), 0);
    return host.get<uint64_t>(page);
  }
  uint16_t write(uint32_t nsid, uint8_t value) {
    std::memset(host.at(data), value, 4096);
    Command c = write_command(data, 0, 1);
    c.dw[1] = nsid;
    return host.status(q, c);
  }
  int read(uint32_t nsid) {
    std::memset(host.at(data), 0xEE, 4096);
    Command c = read_command(data, 0, 1);
    c.dw[1] = nsid;
    EXPECT_EQ(host.status(q, c), 0);
    return *host.at(data);
  }

  TestHost host{two()};
  uint64_t page = host.page();
  uint64_t data = host.page();
  HostQueue q = host.create_queue(1);
};

TEST_F(FormatTest, Checks) {
  EXPECT_EQ(format(0, 0), 0x00B);
  EXPECT_EQ(format(0, 99), 0x00B);
  EXPECT_EQ(format(0, 3), 0x002) << "inactive";
  EXPECT_EQ(format(2), 0x10A) << "no such format";
  EXPECT_EQ(format(15), 0x10A);
  EXPECT_EQ(format(1 << 5), 0x10A) << "protection information";
  EXPECT_EQ(format(3 << 9), 0x002) << "SES reserved";
  EXPECT_EQ(format(7 << 9), 0x002);
}

TEST_F(FormatTest, ChangesTheFormatOfOneNamespace) {
  ASSERT_EQ(write(1, 7), 0);
  ASSERT_EQ(write(2, 8), 0);
  EXPECT_EQ(nsze(1), (32u << 20) / 512);
  EXPECT_EQ(format(1), 0);
  EXPECT_EQ(nsze(1), (32u << 20) / 4096);
  EXPECT_EQ(host.get<uint8_t>(page + 26), 1) << "FLBAS";
  EXPECT_EQ(nsze(2), (32u << 20) / 512);
  EXPECT_EQ(read(1), 0);
  EXPECT_EQ(read(2), 8);
  Command past = read_command(data, 8192, 1);
  EXPECT_EQ(host.status(q, past), 0x080);
  EXPECT_EQ(format(0), 0);
  EXPECT_EQ(host.status(q, past), 0);
}

TEST_F(FormatTest, ErasesInEveryWay) {
  for (const uint32_t ses : {0u, 1u, 2u}) {
    ASSERT_EQ(write(1, 7), 0);
    EXPECT_EQ(format(ses << 9), 0);
    EXPECT_EQ(read(1), 0);
    EXPECT_EQ(nsze(1), (32u << 20) / 512);
    EXPECT_EQ(host.get<uint64_t>(page + 16), 0u) << "NUSE";
  }
}

TEST_F(FormatTest, AllNamespaces) {
  ASSERT_EQ(write(1, 7), 0);
  ASSERT_EQ(write(2, 8), 0);
  EXPECT_EQ(format(1, 0xFFFFFFFF), 0);
  EXPECT_EQ(nsze(1), (32u << 20) / 4096);
  EXPECT_EQ(nsze(2), (32u << 20) / 4096);
  EXPECT_EQ(read(1), 0);
  EXPECT_EQ(read(2), 0);
}

}  // namespace
}  // namespace pynvme::ssd::testing
