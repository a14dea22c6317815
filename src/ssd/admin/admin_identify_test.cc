// Identify: the structures byte by byte where it matters, and the checks.
#include <string>

#include "ssd/test_host.h"

namespace pynvme::ssd::testing {
namespace {

class IdentifyTest : public ::testing::Test {
 protected:
  explicit IdentifyTest(const Config& config = two_namespaces())
      : host(config), page(host.page(2)) {}
  static Config two_namespaces() {
    Config config = TestHost::quick();
    config.namespaces = 2;
    return config;
  }
  uint16_t identify(uint32_t cns, uint32_t nsid, uint32_t cdw11 = 0) {
    std::memset(host.at(page), 0xEE, 8192);
    return host.status(Command::make(0x06, nsid).prp(page).set(10, cns).set(11, cdw11));
  }
  template <typename T>
  T field(uint32_t offset) {
    return host.get<T>(page + offset);
  }
  std::string text(uint32_t offset, uint32_t bytes) {
    return std::string(reinterpret_cast<char*>(host.at(page + offset)), bytes);
  }

  TestHost host;
  uint64_t page;
};

TEST_F(IdentifyTest, Controller) {
  ASSERT_EQ(identify(1, 0), 0);
  EXPECT_EQ(field<uint16_t>(0), host.device.config_read(0, 2)) << "VID";
  EXPECT_EQ(text(4, 20), "PYNVME0001          ");
  EXPECT_EQ(text(24, 40), "pynvme embedded SSD                     ");
  EXPECT_EQ(text(64, 8), "1.0     ");
  EXPECT_EQ(field<uint8_t>(77), 5) << "MDTS: 128 KiB";
  EXPECT_EQ(field<uint32_t>(80), 0x00010400u) << "VER";
  EXPECT_EQ(field<uint32_t>(92), 0x300u)
      << "OAES, whose bit 10 is reserved: LPA tells of telemetry";
  EXPECT_EQ(field<uint8_t>(111), 1) << "CNTRLTYPE";
  EXPECT_EQ(field<uint16_t>(256), 0x037F)
      << "OACS: security, format, firmware, namespace management, self-test, directives, MI, "
         "doorbell buffer, Get LBA Status";
  EXPECT_EQ(field<uint8_t>(258), 7) << "ACL";
  EXPECT_EQ(field<uint8_t>(259), 3) << "AERL";
  EXPECT_EQ(field<uint8_t>(260), 0x16) << "FRMW";
  EXPECT_EQ(field<uint8_t>(261), 0x1E) << "LPA";
  EXPECT_EQ(field<uint8_t>(262), 63) << "ELPE";
  EXPECT_EQ(field<uint8_t>(263), 4) << "NPSS";
  EXPECT_EQ(field<uint8_t>(265), 1) << "APSTA";
  EXPECT_EQ(field<uint16_t>(266), 343) << "WCTEMP";
  EXPECT_EQ(field<uint64_t>(280), 64u << 20) << "TNVMCAP";
  EXPECT_EQ(field<uint8_t>(319), 0xFF) << "FWUG";
  EXPECT_EQ(field<uint8_t>(512), 0x66) << "SQES";
  EXPECT_EQ(field<uint8_t>(513), 0x44) << "CQES";
  EXPECT_EQ(field<uint64_t>(296), 0u) << "UNVMCAP";
  EXPECT_EQ(field<uint32_t>(516), 17u) << "NN";
  EXPECT_EQ(field<uint16_t>(520), 0x00DF) << "ONCS";
  EXPECT_EQ(field<uint16_t>(522), 1) << "FUSES";
  EXPECT_EQ(field<uint8_t>(525), 0x7) << "VWC, and Flush to all namespaces";
  EXPECT_EQ(field<uint32_t>(536), 0u) << "SGLS";
  EXPECT_EQ(text(768, 28), "nqn.2014-08.org.nvmexpress:1");
  EXPECT_GT(field<uint16_t>(2048), field<uint16_t>(2080)) << "power states are in order";
  EXPECT_EQ(field<uint8_t>(2048 + 3 * 32 + 3), 2) << "state 3 is non-operational";
  EXPECT_EQ(field<uint8_t>(4096), 0xEE) << "not a byte more";
}

TEST_F(IdentifyTest, Namespace) {
  ASSERT_EQ(identify(0, 2), 0);
  const uint64_t lbas = (32 << 20) / 512;
  EXPECT_EQ(field<uint64_t>(0), lbas);
  EXPECT_EQ(field<uint64_t>(8), lbas);
  EXPECT_EQ(field<uint64_t>(16), 0u) << "NUSE";
  EXPECT_EQ(field<uint8_t>(24), 0x14) << "NSFEAT";
  EXPECT_EQ(field<uint8_t>(25), 1) << "NLBAF";
  EXPECT_EQ(field<uint8_t>(26), 0) << "FLBAS";
  EXPECT_EQ(field<uint8_t>(33), 0x09) << "DLFEAT";
  EXPECT_EQ(field<uint64_t>(48), 32u << 20);
  EXPECT_EQ(field<uint32_t>(128), 0x01090000u) << "512 bytes";
  EXPECT_EQ(field<uint32_t>(132), 0x000C0000u) << "4096 bytes, the best";
  const std::string other_nguid = text(104, 16);
  const std::string other_eui = text(120, 8);
  ASSERT_EQ(identify(0, 1), 0);
  EXPECT_NE(text(104, 16), other_nguid);
  EXPECT_NE(text(120, 8), other_eui);
  EXPECT_NE(text(120, 8), std::string(8, '\0'));
}

TEST_F(IdentifyTest, NamespaceChecks) {
  for (const uint32_t cns : {0x00u, 0x03u, 0x11u, 0x12u}) {
    EXPECT_EQ(identify(cns, 0), 0x00B) << cns;
    EXPECT_EQ(identify(cns, 18), 0x00B) << cns;
    EXPECT_EQ(identify(cns, 0xFFFFFFFE), 0x00B) << cns;
    EXPECT_EQ(identify(cns, 1), 0x000) << cns;
  }
  for (const uint32_t cns : {0x00u, 0x11u}) {
    EXPECT_EQ(identify(cns, 3), 0x000) << "inactive";
    EXPECT_EQ(text(0, 4096), std::string(4096, '\0'));
  }
  for (const uint32_t cns : {0x03u, 0x12u}) EXPECT_EQ(identify(cns, 3), 0x002) << cns;
  EXPECT_EQ(identify(0x03, 0xFFFFFFFF), 0x00B);
  EXPECT_EQ(identify(0x11, 0xFFFFFFFF), 0x00B);
  EXPECT_EQ(identify(0x12, 0xFFFFFFFF), 0x002);
}

TEST_F(IdentifyTest, WhatNamespacesHaveInCommon) {
  ASSERT_EQ(identify(0x00, 0xFFFFFFFF), 0);
  EXPECT_EQ(text(0, 24), std::string(24, '\0')) << "NSZE, NCAP, NUSE";
  EXPECT_EQ(field<uint8_t>(25), 1) << "NLBAF";
  EXPECT_EQ(field<uint8_t>(33), 0x09) << "DLFEAT";
  EXPECT_EQ(field<uint32_t>(132), 0x000C0000u);
  EXPECT_EQ(text(104, 24), std::string(24, '\0')) << "NGUID, EUI64";
}

TEST_F(IdentifyTest, NamespaceLists) {
  for (const uint32_t cns : {0x02u, 0x10u}) {
    ASSERT_EQ(identify(cns, 0), 0);
    EXPECT_EQ(field<uint32_t>(0), 1u);
    EXPECT_EQ(field<uint32_t>(4), 2u);
    EXPECT_EQ(field<uint32_t>(8), 0u);
    ASSERT_EQ(identify(cns, 1), 0);
    EXPECT_EQ(field<uint32_t>(0), 2u);
    EXPECT_EQ(field<uint32_t>(4), 0u);
    ASSERT_EQ(identify(cns, 2), 0);
    EXPECT_EQ(field<uint32_t>(0), 0u);
    EXPECT_EQ(identify(cns, 0xFFFFFFFE), 0x00B);
    EXPECT_EQ(identify(cns, 0xFFFFFFFF), 0x00B);
  }
}

TEST_F(IdentifyTest, Descriptors) {
  ASSERT_EQ(identify(0, 1), 0);
  const std::string nguid = text(104, 16);
  const std::string eui = text(120, 8);
  ASSERT_EQ(identify(3, 1), 0);
  EXPECT_EQ(field<uint32_t>(0), 0x0801u) << "EUI-64";
  EXPECT_EQ(text(4, 8), eui);
  EXPECT_EQ(field<uint32_t>(12), 0x1002u) << "NGUID";
  EXPECT_EQ(text(16, 16), nguid);
  EXPECT_EQ(field<uint32_t>(32), 0u);
}

TEST_F(IdentifyTest, ControllerLists) {
  for (const uint32_t cns : {0x12u, 0x13u}) {
    ASSERT_EQ(identify(cns, 1), 0);
    EXPECT_EQ(field<uint32_t>(0), 0x00010001u) << "one, and it is number 1";
    ASSERT_EQ(identify(cns | 1 << 16, 1), 0);
    EXPECT_EQ(field<uint16_t>(0), 1);
    ASSERT_EQ(identify(cns | 2 << 16, 1), 0);
    EXPECT_EQ(field<uint16_t>(0), 0) << "none from 2 on";
  }
}

TEST_F(IdentifyTest, WhatIsNotThere) {
  for (const uint32_t cns :
       {0x04u, 0x05u, 0x06u, 0x07u, 0x08u, 0x09u, 0x14u, 0x15u, 0x16u, 0x17u, 0x1Cu, 0xFFu}) {
    EXPECT_EQ(identify(cns, 1), 0x002) << std::hex << cns;
  }
}

TEST(Identify, WithoutNonOperationalStates) {
  Config config = TestHost::quick();
  config.power_states = 3;
  TestHost host(config);
  const uint64_t page = host.page();
  ASSERT_EQ(host.status(Command::make(0x06).prp(page).set(10, 1)), 0);
  EXPECT_EQ(host.get<uint8_t>(page + 263), 2) << "NPSS";
  EXPECT_EQ(host.get<uint8_t>(page + 265), 0) << "APSTA";
  EXPECT_EQ(host.get<uint32_t>(page + 96), 1u) << "CTRATT: no Non-Operational Power State Mode";
  for (const uint32_t fid : {0x0Cu, 0x11u}) {
    EXPECT_EQ(host.status(Command::make(0x0A).prp(page).set(10, fid)), 0x002) << fid;
    EXPECT_EQ(host.status(Command::make(0x09).prp(page).set(10, fid)), 0x002) << fid;
  }
}

TEST_F(IdentifyTest, DataPointer) {
  const Command base = Command::make(0x06).set(10, 1);
  EXPECT_EQ(host.status(Command(base).prp(page + 0x10, page + 0x1000)), 0);
  EXPECT_EQ(host.get<uint16_t>(page + 0x10), 0x1D1D);
  EXPECT_EQ(host.status(Command(base).prp(page + 2)), 0x013);
  EXPECT_EQ(host.status(Command(base).prp(page + 0x10, page + 8)), 0x013);
  EXPECT_EQ(host.status(Command(base).prp(0x5000)), 0x004);
  Command sgl = Command(base).prp(page);
  sgl.dw[0] |= 1 << 14;
  EXPECT_EQ(host.status(sgl), 0x002);
  Command fused = Command(base).prp(page).fuse(1);
  EXPECT_EQ(host.status(fused), 0x002);
}

class IdentifyVersion2Test : public IdentifyTest {
 protected:
  IdentifyVersion2Test() : IdentifyTest(config()) {}
  static Config config() {
    Config config = two_namespaces();
    config.version = 0x20000;
    config.lba_bytes = 4096;
    return config;
  }
};

TEST_F(IdentifyVersion2Test, Events) {
  ASSERT_EQ(identify(1, 0), 0);
  EXPECT_EQ(field<uint32_t>(92), 0x8300u) << "OAES: Normal NVM Subsystem Shutdown as well";
  EXPECT_EQ(host.status(Command::make(0x09).set(10, 0x0B).set(11, 0xFFFF'FFFF)), 0);
  EXPECT_EQ(host.run(Command::make(0x0A).set(10, 0x0B)).cdw0(), 0x871Fu);
}

TEST_F(IdentifyVersion2Test, CommandSetStructures) {
  EXPECT_EQ(identify(5, 1), 0);
  EXPECT_EQ(identify(5, 3), 0) << "inactive";
  EXPECT_EQ(identify(5, 99), 0x00B);
  EXPECT_EQ(identify(8, 3), 0) << "inactive";
  EXPECT_EQ(field<uint8_t>(14), 0) << "NSTAT";
  EXPECT_EQ(identify(8, 99), 0x00B);
  EXPECT_EQ(identify(0x1A, 1), 0);
  EXPECT_EQ(field<uint32_t>(0), 2u);
  EXPECT_EQ(identify(0x1B, 1), 0);
  EXPECT_EQ(identify(0x1B, 1, 2u << 24), 0x002);
  EXPECT_EQ(identify(5, 1, 2u << 24), 0x002) << "no zoned namespaces";
  EXPECT_EQ(identify(6, 0), 0);
  EXPECT_EQ(identify(6, 0, 1u << 24), 0x002);
  EXPECT_EQ(identify(7, 1), 0);
  EXPECT_EQ(field<uint32_t>(0), 2u);
  EXPECT_EQ(identify(8, 1), 0);
  EXPECT_EQ(field<uint8_t>(14), 1) << "NSTAT: ready";
  ASSERT_EQ(identify(3, 1), 0);
  EXPECT_EQ(field<uint32_t>(32), 0x0104u) << "CSI descriptor";
  ASSERT_EQ(identify(0, 1), 0);
  EXPECT_EQ(field<uint8_t>(26), 1) << "FLBAS: made with 4096 bytes";
}

}  // namespace
}  // namespace pynvme::ssd::testing
