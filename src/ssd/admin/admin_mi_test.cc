// NVMe-MI commands through the admin queue: data, statuses, and what is not for this way.
#include "ssd/test_host.h"

namespace pynvme::ssd::testing {
namespace {

class MiTest : public ::testing::Test {
 protected:
  static Command command(uint8_t nvme_opcode, uint32_t opcode, uint32_t dword0 = 0,
                         uint32_t dword1 = 0, uint32_t type = 1) {
    return Command::make(nvme_opcode)
        .set(10, 4 | type << 11)
        .set(11, opcode)
        .set(12, dword0)
        .set(13, dword1);
  }
  // CDW0: tunneled status 7:0, response above.
  uint32_t receive(uint32_t opcode, uint32_t dword0 = 0, uint32_t dword1 = 0) {
    std::memset(host.at(page), 0xEE, 4096);
    const Completion done = host.run(command(0x1E, opcode, dword0, dword1).prp(page));
    EXPECT_EQ(done.status(), 0);
    return done.cdw0();
  }
  uint32_t send(uint32_t opcode, uint32_t dword0 = 0, uint32_t dword1 = 0) {
    const Completion done = host.run(command(0x1D, opcode, dword0, dword1).prp(page));
    EXPECT_EQ(done.status(), 0);
    return done.cdw0();
  }

  TestHost host;
  uint64_t page = host.page();
};

TEST_F(MiTest, DataStructures) {
  EXPECT_EQ(receive(0), 32u << 8) << "subsystem";
  EXPECT_EQ(*host.at(page), 0) << "one port";
  EXPECT_EQ(*host.at(page + 1), 1) << "NVMe-MI 1.2";
  EXPECT_EQ(*host.at(page + 2), 2);
  EXPECT_EQ(receive(0, 1u << 24), 32u << 8) << "port";
  EXPECT_EQ(*host.at(page), 1) << "PCIe";
  EXPECT_EQ(receive(0, 1u << 24 | 1u << 16) & 0xFF, 0x04u) << "no such port";
  EXPECT_EQ(receive(0, 2u << 24), 4u << 8) << "controller list";
  EXPECT_EQ(host.get<uint32_t>(page), 1u | 1u << 16);
  EXPECT_EQ(receive(0, 2u << 24 | 2), 2u << 8) << "from 2 on there is none";
  EXPECT_EQ(receive(0, 3u << 24 | 1), 32u << 8) << "controller";
  EXPECT_EQ(host.get<uint16_t>(page + 8), static_cast<uint16_t>(host.device.config_read(0, 2)));
  EXPECT_EQ(host.get<uint16_t>(page + 10), static_cast<uint16_t>(host.device.config_read(2, 2)));
  EXPECT_EQ(receive(0, 3u << 24 | 2) & 0xFF, 0x04u);
  EXPECT_EQ(receive(0, 9u << 24), 0x04u | 11u << 16) << "DTYP";
}

TEST_F(MiTest, Health) {
  EXPECT_EQ(receive(1), 0u);
  EXPECT_EQ(*host.at(page), 0x38) << "functional, no reset required, link active";
  EXPECT_EQ(*host.at(page + 1), 0xFF) << "no warning";
  EXPECT_EQ(*host.at(page + 2), 35) << "Celsius";
  EXPECT_EQ(host.get<uint16_t>(page + 4), 1) << "ready";
  EXPECT_EQ(receive(2, 1u << 31), 1u << 24) << "one entry";
  EXPECT_EQ(host.get<uint16_t>(page), 1) << "controller";
  EXPECT_EQ(host.get<uint16_t>(page + 2), 1) << "RDY";
  EXPECT_EQ(host.get<uint16_t>(page + 4), 308);
  EXPECT_EQ(*host.at(page + 7), 100) << "spare";
  EXPECT_EQ(receive(2, 1u << 31 | 2), 0u) << "none from 2 on";
}

TEST_F(MiTest, Configuration) {
  EXPECT_EQ(receive(4, 3), 64u << 8);
  EXPECT_EQ(send(3, 3, 128), 0u);
  EXPECT_EQ(receive(4, 3), 128u << 8);
  EXPECT_EQ(send(3, 3, 63) & 0xFF, 0x04u);
  EXPECT_EQ(send(3, 3, 251) & 0xFF, 0x04u);
  EXPECT_EQ(receive(4, 3 | 1u << 24) & 0xFF, 0x04u) << "no such port";
  EXPECT_EQ(receive(4, 1) & 0xFF, 0x04u) << "no SMBus";
  EXPECT_EQ(send(3, 2), 0u);
}

TEST_F(MiTest, VitalProductData) {
  EXPECT_EQ(receive(5, 0, 256), 0u);
  EXPECT_EQ(*host.at(page), 0x01) << "format version";
  for (const auto& [from, to] : {std::pair{0u, 8u}, std::pair{8u, 8u + 8u * *host.at(page + 9)}}) {
    uint8_t sum = 0;
    for (unsigned i = from; i < to; ++i) sum = static_cast<uint8_t>(sum + *host.at(page + i));
    EXPECT_EQ(sum, 0) << "checksum from " << from;
  }
  EXPECT_EQ(*host.at(page + 256), 0xEE);
  std::memcpy(host.at(page), "wxyz", 4);
  EXPECT_EQ(send(6, 100, 4), 0u);
  EXPECT_EQ(receive(5, 99, 6), 0u);
  EXPECT_EQ(std::memcmp(host.at(page + 1), "wxyz", 4), 0);
  EXPECT_EQ(receive(5, 257, 1), 0x04u | 8u << 16);
  EXPECT_EQ(receive(5, 250, 7), 0x04u | 12u << 16);
}

TEST_F(MiTest, WhatIsRefused) {
  EXPECT_EQ(receive(7), 0x03u) << "Reset";
  EXPECT_EQ(send(7), 0x03u);
  EXPECT_EQ(send(0x0C), 0x03u) << "Shutdown";
  EXPECT_EQ(receive(0xFF), 0x03u);
  EXPECT_EQ(send(0), 0x03u) << "the wrong way";
  EXPECT_EQ(receive(3), 0x03u);
  EXPECT_EQ(host.status(command(0x1E, 0, 0, 0, 2)), 0x002) << "no MI message";
  EXPECT_EQ(host.status(Command::make(0x1D)), 0x002);
}

}  // namespace
}  // namespace pynvme::ssd::testing
