// Get and Set Features: every feature, every selector, every check.
#include <unistd.h>

#include <cstdio>
#include <string>

#include "ssd/test_host.h"

namespace pynvme::ssd::testing {
namespace {

constexpr uint32_t kDefault = 1u << 8;
constexpr uint32_t kSaved = 2u << 8;
constexpr uint32_t kCapabilities = 3u << 8;
constexpr uint32_t kSave = 1u << 31;

class FeaturesTest : public ::testing::Test {
 protected:
  Completion get(uint32_t cdw10, uint32_t cdw11 = 0, uint32_t nsid = 0, uint64_t prp = 0) {
    return host.run(Command::make(0x0A, nsid).prp(prp).set(10, cdw10).set(11, cdw11));
  }
  uint16_t set(uint32_t cdw10, uint32_t cdw11, uint32_t nsid = 0, uint64_t prp = 0) {
    return host.status(Command::make(0x09, nsid).prp(prp).set(10, cdw10).set(11, cdw11));
  }
  void restart() {
    host.disable();
    host.enable();
  }

  TestHost host;
};

struct Simple {
  uint8_t fid;
  uint32_t initial;
  uint32_t changed;
};

class SimpleFeature : public FeaturesTest, public ::testing::WithParamInterface<Simple> {};

TEST_P(SimpleFeature, CurrentDefaultSavedAndCapabilities) {
  const auto [fid, initial, changed] = GetParam();
  EXPECT_EQ(get(fid).cdw0(), initial);
  EXPECT_EQ(get(fid | kDefault).cdw0(), initial);
  EXPECT_EQ(get(fid | kSaved).cdw0(), initial);
  EXPECT_EQ(get(fid | kCapabilities).cdw0(), 0x5u) << "saveable, changeable";

  EXPECT_EQ(set(fid, changed), 0);
  EXPECT_EQ(get(fid).cdw0(), changed);
  EXPECT_EQ(get(fid | kSaved).cdw0(), initial);
  restart();
  EXPECT_EQ(get(fid).cdw0(), initial) << "not saved: gone with the reset";

  EXPECT_EQ(set(fid | kSave, changed), 0);
  EXPECT_EQ(get(fid | kSaved).cdw0(), changed);
  EXPECT_EQ(get(fid | kDefault).cdw0(), initial);
  restart();
  EXPECT_EQ(get(fid).cdw0(), changed);
  host.device.power_off();
  host.device.power_on();
  host.set_command(0x0406);
  host.enable();
  EXPECT_EQ(get(fid).cdw0(), changed) << "saved values outlive the power";

  EXPECT_EQ(set(fid, initial, 1), 0x10F) << "not namespace specific";
  EXPECT_EQ(get(fid, 0, 1).status(), 0);
}

INSTANTIATE_TEST_SUITE_P(
    Each, SimpleFeature,
    ::testing::Values(Simple{0x01, 0x00000002, 0x01020307}, Simple{0x02, 0x00000000, 0x00000021},
                      Simple{0x06, 0x00000001, 0x00000000}, Simple{0x08, 0x00000000, 0x00000A04},
                      Simple{0x0A, 0x00000000, 0x00000001}, Simple{0x0B, 0x0000001F, 0x00000302},
                      Simple{0x10, 0x00000000, 0x014A0154}, Simple{0x11, 0x00000000, 0x00000001},
                      Simple{0x17, 0x00000000, 0x00000001}, Simple{0x80, 0x00000000, 0x00000005}),
    [](const auto& param) { return "Fid" + std::to_string(param.param.fid); });

TEST_F(FeaturesTest, UnknownOnesAndSelectors) {
  for (const uint32_t fid : {0x00u, 0x0Du, 0x12u, 0x13u, 0x14u, 0x15u, 0x18u, 0x19u, 0x1Au, 0x1Bu,
                             0x1Fu, 0x7Fu, 0x82u, 0x83u, 0x85u, 0xC0u, 0xFFu}) {
    EXPECT_EQ(get(fid).status(), 0x002) << fid;
    EXPECT_EQ(set(fid, 0), 0x002) << fid;
  }
  for (uint32_t sel = 4; sel < 8; ++sel) EXPECT_EQ(get(0x07 | sel << 8).status(), 0x002);
}

TEST_F(FeaturesTest, NotSaveable) {
  EXPECT_EQ(set(0x07 | kSave, 0x00010001), 0x10D);
  EXPECT_EQ(get(0x07 | kCapabilities).cdw0(), 0x4u);
  EXPECT_EQ(get(0x0E | kCapabilities).cdw0(), 0x4u);
}

TEST_F(FeaturesTest, PowerState) {
  EXPECT_EQ(set(0x02, 5), 0x002) << "beyond NPSS";
  EXPECT_EQ(set(0x02, 4), 0);
  EXPECT_EQ(get(0x02).cdw0(), 4u);
}

TEST_F(FeaturesTest, TemperatureThresholds) {
  EXPECT_EQ(get(0x04).cdw0(), 343u) << "over, composite: WCTEMP";
  EXPECT_EQ(get(0x04, 1 << 20).cdw0(), 0u) << "under";
  EXPECT_EQ(get(0x04, 1 << 16).cdw0(), 0xFFFFu) << "sensor 1";
  EXPECT_EQ(set(0x04, 1 << 16 | 350), 0);
  EXPECT_EQ(get(0x04, 1 << 16).cdw0(), 350u);
  EXPECT_EQ(set(0x04, 0xF << 16 | 355), 0) << "all of them";
  EXPECT_EQ(get(0x04).cdw0(), 355u);
  EXPECT_EQ(get(0x04, 2 << 16).cdw0(), 355u);
  EXPECT_EQ(set(0x04, 1 << 20 | 280), 0);
  EXPECT_EQ(get(0x04, 1 << 20).cdw0(), 280u);
  EXPECT_EQ(set(0x04, 3 << 16 | 300), 0x002) << "a sensor that is not there";
  EXPECT_EQ(get(0x04, 3 << 16).status(), 0x002);
  EXPECT_EQ(get(0x04, 0xF << 16).status(), 0x002);
  EXPECT_EQ(set(0x04, 2 << 20 | 300), 0x002) << "THSEL";
  EXPECT_EQ(get(0x04, 2 << 20).status(), 0x002);
}

TEST_F(FeaturesTest, ErrorRecoveryIsPerNamespace) {
  EXPECT_EQ(get(0x05 | kCapabilities).cdw0(), 0x7u);
  EXPECT_EQ(set(0x05, 10, 1), 0);
  EXPECT_EQ(get(0x05, 0, 1).cdw0(), 10u);
  EXPECT_EQ(set(0x05, 20, 0xFFFFFFFF), 0);
  EXPECT_EQ(get(0x05, 0, 1).cdw0(), 20u);
  EXPECT_EQ(set(0x05, 10, 99), 0x00B);
  EXPECT_EQ(get(0x05, 0, 99).status(), 0x00B);
  EXPECT_EQ(get(0x05, 0, 0xFFFFFFFF).status(), 0x00B);
  EXPECT_EQ(set(0x05, 10, 2), 0x002) << "inactive";
  EXPECT_EQ(get(0x05, 0, 2).status(), 0x002);
  EXPECT_EQ(set(0x05, 1 << 17, 1), 0x002) << "reserved";
}

TEST_F(FeaturesTest, ReservedBitsAndCodes) {
  const std::pair<uint32_t, uint32_t> wrong[] = {
      {0x01, 1 << 3}, {0x02, 1 << 8},    {0x02, 3 << 5},  {0x04, 1 << 22},
      {0x06, 2},      {0x08, 1 << 16},   {0x09, 1 << 17}, {0x0A, 2},
      {0x0C, 2},      {0x10, 272 << 16}, {0x10, 359},     {0x10, 340 << 16 | 340},
      {0x11, 2},      {0x17, 2},         {0x80, 1 << 8},  {0x81, 2},
  };
  for (const auto& [fid, value] : wrong) {
    EXPECT_EQ(set(fid, value, 0, host.page()), 0x002) << std::hex << fid << " " << value;
  }
}

TEST_F(FeaturesTest, ReadsOfDeallocatedLbasAreErrorsWhenAsked) {
  HostQueue q = host.create_queue(1);
  const uint64_t data = host.page();
  EXPECT_EQ(host.status(q, write_command(data, 8, 4)), 0);
  EXPECT_EQ(set(0x05, 1 << 16, 1), 0);
  EXPECT_EQ(host.status(q, read_command(data, 8, 4)), 0);
  EXPECT_EQ(host.status(q, read_command(data, 8, 5)), 0x287);
  EXPECT_EQ(host.status(q, read_command(data, 0, 8)), 0x287);
  EXPECT_EQ(host.status(q, Command::make(0x05, 1).prp(data).slba(12).nlb(1)), 0x287) << "Compare";
  EXPECT_EQ(host.status(q, Command::make(0x0C, 1).slba(12).nlb(1)), 0x287) << "Verify";
  EXPECT_EQ(host.status(q, Command::make(0x08, 1).slba(12).nlb(1)), 0) << "Write Zeroes";
  EXPECT_EQ(host.status(q, read_command(data, 8, 5)), 0) << "written, though with zeroes";
  EXPECT_EQ(host.status(q, Command::make(0x08, 1).slba(12).nlb(1).set(12, 1 << 25)), 0);
  EXPECT_EQ(host.status(q, read_command(data, 8, 5)), 0x287) << "deallocated again";
  EXPECT_EQ(set(0x05, 0, 1), 0);
  EXPECT_EQ(host.status(q, read_command(data, 8, 5)), 0);
}

TEST_F(FeaturesTest, LbaRangeTypes) {
  const uint64_t page = host.page();
  const uint64_t lbas = (64u << 20) / 512;
  const Completion c = get(0x03, 0, 1, page);
  EXPECT_EQ(c.status(), 0);
  EXPECT_EQ(c.cdw0(), 0u) << "one range";
  EXPECT_EQ(host.get<uint64_t>(page + 24), lbas - 1) << "all of the namespace, 0's based";

  const auto range = [&](unsigned index, uint8_t type, uint64_t slba, uint64_t nlb) {
    host.put<uint64_t>(page + 64 * index, type);
    host.put<uint64_t>(page + 64 * index + 16, slba);
    host.put<uint64_t>(page + 64 * index + 24, nlb - 1);
  };
  for (unsigned i = 0; i < 64; ++i) range(i, 2, 100 * i, 100);
  EXPECT_EQ(set(0x03 | kSave, 63, 1, page), 0);
  const uint64_t back = host.page();
  EXPECT_EQ(get(0x03, 0, 1, back).cdw0(), 63u);
  EXPECT_EQ(std::memcmp(host.at(page), host.at(back), 4096), 0);
  EXPECT_EQ(get(0x03 | kSaved, 0, 1, back).cdw0(), 63u);
  EXPECT_EQ(get(0x03 | kDefault, 0, 1, back).cdw0(), 0u);
  range(1, 2, 99, 10);
  EXPECT_EQ(set(0x03, 1, 1, page), 0x114) << "overlapping";
  EXPECT_EQ(set(0x03, 0, 1, page), 0) << "the first alone";
  range(0, 2, lbas - 1, 2);
  EXPECT_EQ(set(0x03, 0, 1, page), 0x080);
  range(0, 5, 0, 1);
  EXPECT_EQ(set(0x03, 0, 1, page), 0x002) << "a reserved type";
  EXPECT_EQ(set(0x03, 64, 1, page), 0x002) << "reserved bits";
  EXPECT_EQ(set(0x03, 0, 99, page), 0x00B);
  EXPECT_EQ(get(0x03, 0, 99, page).status(), 0x00B);
  EXPECT_EQ(get(0x03, 0, 2, page).status(), 0x002) << "inactive";
  EXPECT_EQ(get(0x03, 0, 0xFFFFFFFF, page).status(), 0x00B);
}

TEST_F(FeaturesTest, WriteProtection) {
  HostQueue q = host.create_queue(1);
  const uint64_t data = host.page();
  const auto flags = [&] {
    const uint64_t page = host.page();
    EXPECT_EQ(host.status(Command::make(0x06, 1).prp(page)), 0);
    return host.get<uint8_t>(page + 99);
  };
  const auto power_cycle = [&] {
    host.device.power_off();
    host.device.power_on();
    host.set_command(0x0406);
    host.enable();
    q = host.create_queue(1);
  };
  EXPECT_EQ(get(0x84 | kCapabilities).cdw0(), 0x6u) << "not saveable";
  EXPECT_EQ(set(0x84 | kSave, 1, 1), 0x10D);
  EXPECT_EQ(set(0x84, 4, 1), 0x002);
  EXPECT_EQ(host.status(q, write_command(data, 0, 1)), 0);
  EXPECT_EQ(set(0x84, 1, 1), 0);
  EXPECT_EQ(get(0x84, 0, 1).cdw0(), 1u);
  EXPECT_EQ(flags(), 1);
  EXPECT_EQ(host.status(q, write_command(data, 0, 1)), 0x020);
  EXPECT_EQ(host.status(q, Command::make(0x08, 1)), 0x020) << "Write Zeroes";
  EXPECT_EQ(host.status(q, Command::make(0x04, 1)), 0x020) << "Write Uncorrectable";
  EXPECT_EQ(host.status(q, Command::make(0x09, 1).prp(data).set(11, 4)), 0x020) << "Deallocate";
  EXPECT_EQ(host.status(Command::make(0x80, 1)), 0x020) << "Format NVM";
  EXPECT_EQ(host.status(Command::make(0x84).set(10, 2)), 0x020) << "Sanitize";
  EXPECT_EQ(host.status(q, read_command(data, 0, 1)), 0);
  EXPECT_EQ(host.status(q, Command::make(0x00, 1)), 0) << "Flush";
  power_cycle();
  EXPECT_EQ(get(0x84, 0, 1).cdw0(), 1u) << "outlives the power";
  EXPECT_EQ(set(0x84, 0, 1), 0);
  EXPECT_EQ(flags(), 0);
  EXPECT_EQ(host.status(q, write_command(data, 0, 1)), 0);

  EXPECT_EQ(set(0x84, 2, 1), 0);
  EXPECT_EQ(set(0x84, 0, 1), 0x10E);
  restart();
  EXPECT_EQ(get(0x84, 0, 1).cdw0(), 2u);
  power_cycle();
  EXPECT_EQ(get(0x84, 0, 1).cdw0(), 0u) << "until the power cycle";
  EXPECT_EQ(host.status(q, write_command(data, 0, 1)), 0);

  EXPECT_EQ(set(0x84, 3, 1), 0);
  power_cycle();
  EXPECT_EQ(set(0x84, 0, 1), 0x10E) << "for good";
  EXPECT_EQ(host.status(q, write_command(data, 0, 1)), 0x020);
}

TEST(Features, SavedValuesOutliveTheProcess) {
  Config config = TestHost::quick();
  config.file = ::testing::TempDir() + "/features_test_" + std::to_string(getpid()) + ".media";
  const auto clean = [&] {
    std::remove(config.file.c_str());
    std::remove((config.file + ".state").c_str());
  };
  clean();
  const auto set = [](TestHost& host, uint32_t cdw10, uint32_t cdw11, uint32_t nsid = 0) {
    return host.status(Command::make(0x09, nsid).set(10, cdw10).set(11, cdw11));
  };
  const auto get = [](TestHost& host, uint32_t fid, uint32_t nsid = 0, uint32_t cdw11 = 0) {
    return host.run(Command::make(0x0A, nsid).set(10, fid).set(11, cdw11)).cdw0();
  };
  {
    TestHost host(config);
    EXPECT_EQ(set(host, 0x01 | kSave, 5), 0);
    EXPECT_EQ(set(host, 0x02, 1), 0) << "not saved";
    EXPECT_EQ(set(host, 0x05 | kSave, 9, 1), 0);
    EXPECT_EQ(set(host, 0x06 | kSave, 0), 0);
    EXPECT_EQ(set(host, 0x09 | kSave, 1 << 16 | 11), 0);
    EXPECT_EQ(set(host, 0x80 | kSave, 3), 0);
    EXPECT_EQ(set(host, 0x84, 1, 1), 0);
  }
  {
    TestHost host(config);
    EXPECT_EQ(get(host, 0x01), 5u);
    EXPECT_EQ(get(host, 0x01 | kDefault), 2u);
    EXPECT_EQ(get(host, 0x02), 0u);
    EXPECT_EQ(get(host, 0x05, 1), 9u);
    EXPECT_EQ(get(host, 0x06), 0u);
    EXPECT_EQ(get(host, 0x09, 0, 11), 1u << 16 | 11);
    EXPECT_EQ(get(host, 0x80), 3u);
    EXPECT_EQ(get(host, 0x84, 1), 1u);
    EXPECT_EQ(set(host, 0x84, 2, 1), 0);
  }
  {
    TestHost host(config);
    EXPECT_EQ(get(host, 0x84, 1), 0u) << "until the next power cycle";
  }
  clean();
}

TEST(Features, SavedForPowerStatesThatAreGone) {
  Config config = TestHost::quick();
  config.file =
      ::testing::TempDir() + "/features_power_states_test_" + std::to_string(getpid()) + ".media";
  const auto clean = [&] {
    std::remove(config.file.c_str());
    std::remove((config.file + ".state").c_str());
  };
  clean();
  {
    TestHost host(config);
    EXPECT_EQ(host.status(Command::make(0x09).set(10, 0x02 | kSave).set(11, 4)), 0);
  }
  config.power_states = 2;
  {
    TestHost host(config);
    EXPECT_EQ(host.run(Command::make(0x0A).set(10, 0x02)).cdw0(), 0u) << "NPSS is 1";
    EXPECT_EQ(host.run(Command::make(0x0A).set(10, 0x02 | kSaved)).cdw0(), 0u);
  }
  clean();
}

TEST_F(FeaturesTest, HostBehaviorAndIdentifier) {
  const uint64_t page = host.page();
  host.put<uint8_t>(page, 1);
  EXPECT_EQ(set(0x16, 0, 0, page), 0);
  const uint64_t back = host.page();
  EXPECT_EQ(get(0x16, 0, 0, back).status(), 0);
  EXPECT_EQ(host.get<uint32_t>(back), 1u);
  host.put<uint8_t>(page, 2);
  EXPECT_EQ(set(0x16, 0, 0, page), 0x002);
  EXPECT_EQ(set(0x16 | kSave, 0, 0, page), 0x10D);

  host.put<uint64_t>(page, 0x1122334455667788);
  host.put<uint64_t>(page + 8, 0x99AABBCCDDEEFF00);
  EXPECT_EQ(set(0x81, 0, 0, page), 0);
  EXPECT_EQ(get(0x81, 1, 0, back).cdw0(), 1u);
  EXPECT_EQ(host.get<uint64_t>(back), 0x1122334455667788u);
  EXPECT_EQ(host.get<uint64_t>(back + 8), 0u) << "8 bytes were set";
  EXPECT_EQ(set(0x81, 1, 0, page), 0);
  EXPECT_EQ(get(0x81, 1, 0, back).status(), 0);
  EXPECT_EQ(host.get<uint64_t>(back + 8), 0x99AABBCCDDEEFF00u);
  restart();
  EXPECT_EQ(get(0x81, 0, 0, back).status(), 0);
  EXPECT_EQ(host.get<uint64_t>(back), 0u);
}

TEST_F(FeaturesTest, ThermalManagementThrottlesAndCounts) {
  const auto smart = [&](unsigned offset) {
    const uint64_t page = host.page();
    EXPECT_EQ(host.status(Command::make(0x02, 0xFFFFFFFF).prp(page).set(10, 127u << 16 | 2)), 0);
    return host.get<uint32_t>(page + offset);
  };
  // The idle drive has 308 K.
  EXPECT_EQ(set(0x10, 300u << 16), 0);
  EXPECT_EQ(smart(216), 1u) << "beyond TMT1";
  EXPECT_EQ(smart(220), 0u);
  host.clock.advance(5'000'000'000);
  EXPECT_EQ(smart(224), 5u) << "seconds";
  EXPECT_EQ(set(0x10, 300u << 16 | 305), 0);
  EXPECT_EQ(smart(220), 1u) << "beyond TMT2";
  host.clock.advance(3'000'000'000);
  EXPECT_EQ(smart(228), 3u);
  EXPECT_EQ(smart(224), 5u);
  EXPECT_EQ(set(0x10, 0), 0);
  host.clock.advance(3'000'000'000);
  EXPECT_EQ(smart(228), 3u);
}

TEST_F(FeaturesTest, InterruptVectorConfiguration) {
  EXPECT_EQ(get(0x09, 16).cdw0(), 16u);
  EXPECT_EQ(set(0x09, 1 << 16 | 16), 0);
  EXPECT_EQ(get(0x09, 16).cdw0(), 0x10010u);
  EXPECT_EQ(get(0x09, 17).status(), 0x002);
  EXPECT_EQ(set(0x09, 17), 0x002);
}

TEST_F(FeaturesTest, EventsThatMayBeAskedFor) {
  EXPECT_EQ(set(0x0B, 0xFFFF'FFFF), 0);
  EXPECT_EQ(get(0x0B).cdw0(), 0x71Fu) << "a drive of 1.4 has no Normal NVM Subsystem Shutdown";
}

TEST_F(FeaturesTest, NoCacheNoCacheFeature) {
  Config config = TestHost::quick();
  config.cache_bytes = 0;
  TestHost bare(config);
  EXPECT_EQ(bare.status(Command::make(0x0A).set(10, 6)), 0x002);
  EXPECT_EQ(bare.status(Command::make(0x09).set(10, 6)), 0x002);
}

TEST_F(FeaturesTest, Timestamp) {
  const uint64_t page = host.page();
  EXPECT_EQ(get(0x0E, 0, 0, page).status(), 0);
  EXPECT_EQ(host.get<uint64_t>(page) >> 48, 0u) << "origin: reset";
  host.put<uint64_t>(page, 1'700'000'000'000);
  EXPECT_EQ(set(0x0E, 0, 0, page), 0);
  host.clock.advance(1'500'000'000);
  EXPECT_EQ(get(0x0E, 0, 0, page).status(), 0);
  EXPECT_EQ(host.get<uint64_t>(page) & 0xFFFF'FFFF'FFFF, 1'700'000'001'500u);
  EXPECT_EQ(host.get<uint64_t>(page) >> 48, 2u) << "origin: Set Features";
  EXPECT_EQ(set(0x0E, 0, 0, 0x5000), 0x004);
  restart();
  EXPECT_EQ(get(0x0E, 0, 0, page).status(), 0);
  EXPECT_EQ(host.get<uint64_t>(page), 0u);
}

TEST_F(FeaturesTest, IdleTransitions) {
  const uint64_t page = host.page();
  // From state 0 to 3 after 100 ms, from 3 to 4 after another 1000.
  host.put<uint64_t>(page, 100u << 8 | 3u << 3);
  host.put<uint64_t>(page + 24, 1000u << 8 | 4u << 3);
  EXPECT_EQ(set(0x0C, 1, 0, page), 0);
  const uint64_t back = host.page();
  const Completion c = get(0x0C, 0, 0, back);
  EXPECT_EQ(c.cdw0(), 1u);
  EXPECT_EQ(host.get<uint64_t>(back + 24), 1000u << 8 | 4u << 3);

  HostQueue q = host.create_queue(1);
  EXPECT_EQ(host.status(q, Command::make(0x00, 1)), 0);
  EXPECT_EQ(get(0x02).cdw0(), 0u);
  host.put<uint64_t>(page, 100u << 8 | 1u << 3);
  EXPECT_EQ(set(0x0C, 1, 0, page), 0x002) << "state 1 is operational";
  host.put<uint64_t>(page, 100u << 8 | 5u << 3);
  EXPECT_EQ(set(0x0C, 1, 0, page), 0x002) << "there is no state 5";
}

}  // namespace
}  // namespace pynvme::ssd::testing
