// The NVM command set: data, data pointers, ranges, every status a command can earn.
#include <algorithm>

#include "ssd/test_host.h"

namespace pynvme::ssd::testing {
namespace {

class NvmTest : public ::testing::Test {
 protected:
  explicit NvmTest(const Config& config = TestHost::quick()) : host(config) {}

  void fill(uint64_t iova, uint64_t bytes, uint8_t seed) {
    for (uint64_t i = 0; i < bytes; ++i)
      host.at(iova)[i] = static_cast<uint8_t>(seed + i * 31 + i / 257);
  }
  bool same(uint64_t a, uint64_t b, uint64_t bytes) {
    return std::equal(host.at(a), host.at(a) + bytes, host.at(b));
  }
  bool zero(uint64_t iova, uint64_t bytes) {
    return std::all_of(host.at(iova), host.at(iova) + bytes, [](uint8_t b) { return b == 0; });
  }
  uint16_t st(const Command& command) { return host.status(q, command); }

  static constexpr uint64_t kLbas = (64 << 20) / 512;
  TestHost host;
  HostQueue q = host.create_queue(1);
  uint64_t out = host.page(34);
  uint64_t in = host.page(34);
};

TEST_F(NvmTest, EveryPrpShape) {
  const uint64_t list = host.page(3);
  for (const uint64_t offset : {0u, 4u, 512u, 1028u, 4092u}) {
    for (const uint32_t nlb : {1u, 7u, 8u, 9u, 16u, 17u, 64u, 255u, 256u}) {
      const uint64_t bytes = nlb * 512;
      fill(out + offset, bytes, static_cast<uint8_t>(offset + nlb));
      std::memset(host.at(in), 0, 34 * 4096);
      const uint64_t pages = (offset + bytes + 4095) / 4096;
      // The list ends at the end of its page, and goes on in another when there is more than room
      // for.
      for (const uint64_t entries_here : {511u, 3u}) {
        const auto prp2 = [&](uint64_t from) -> uint64_t {
          if (pages <= 2) return from + 4096;
          uint64_t at = list + 4096 - (entries_here + 1) * 8;
          const uint64_t first = at;
          for (uint64_t page = 1; page < pages; ++page) {
            if (at == list + 4088 && page + 1 < pages) {
              host.put<uint64_t>(at, list + 4096);
              at = list + 4096;
            }
            host.put<uint64_t>(at, from + page * 4096);
            at += 8;
          }
          return first;
        };
        ASSERT_EQ(st(write_command(out + offset, 1000, nlb, prp2(out))), 0);
        ASSERT_EQ(st(read_command(in + offset, 1000, nlb, prp2(in))), 0);
        ASSERT_TRUE(same(out + offset, in + offset, bytes)) << offset << " " << nlb;
      }
    }
  }
}

TEST_F(NvmTest, ScatteredPagesArriveInOrder) {
  const uint64_t list = host.page();
  const uint64_t order[] = {5, 2, 9, 1};
  fill(out, 10 * 4096, 3);
  for (int i = 1; i < 4; ++i) host.put<uint64_t>(list + (i - 1) * 8, out + order[i] * 4096);
  ASSERT_EQ(st(write_command(out + order[0] * 4096, 0, 32, list)), 0);
  for (uint64_t i = 0; i < 4; ++i) {
    ASSERT_EQ(st(read_command(in, i * 8, 8)), 0);
    EXPECT_TRUE(same(in, out + order[i] * 4096, 4096));
  }
}

TEST_F(NvmTest, BadDataPointers) {
  EXPECT_EQ(st(read_command(in + 1, 0, 1)), 0x013);
  EXPECT_EQ(st(read_command(in + 2, 0, 1)), 0x013);
  EXPECT_EQ(st(read_command(in, 0, 16, in + 8)), 0x013) << "PRP2 is a page, with an offset";
  EXPECT_EQ(st(read_command(in, 0, 24, in + 4)), 0x013) << "PRP2 is a list, not at a qword";
  const uint64_t list = host.page();
  host.put<uint64_t>(list, in + 0x1000);
  host.put<uint64_t>(list + 8, in + 0x2008);
  EXPECT_EQ(st(read_command(in, 0, 24, list)), 0x013) << "a list entry with an offset";
  host.put<uint64_t>(list + 4088, list + 16);
  EXPECT_EQ(st(read_command(in, 0, 24, list + 4088)), 0x013) << "a chain pointer with an offset";
  host.put<uint64_t>(list + 8, 0x5000);
  EXPECT_EQ(st(read_command(in, 0, 24, list)), 0x004);
  EXPECT_EQ(st(read_command(0x5000, 0, 1)), 0x004);
  EXPECT_EQ(st(read_command(in, 0, 16, 0x5000)), 0x004);
  EXPECT_EQ(st(read_command(in, 0, 24, 0x5000)), 0x004);
  EXPECT_EQ(st(read_command(TestHost::kBase + TestHost::kBytes, 0, 1)), 0x004);
  EXPECT_EQ(st(read_command(0xFFFF'FFFF'FFFF'F000, 0, 8)), 0x004);
  for (uint32_t psdt = 1; psdt < 4; ++psdt) {
    Command sgl = read_command(in, 0, 1);
    sgl.dw[0] |= psdt << 14;
    EXPECT_EQ(st(sgl), 0x002);
  }
  EXPECT_TRUE(zero(in, 4096));
}

TEST_F(NvmTest, RangesAndNamespaces) {
  for (const uint8_t opcode : {0x01, 0x02, 0x04, 0x05, 0x08, 0x0C}) {
    const auto command = [&](uint64_t slba, uint32_t nlb, uint32_t nsid = 1) {
      return Command::make(opcode, nsid).prp(in, in + 4096).slba(slba).nlb(nlb);
    };
    const uint16_t last = opcode == 0x05 ? 0x000 : 0x000;
    EXPECT_EQ(st(command(kLbas - 1, 1)), last) << int{opcode};
    EXPECT_EQ(st(command(kLbas - 1, 2)), 0x080) << int{opcode};
    EXPECT_EQ(st(command(kLbas, 1)), 0x080);
    EXPECT_EQ(st(command(UINT64_MAX, 1)), 0x080);
    EXPECT_EQ(st(command(UINT64_MAX - 6, 8)), 0x080) << "wraps";
    EXPECT_EQ(st(command(0, 1, 0)), 0x00B);
    EXPECT_EQ(st(command(0, 1, 17)), 0x00B);
    EXPECT_EQ(st(command(0, 1, 2)), 0x002) << "inactive";
    EXPECT_EQ(st(command(0, 1, 0xFFFFFFFF)), 0x002);
    EXPECT_EQ(st(command(0, 1).fuse(3)), 0x002);
    const Completion c = host.run(q, command(kLbas, 1));
    EXPECT_TRUE(c.dnr());
    // Leave nothing uncorrectable for the next one.
    EXPECT_EQ(st(write_command(out, kLbas - 1, 1)), 0);
    std::memset(host.at(in), 0, 4096);
  }
}

TEST_F(NvmTest, TransferLimit) {
  for (const uint8_t opcode : {0x01, 0x02, 0x05}) {
    EXPECT_EQ(st(Command::make(opcode, 1).prp(in).slba(0).nlb(257)), 0x002);
  }
  for (const uint8_t opcode : {0x04, 0x08, 0x0C}) {
    EXPECT_EQ(st(Command::make(opcode, 1).slba(0).nlb(65536)), opcode == 0x0C ? 0x000 : 0x000)
        << "no data, no limit";
    EXPECT_EQ(st(Command::make(0x08, 1).slba(0).nlb(65536)), 0);
  }
}

TEST_F(NvmTest, DirectivesAreNotThere) {
  EXPECT_EQ(st(write_command(out, 0, 1).set(12, 1u << 20)), 0x002);
}

TEST_F(NvmTest, Compare) {
  fill(out, 4096, 1);
  ASSERT_EQ(st(write_command(out, 8, 8)), 0);
  EXPECT_EQ(st(Command::make(0x05, 1).prp(out).slba(8).nlb(8)), 0);
  host.at(out)[4095] ^= 1;
  const Completion c = host.run(q, Command::make(0x05, 1).prp(out).slba(8).nlb(8));
  EXPECT_EQ(c.status(), 0x285);
  EXPECT_EQ(st(Command::make(0x05, 1).prp(out).slba(8).nlb(7)), 0) << "the last one differs";
}

TEST_F(NvmTest, UncorrectableUntilWrittenAgain) {
  ASSERT_EQ(st(write_command(out, 0, 8)), 0);
  ASSERT_EQ(st(Command::make(0x04, 1).slba(3).nlb(2)), 0);
  EXPECT_EQ(st(read_command(in, 0, 8)), 0x281);
  EXPECT_EQ(st(read_command(in, 0, 3)), 0);
  EXPECT_EQ(st(Command::make(0x0C, 1).slba(0).nlb(8)), 0x281);
  EXPECT_EQ(st(Command::make(0x05, 1).prp(out).slba(0).nlb(8)), 0x281);
  EXPECT_EQ(st(write_command(out, 3, 1)), 0);
  EXPECT_EQ(st(read_command(in, 3, 1)), 0);
  EXPECT_EQ(st(read_command(in, 4, 1)), 0x281);
  // The error log names the LBA.
  const uint64_t page = host.page();
  ASSERT_EQ(host.status(Command::make(0x02, 0xFFFFFFFF).prp(page).set(10, 15 << 16 | 1)), 0);
  EXPECT_EQ(host.get<uint64_t>(page + 16), 4u);
}

TEST_F(NvmTest, WriteZeroesAndDeallocate) {
  const auto nuse = [&] {
    const uint64_t page = host.page();
    EXPECT_EQ(host.status(Command::make(0x06, 1).prp(page)), 0);
    return host.get<uint64_t>(page + 16);
  };
  std::memset(host.at(out), 7, 4096);
  ASSERT_EQ(st(write_command(out, 0, 8)), 0);
  EXPECT_EQ(nuse(), 8u);
  ASSERT_EQ(st(Command::make(0x08, 1).slba(0).nlb(4)), 0);
  EXPECT_EQ(nuse(), 8u);
  ASSERT_EQ(st(Command::make(0x08, 1).slba(4).nlb(4).set(12, 3 | 1u << 25)), 0);
  EXPECT_EQ(nuse(), 4u) << "DEAC";
  std::memset(host.at(in), 0xEE, 4096);
  ASSERT_EQ(st(read_command(in, 0, 8)), 0);
  EXPECT_TRUE(zero(in, 4096));
}

TEST_F(NvmTest, DatasetManagement) {
  const uint64_t ranges = host.page(2);
  std::memset(host.at(out), 7, 4096);
  ASSERT_EQ(st(write_command(out, 0, 8)), 0);
  ASSERT_EQ(st(write_command(out, 8, 8)), 0);
  const auto range = [&](unsigned i, uint64_t slba, uint32_t nlb) {
    host.put<uint32_t>(ranges + 16 * i, 0);
    host.put<uint32_t>(ranges + 16 * i + 4, nlb);
    host.put<uint64_t>(ranges + 16 * i + 8, slba);
  };
  const auto dsm = [&](uint32_t count, uint32_t attributes) {
    return Command::make(0x09, 1).prp(ranges, ranges + 4096).set(10, count - 1).set(11, attributes);
  };
  range(0, 0, 8);
  range(1, 12, 1);
  range(2, 14, 0);
  EXPECT_EQ(st(dsm(3, 3)), 0) << "hints";
  ASSERT_EQ(st(read_command(in, 0, 8)), 0);
  EXPECT_TRUE(same(in, out, 4096));
  EXPECT_EQ(st(dsm(3, 4)), 0);
  ASSERT_EQ(st(read_command(in, 0, 8)), 0);
  EXPECT_TRUE(zero(in, 4096));
  ASSERT_EQ(st(read_command(in, 8, 8)), 0);
  EXPECT_TRUE(same(in, out, 2048));
  EXPECT_TRUE(zero(in + 2048, 512));
  EXPECT_TRUE(same(in + 2560, out + 2560, 1536));
  range(1, kLbas - 1, 2);
  range(0, 8, 1);
  EXPECT_EQ(st(dsm(2, 4)), 0x080);
  ASSERT_EQ(st(read_command(in, 8, 1)), 0);
  EXPECT_EQ(*host.at(in), 7) << "nothing was done";
  range(1, UINT64_MAX, 2);
  EXPECT_EQ(st(dsm(2, 4)), 0x080);
  EXPECT_EQ(st(Command::make(0x09, 17).prp(ranges).set(11, 4)), 0x00B);
  EXPECT_EQ(st(Command::make(0x09, 0xFFFFFFFF).prp(ranges).set(11, 4)), 0x002);
  EXPECT_EQ(st(Command::make(0x09, 1).prp(0x5000).set(11, 4)), 0x004);
  for (unsigned i = 0; i < 256; ++i) range(i, i, 1);
  EXPECT_EQ(st(dsm(256, 4)), 0);
  ASSERT_EQ(st(read_command(in, 8, 8)), 0);
  EXPECT_TRUE(zero(in, 4096));
}

TEST_F(NvmTest, FlushOfOneOrAllNamespaces) {
  EXPECT_EQ(st(Command::make(0x00, 1)), 0);
  EXPECT_EQ(st(Command::make(0x00, 0xFFFFFFFF)), 0);
  EXPECT_EQ(st(Command::make(0x00, 0)), 0x00B);
  EXPECT_EQ(st(Command::make(0x00, 17)), 0x00B);
}

TEST_F(NvmTest, UnknownOpcodes) {
  const Completion c = host.run(q, Command::make(0x99, 1));
  EXPECT_EQ(c.status(), 0x001);
  EXPECT_TRUE(c.dnr());
  EXPECT_EQ(st(Command::make(0x99, 77)), 0x001) << "before the namespace is looked at";
}

TEST_F(NvmTest, PowerLossTakesWhatWasNotDurable) {
  const auto write = [&](uint64_t slba, uint8_t value, uint32_t flags = 0) {
    std::memset(host.at(out), value, 4096);
    EXPECT_EQ(st(write_command(out, slba, 8).set(12, 7 | flags)), 0);
  };
  write(0, 1);
  EXPECT_EQ(st(Command::make(0x00, 1)), 0);
  write(0, 2);
  write(8, 3, 1u << 30);
  write(16, 4);
  host.device.power_off();
  EXPECT_EQ(host.device.config_read(0, 4), 0xFFFFFFFFu);
  host.device.power_on();
  host.set_command(0x0406);
  EXPECT_EQ(host.reg32(0x14), 0u);
  host.enable();
  q = host.create_queue(1);
  const auto value = [&](uint64_t slba) {
    EXPECT_EQ(st(read_command(in, slba, 8)), 0);
    return int{*host.at(in)};
  };
  EXPECT_EQ(value(0), 1) << "as flushed";
  EXPECT_EQ(value(8), 3) << "FUA";
  EXPECT_EQ(value(16), 0) << "never durable";
  const uint64_t page = host.page();
  const auto smart = [&](uint32_t offset) {
    EXPECT_EQ(host.status(Command::make(0x02, 0xFFFFFFFF).prp(page).set(10, 127 << 16 | 2)), 0);
    return host.get<uint64_t>(page + offset);
  };
  EXPECT_EQ(smart(112), 2u) << "power cycles";
  EXPECT_EQ(smart(144), 1u) << "unsafe shutdowns";
  // With a shutdown notification nothing is lost and nothing is unsafe.
  write(16, 5);
  host.set_reg32(0x14, 0x00464001);
  EXPECT_EQ(host.reg32(0x1C) & 0xC, 0x8u);
  host.device.power_off();
  host.device.power_on();
  host.set_command(0x0406);
  host.enable();
  q = host.create_queue(1);
  EXPECT_EQ(value(16), 5);
  EXPECT_EQ(smart(112), 3u);
  EXPECT_EQ(smart(144), 1u);
}

TEST_F(NvmTest, CacheSwitchedOffWritesThrough) {
  ASSERT_EQ(host.status(Command::make(0x09).set(10, 6).set(11, 0)), 0);
  std::memset(host.at(out), 9, 4096);
  ASSERT_EQ(st(write_command(out, 0, 8)), 0);
  host.device.power_off();
  host.device.power_on();
  host.set_command(0x0406);
  host.enable();
  q = host.create_queue(1);
  ASSERT_EQ(st(read_command(in, 0, 8)), 0);
  EXPECT_EQ(*host.at(in), 9);
}

TEST_F(NvmTest, ControllerResetKeepsTheCache) {
  std::memset(host.at(out), 9, 4096);
  ASSERT_EQ(st(write_command(out, 0, 8)), 0);
  host.disable();
  host.enable();
  q = host.create_queue(1);
  ASSERT_EQ(st(read_command(in, 0, 8)), 0);
  EXPECT_EQ(*host.at(in), 9);
}

class BigSectorsTest : public NvmTest {
 protected:
  BigSectorsTest() : NvmTest(config()) {}
  static Config config() {
    Config config = TestHost::quick();
    config.lba_bytes = 4096;
    config.mdts_bytes = 0;
    return config;
  }
};

TEST_F(BigSectorsTest, OfFourKibibytesWithoutTransferLimit) {
  const uint64_t list = host.page();
  for (uint64_t i = 0; i < 33; ++i) host.put<uint64_t>(list + 8 * i, out + 4096 * (i + 1));
  fill(out, 34 * 4096, 5);
  ASSERT_EQ(st(write_command(out, 100, 34, list)), 0);
  for (uint64_t i = 0; i < 33; ++i) host.put<uint64_t>(list + 8 * i, in + 4096 * (i + 1));
  ASSERT_EQ(st(read_command(in, 100, 34, list)), 0);
  EXPECT_TRUE(same(in, out, 34 * 4096));
  EXPECT_EQ(st(read_command(in, 16384, 1)), 0x080);
  EXPECT_EQ(st(read_command(in, 16383, 1)), 0);
}

}  // namespace
}  // namespace pynvme::ssd::testing
