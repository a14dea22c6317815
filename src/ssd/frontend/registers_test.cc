// Controller registers through BAR0: values, access rules, enable, reset, shutdown.
#include "ssd/frontend/registers.h"

#include <memory>

#include "ssd/test_host.h"

namespace pynvme::ssd::testing {
namespace {

TestHost* down(const Config& config = TestHost::quick()) { return new TestHost(config, false); }

TEST(Registers, CapabilitiesOfATypicalDrive) {
  std::unique_ptr<TestHost> host(down());
  const uint64_t cap = host->reg64(0x00);
  EXPECT_EQ(cap & 0xFFFF, 1023u) << "MQES";
  EXPECT_EQ(cap >> 16 & 1, 0u) << "CQR";
  EXPECT_EQ(cap >> 17 & 3, 1u) << "AMS: weighted round robin";
  EXPECT_EQ(cap >> 24 & 0xFF, 20u) << "TO";
  EXPECT_EQ(cap >> 32 & 0xF, 0u) << "DSTRD";
  EXPECT_EQ(cap >> 36 & 1, 1u) << "NSSRS";
  EXPECT_EQ(cap >> 37 & 0xFF, 1u) << "CSS: NVM";
  EXPECT_EQ(cap >> 48 & 0xFF, 0u) << "MPSMIN, MPSMAX: 4 KiB";
  EXPECT_EQ(host->reg32(0x08), 0x00010400u);
  EXPECT_EQ(host->reg32(0x00), static_cast<uint32_t>(cap));
  EXPECT_EQ(host->reg32(0x04), static_cast<uint32_t>(cap >> 32));
  EXPECT_EQ(host->device.bar_read(0, 0x01, 1), cap >> 8 & 0xFF);
  EXPECT_EQ(host->device.bar_read(0, 0x06, 2), cap >> 48);
}

TEST(Registers, OfVersion2) {
  Config config = TestHost::quick();
  config.version = 0x20000;
  config.timeout_500ms = 7;
  std::unique_ptr<TestHost> host(down(config));
  EXPECT_EQ(host->reg32(0x08), 0x00020000u);
  EXPECT_EQ(host->reg64(0x00) >> 59 & 3, 1u) << "CRMS";
  EXPECT_EQ(host->reg32(0x68), 7u) << "CRTO.CRWMT";
}

TEST(Registers, ReservedOnesReadZeroAndIgnoreWrites) {
  std::unique_ptr<TestHost> host(down());
  for (const uint32_t offset :
       {0x18u, 0x20u, 0x38u, 0x3Cu, 0x40u, 0x100u, 0xE00u, 0xFFCu, 0x1000u}) {
    host->set_reg32(offset, 0xFFFFFFFF);
    EXPECT_EQ(host->reg32(offset), 0u) << std::hex << offset;
  }
  const uint64_t cap = host->reg64(0);
  host->set_reg64(0, ~cap);
  EXPECT_EQ(host->reg64(0), cap);
}

TEST(Registers, UnalignedAccessesReadAllOnes) {
  std::unique_ptr<TestHost> host(down());
  EXPECT_EQ(host->device.bar_read(0, 2, 4), UINT64_MAX);
  EXPECT_EQ(host->device.bar_read(0, 4, 8), UINT64_MAX);
  EXPECT_EQ(host->device.bar_read(0, 16384, 4), UINT64_MAX);
  EXPECT_EQ(host->device.bar_read(1, 0, 4), UINT64_MAX);
  EXPECT_EQ(host->device.bar_read(0, 0, 3), UINT64_MAX);
  host->device.bar_write(0, 0x24, 0x1F, 2);
  EXPECT_EQ(host->reg32(0x24), 0u);
}

TEST(Registers, AdminQueueRegistersKeepTheirWritableBits) {
  std::unique_ptr<TestHost> host(down());
  host->set_reg32(0x24, 0xFFFFFFFF);
  EXPECT_EQ(host->reg32(0x24), 0x0FFF0FFFu);
  host->set_reg64(0x28, 0x123456789ABCDEFF);
  EXPECT_EQ(host->reg64(0x28), 0x123456789ABCD000u);
  host->set_reg32(0x30, 0xFFFFFFFF);
  host->set_reg32(0x34, 0x11);
  EXPECT_EQ(host->reg64(0x30), 0x00000011FFFFF000u);
}

TEST(Registers, AdminQueueRegistersAreHeldWhileEnabled) {
  TestHost host;
  const uint64_t asq = host.reg64(0x28);
  host.set_reg64(0x28, 0);
  host.set_reg32(0x24, 0);
  EXPECT_EQ(host.reg64(0x28), asq);
  EXPECT_EQ(host.reg32(0x24), 0x001F001Fu);
}

TEST(Registers, ReadyFollowsEnableAfterItsTime) {
  Config config = TestHost::quick();
  config.ready_ms = 30;
  std::unique_ptr<TestHost> host(down(config));
  host->enable();
  EXPECT_EQ(host->reg32(0x1C), 0u);
  host->clock.advance(29'999'999);
  EXPECT_EQ(host->reg32(0x1C), 0u);
  host->clock.advance(1);
  EXPECT_EQ(host->reg32(0x1C), 1u);
  EXPECT_EQ(host->status(Command::make(0x0A).set(10, 7)), 0);
  host->disable();
  EXPECT_EQ(host->reg32(0x1C), 0u);
}

struct BadStart {
  const char* name;
  uint32_t cc;
  uint32_t aqa;
  uint64_t asq;
  uint64_t acq;
};
constexpr uint64_t kSq = TestHost::kBase;
constexpr uint64_t kCq = TestHost::kBase + 4096;

class RegistersBadStart : public ::testing::TestWithParam<BadStart> {};

TEST_P(RegistersBadStart, IsFatalUntilDisabled) {
  std::unique_ptr<TestHost> host(down());
  const BadStart& bad = GetParam();
  host->set_reg32(0x24, bad.aqa);
  host->set_reg64(0x28, bad.asq);
  host->set_reg64(0x30, bad.acq);
  host->set_reg32(0x14, bad.cc);
  EXPECT_EQ(host->reg32(0x1C), 2u) << "CFS, not RDY";
  host->set_reg32(0x14, 0);
  EXPECT_EQ(host->reg32(0x1C), 0u);
  host->page(2);
  host->enable();
  EXPECT_EQ(host->reg32(0x1C), 1u);
}

INSTANTIATE_TEST_SUITE_P(
    Each, RegistersBadStart,
    ::testing::Values(BadStart{"Css", 0x00460011, 0x001F001F, kSq, kCq},
                      BadStart{"CssAdminOnly", 0x00460071, 0x001F001F, kSq, kCq},
                      BadStart{"Mps", 0x00460081, 0x001F001F, kSq, kCq},
                      BadStart{"AmsReserved", 0x00461001, 0x001F001F, kSq, kCq},
                      BadStart{"AmsVendor", 0x00463801, 0x001F001F, kSq, kCq},
                      BadStart{"SqOfOneEntry", 0x00460001, 0x001F0000, kSq, kCq},
                      BadStart{"CqOfOneEntry", 0x00460001, 0x0000001F, kSq, kCq},
                      BadStart{"SqNowhere", 0x00460001, 0x001F001F, 0x5000, kCq},
                      BadStart{"CqNowhere", 0x00460001, 0x001F001F, kSq, 0x5000},
                      BadStart{"SqPastTheEnd", 0x00460001, 0x001F0FFF,
                               TestHost::kBase + TestHost::kBytes - 4096, kCq}),
    [](const auto& param) { return param.param.name; });

TEST(Registers, CssMpsAndAmsStayWhileEnabled) {
  TestHost host;
  host.set_reg32(0x14, 0x004608F1);
  EXPECT_EQ(host.reg32(0x14), 0x00460001u);
  host.set_reg32(0x14, 0x00000001);
  EXPECT_EQ(host.reg32(0x14), 0x00000001u) << "IOSQES and IOCQES may change";
}

TEST(Registers, DisableKeepsAdminQueueRegistersAndForgetsQueues) {
  TestHost host;
  const uint64_t asq = host.reg64(0x28);
  const uint32_t aqa = host.reg32(0x24);
  HostQueue q = host.create_queue(1);
  host.disable();
  EXPECT_EQ(host.reg64(0x28), asq);
  EXPECT_EQ(host.reg32(0x24), aqa);
  host.enable();
  EXPECT_EQ(host.status(host.create_sq(q)), 0x100) << "the completion queue is gone";
}

TEST(Registers, NormalAndAbruptShutdown) {
  for (const uint32_t shn : {1u, 2u}) {
    TestHost host;
    host.set_reg32(0x14, 0x00460001 | shn << 14);
    EXPECT_EQ(host.reg32(0x1C), 0x9u) << "RDY, SHST complete";
    host.submit(host.admin, Command::make(0x0A).set(10, 7));
    EXPECT_FALSE(host.poll(host.admin)) << "no commands until the next reset";
    host.disable();
    host.enable();
    EXPECT_EQ(host.reg32(0x1C), 1u);
    EXPECT_EQ(host.status(Command::make(0x0A).set(10, 7)), 0);
  }
}

TEST(Registers, ShutdownTakesItsTimeWithLatencies) {
  Config config = TestHost::quick();
  config.latency_scale = 1;
  TestHost host(config);
  host.set_reg32(0x14, 0x00464001);
  EXPECT_EQ(host.reg32(0x1C), 0x5u) << "occurring";
  host.clock.advance(1'000'000'000);
  EXPECT_EQ(host.reg32(0x1C), 0x9u);
}

TEST(Registers, SubsystemReset) {
  TestHost host;
  host.set_reg32(0x20, 0x4E564D64);
  EXPECT_EQ(host.reg32(0x1C), 1u) << "that was not \"NVMe\"";
  host.set_reg32(0x20, 0x4E564D65);
  EXPECT_EQ(host.reg32(0x1C), 0xFFFFFFFFu) << "the link was down: memory space is off";
  host.set_command(0x0406);
  EXPECT_EQ(host.reg32(0x1C), 0x10u) << "NSSRO";
  EXPECT_EQ(host.reg32(0x14), 0u);
  EXPECT_EQ(host.reg64(0x28), 0u);
  host.enable();
  EXPECT_EQ(host.reg32(0x1C), 0x11u);
  host.set_reg32(0x1C, 0x10);
  EXPECT_EQ(host.reg32(0x1C), 0x01u);
  EXPECT_EQ(host.reg32(0x20), 0u);
}

TEST(Registers, LostQueueMemoryIsFatal) {
  TestHost host;
  const uint64_t sq = host.admin.sq;
  host.device.dma_unmap(sq, 4096);
  host.ring(0, 1);
  EXPECT_EQ(host.reg32(0x1C), 3u) << "RDY, CFS";
  host.disable();
  EXPECT_EQ(host.reg32(0x1C), 0u);
  host.enable();
  EXPECT_EQ(host.reg32(0x1C), 1u);
}

}  // namespace
}  // namespace pynvme::ssd::testing
