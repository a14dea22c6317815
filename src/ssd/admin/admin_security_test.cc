// Security Send and Receive, Directive Send and Receive.
#include "ssd/test_host.h"

namespace pynvme::ssd::testing {
namespace {

class SecurityTest : public ::testing::Test {
 protected:
  uint16_t receive(uint32_t secp, uint32_t spsp, uint32_t bytes) {
    std::memset(host.at(page), 0xEE, 4096);
    return host.status(
        Command::make(0x82).prp(page).set(10, secp << 24 | spsp << 8).set(11, bytes));
  }
  uint16_t directive(uint8_t opcode, uint32_t nsid, uint32_t cdw10, uint32_t cdw11,
                     uint32_t cdw12 = 0) {
    return host.status(
        Command::make(opcode, nsid).prp(page).set(10, cdw10).set(11, cdw11).set(12, cdw12));
  }

  TestHost host;
  uint64_t page = host.page();
};

TEST_F(SecurityTest, ProtocolInformation) {
  ASSERT_EQ(receive(0, 0, 512), 0);
  EXPECT_EQ(*host.at(page + 7), 2) << "length of the list, big-endian";
  EXPECT_EQ(*host.at(page + 8), 0x00);
  EXPECT_EQ(*host.at(page + 9), 0x01);
  EXPECT_EQ(*host.at(page + 511), 0);
  EXPECT_EQ(*host.at(page + 512), 0xEE);
  ASSERT_EQ(receive(0, 1, 4), 0);
  EXPECT_EQ(host.get<uint32_t>(page), 0u) << "no certificate";
  EXPECT_EQ(receive(0, 9, 512), 0x002);
}

TEST_F(SecurityTest, Level0Discovery) {
  ASSERT_EQ(receive(1, 1, 2048), 0);
  EXPECT_EQ(*host.at(page + 3), 60) << "length of what follows";
  EXPECT_EQ(*host.at(page + 7), 1) << "revision";
  EXPECT_EQ(*host.at(page + 49), 0x01) << "TPer feature";
  EXPECT_EQ(*host.at(page + 50), 0x10) << "version 1";
  EXPECT_EQ(*host.at(page + 51), 12) << "length";
  // As much as was allocated.
  ASSERT_EQ(receive(1, 1, 8), 0);
  EXPECT_EQ(*host.at(page + 7), 1);
  EXPECT_EQ(*host.at(page + 8), 0xEE);
}

TEST_F(SecurityTest, Checks) {
  EXPECT_EQ(receive(1, 2, 512), 0x002);
  EXPECT_EQ(receive(2, 1, 512), 0x002);
  EXPECT_EQ(receive(0xEA, 1, 512), 0x002) << "there is no RPMB";
  EXPECT_EQ(receive(1, 1, 1 << 20), 0x002) << "beyond MDTS";
  EXPECT_EQ(host.status(Command::make(0x81).prp(page).set(10, 1 << 24 | 1 << 8).set(11, 512)),
            0x002);
  EXPECT_EQ(host.status(Command::make(0x81).prp(page).set(11, 512)), 0x002);
}

TEST_F(SecurityTest, IdentifyDirective) {
  ASSERT_EQ(directive(0x1A, 1, 1023, 0x0001), 0);
  EXPECT_EQ(*host.at(page), 1) << "supported: Identify";
  EXPECT_EQ(*host.at(page + 32), 1) << "enabled: Identify";
  EXPECT_EQ(directive(0x1A, 1, 1023, 0x0002), 0x002) << "no such operation";
  EXPECT_EQ(directive(0x1A, 1, 1023, 0x0101), 0x002) << "no streams";
  EXPECT_EQ(directive(0x1A, 99, 1023, 0x0001), 0x00B);
  EXPECT_EQ(directive(0x19, 1, 0, 0x0001, 1), 0x002) << "Identify is always enabled";
  EXPECT_EQ(directive(0x19, 1, 0, 0x0001, 0x0101), 0x002) << "no streams to enable";
  EXPECT_EQ(directive(0x19, 99, 0, 0x0001), 0x00B);
}

}  // namespace
}  // namespace pynvme::ssd::testing
