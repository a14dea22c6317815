// The Persistent Event log and the telemetry logs, as a host reads them.
#include "ssd/test_host.h"

namespace pynvme::ssd::testing {
namespace {

class PersistentEventTest : public ::testing::Test {
 protected:
  static constexpr uint32_t kRead = 0;
  static constexpr uint32_t kEstablish = 1;
  static constexpr uint32_t kRelease = 2;

  uint16_t log(uint32_t lid, uint32_t lsp, uint32_t bytes, uint32_t offset = 0) {
    std::memset(host.at(page), 0xEE, 8 * 4096);
    return host.status(Command::make(0x02)
                           .prp(page, list)
                           .set(10, (bytes / 4 - 1) << 16 | lsp << 8 | lid)
                           .set(12, offset));
  }
  uint16_t events(uint32_t lsp, uint32_t bytes = 8 * 4096, uint32_t offset = 0) {
    return log(0x0D, lsp, bytes, offset);
  }
  // The types of all events, newest first, of the page as it was read.
  std::vector<unsigned> types() {
    std::vector<unsigned> found;
    uint64_t at = page + 512;
    for (uint32_t i = 0; i < host.get<uint32_t>(page + 4); ++i) {
      found.push_back(*host.at(at));
      EXPECT_EQ(*host.at(at + 2), 21) << "EHL";
      EXPECT_EQ(host.get<uint16_t>(at + 4), 1) << "controller";
      at += 24 + host.get<uint16_t>(at + 22);
    }
    EXPECT_EQ(at - page, host.get<uint64_t>(page + 8)) << "TLL";
    return found;
  }
  uint64_t prp_list() {
    const uint64_t to = host.page();
    for (unsigned i = 1; i < 8; ++i) host.put<uint64_t>(to + 8 * (i - 1), page + 4096 * i);
    return to;
  }

  TestHost host;
  uint64_t page = host.page(8);
  uint64_t list = prp_list();
};

TEST_F(PersistentEventTest, Context) {
  EXPECT_EQ(events(kRead), 0x00C) << "no context";
  EXPECT_EQ(events(3), 0x002);
  EXPECT_EQ(events(kRelease), 0) << "nothing to release";
  EXPECT_EQ(events(kEstablish, 512, 1 << 20), 0x002) << "beyond its end";
  EXPECT_EQ(events(kRead), 0x00C) << "nothing was established";
  ASSERT_EQ(events(kEstablish), 0);
  EXPECT_EQ(*host.at(page), 0x0D);
  EXPECT_EQ(host.get<uint16_t>(page + 18), 492) << "header length";
  EXPECT_EQ(*host.at(page + 480), 0xDE);
  EXPECT_EQ(*host.at(page + 481), 0x07);
  EXPECT_EQ(std::memcmp(host.at(page + 56), "PYNVME0001          ", 20), 0) << "SN";
  // Power on, and the SMART snapshot that goes with it.
  EXPECT_EQ(types(), (std::vector<unsigned>{0x01, 0x04}));
  EXPECT_EQ(events(kEstablish), 0x00C) << "there is one";
  // What happens from now on is not in it.
  ASSERT_EQ(host.status(Command::make(0x80, 1)), 0);
  ASSERT_EQ(events(kRead), 0);
  EXPECT_EQ(types(), (std::vector<unsigned>{0x01, 0x04}));
  const auto first = host.get<uint64_t>(page + 512);
  ASSERT_EQ(events(kRead, 512, 512), 0);
  EXPECT_EQ(host.get<uint64_t>(page), first);
  EXPECT_EQ(events(kRead, 512, 1 << 20), 0x002) << "beyond its end";
  ASSERT_EQ(events(kRelease), 0);
  EXPECT_EQ(events(kRead), 0x00C);
  ASSERT_EQ(events(kEstablish), 0);
  EXPECT_EQ(types(), (std::vector<unsigned>{0x08, 0x07, 0x01, 0x04}));
  host.disable();
  host.enable();
  EXPECT_EQ(events(kRead), 0x00C) << "a reset releases it";
  ASSERT_EQ(events(kEstablish), 0);
  EXPECT_EQ(types(), (std::vector<unsigned>{0x04, 0x08, 0x07, 0x01, 0x04}));
}

TEST_F(PersistentEventTest, WhatHappened) {
  std::memcpy(host.at(page), "7.7     ", 8);
  ASSERT_EQ(host.status(Command::make(0x11).prp(page).set(10, 1023)), 0);
  ASSERT_EQ(host.status(Command::make(0x10).set(10, 2 | 3 << 3)), 0);
  host.put<uint64_t>(page, 1'700'000'000'000);
  ASSERT_EQ(host.status(Command::make(0x09).set(10, 0x0E).prp(page)), 0);
  ASSERT_EQ(host.status(Command::make(0x84).set(10, 3).set(11, 0xABCD)), 0);
  host.clock.advance(1'000'000'000);
  host.device.advance();
  ASSERT_EQ(events(kEstablish), 0);
  EXPECT_EQ(types(), (std::vector<unsigned>{0x0A, 0x09, 0x03, 0x02, 0x01, 0x04}));
  uint64_t at = page + 512;
  EXPECT_EQ(host.get<uint16_t>(at + 24), 0xFFFF) << "SPROG";
  EXPECT_EQ(host.get<uint16_t>(at + 26) & 7, 1) << "SSTAT";
  EXPECT_EQ(host.get<uint64_t>(at + 6) & 0xFFFF'FFFF'FFFF, 1'700'000'001'000u) << "timestamp";
  at += 24 + 8;
  EXPECT_EQ(host.get<uint32_t>(at + 28), 3u) << "CDW10";
  EXPECT_EQ(host.get<uint32_t>(at + 32), 0xABCDu);
  at += 24 + 12 + 24 + 16;
  EXPECT_EQ(std::memcmp(host.at(at + 24), "1.0     7.7     ", 16), 0);
  EXPECT_EQ(*host.at(at + 40), 3) << "commit action";
  EXPECT_EQ(*host.at(at + 41), 2) << "slot";
}

TEST_F(PersistentEventTest, OldEventsMakeRoom) {
  for (unsigned i = 0; i < 1000; ++i) {
    host.disable();
    host.set_reg32(0x14, 0x00460001);
  }
  host.disable();
  host.enable();
  ASSERT_EQ(events(kEstablish, 512), 0);
  const auto count = host.get<uint32_t>(page + 4);
  EXPECT_LT(count, 800u);
  EXPECT_GT(count, 500u);
  EXPECT_EQ(host.get<uint64_t>(page + 8), 512 + count * 68u);
}

TEST_F(PersistentEventTest, HostTelemetry) {
  ASSERT_EQ(log(0x07, 0, 512), 0);
  EXPECT_EQ(*host.at(page), 0x07);
  EXPECT_EQ(host.get<uint16_t>(page + 12), 0) << "nothing was captured";
  ASSERT_EQ(log(0x07, 1, 512), 0);
  EXPECT_EQ(*host.at(page + 381), 1) << "generation";
  const uint32_t last[] = {host.get<uint16_t>(page + 8), host.get<uint16_t>(page + 10),
                           host.get<uint16_t>(page + 12)};
  EXPECT_EQ(last[0], 2u);
  EXPECT_GT(last[1], last[0]);
  EXPECT_GT(last[2], last[1]);
  // The data stay as they were until the next Create.
  ASSERT_EQ(host.status(Command::make(0xFF)), 0x001);
  ASSERT_EQ(log(0x07, 0, 512, 3 * 512), 0);
  EXPECT_EQ(host.get<uint64_t>(page), 0u) << "the error log then";
  ASSERT_EQ(log(0x07, 1, 512), 0);
  EXPECT_EQ(*host.at(page + 381), 2);
  ASSERT_EQ(log(0x07, 0, 512, 3 * 512), 0);
  EXPECT_EQ(host.get<uint64_t>(page), 1u) << "and now";
  EXPECT_EQ(log(0x07, 1, 516), 0x002) << "blocks only";
  EXPECT_EQ(log(0x07, 0, 512, 4), 0x002);
  EXPECT_EQ(log(0x07, 0, 512, 1 << 20), 0x002);
}

TEST_F(PersistentEventTest, ControllerTelemetry) {
  ASSERT_EQ(log(0x08, 0, 512), 0);
  EXPECT_EQ(*host.at(page + 382), 0) << "available";
  ASSERT_EQ(host.status(Command::make(0x09).set(10, 0x0F).set(11, 100)), 0);
  host.clock.advance(1'000'000'000);
  host.device.advance();
  ASSERT_EQ(host.reg32(0x1C), 3u);
  host.disable();
  host.enable();
  ASSERT_EQ(log(0x08, 0x80, 512), 0) << "RAE";
  EXPECT_EQ(*host.at(page + 382), 1);
  EXPECT_EQ(*host.at(page + 383), 1);
  EXPECT_EQ(std::memcmp(host.at(page + 384), "Keep Alive Timer expired", 24), 0);
  EXPECT_GT(host.get<uint16_t>(page + 12), 0);
  ASSERT_EQ(log(0x08, 0, 512), 0);
  EXPECT_EQ(*host.at(page + 382), 1);
  ASSERT_EQ(log(0x08, 0, 512), 0);
  EXPECT_EQ(*host.at(page + 382), 0) << "it was read";
}

}  // namespace
}  // namespace pynvme::ssd::testing
