// What becomes of the data: every byte of what is returned and stored, in both ways of working.
#include <algorithm>
#include <array>
#include <bit>
#include <string_view>
#include <vector>

#include "ssd/faults/fault_text.h"
#include "ssd/faults/faults.h"
#include "ssd/test_host.h"

namespace pynvme::ssd::testing {
namespace {

constexpr uint32_t kLba = 512;

Config config_of(double latency) {
  Config config = TestHost::quick();
  config.latency_scale = latency;
  config.namespaces = 2;
  return config;
}

class NvmFaultsTest : public ::testing::TestWithParam<double> {
 protected:
  uint64_t plant(std::string_view match, std::string_view action) {
    return host.device.faults().add(parse_fault(match, action));
  }
  FaultFiring firing(uint64_t id) {
    const auto state = host.device.faults().state(id);
    EXPECT_EQ(state->firings.size(), 1u);
    return state->firings.empty() ? FaultFiring{} : state->firings[0];
  }
  // Eight LBAs, of one value each: value, value + 1, ...
  void write(uint64_t slba, uint8_t value, uint32_t nsid = 1) {
    for (uint32_t i = 0; i < 8; ++i) std::memset(host.at(data) + i * kLba, value + i, kLba);
    Command command = write_command(data, slba, 8);
    command.dw[1] = nsid;
    ASSERT_EQ(host.status(q, command), 0);
  }
  std::vector<uint8_t> read(uint64_t slba, uint32_t nsid = 1) {
    std::memset(host.at(data), 0xEE, 4096);
    Command command = read_command(data, slba, 8);
    command.dw[1] = nsid;
    EXPECT_EQ(host.status(q, command), 0);
    return {host.at(data), host.at(data) + 4096};
  }
  static std::vector<uint8_t> expected(std::array<uint8_t, 8> values) {
    std::vector<uint8_t> bytes;
    for (const uint8_t value : values) bytes.insert(bytes.end(), kLba, value);
    return bytes;
  }
  static int bits_apart(const std::vector<uint8_t>& a, const std::vector<uint8_t>& b) {
    int bits = 0;
    for (size_t i = 0; i < a.size(); ++i) bits += std::popcount(static_cast<uint8_t>(a[i] ^ b[i]));
    return bits;
  }

  TestHost host{config_of(GetParam())};
  HostQueue q = host.create_queue(1);
  uint64_t data = host.page();
  const std::vector<uint8_t> kOld = expected({1, 2, 3, 4, 5, 6, 7, 8});
  const std::vector<uint8_t> kNew = expected({11, 12, 13, 14, 15, 16, 17, 18});
};

INSTANTIATE_TEST_SUITE_P(DirectAndTimed, NvmFaultsTest, ::testing::Values(0.0, 1.0));

TEST_P(NvmFaultsTest, FlipInWhatIsReturned) {
  write(0, 1);
  const uint64_t id = plant("read,lba=3,count=1", "flip:bits=5");
  const auto got = read(0);
  EXPECT_EQ(bits_apart(got, kOld), 5);
  EXPECT_TRUE(std::equal(got.begin(), got.begin() + 3 * kLba, kOld.begin()));
  EXPECT_TRUE(std::equal(got.begin() + 4 * kLba, got.end(), kOld.begin() + 4 * kLba));
  EXPECT_EQ(firing(id).lba, 3u);
  EXPECT_EQ(read(0), kOld) << "the media are as they were";
}

TEST_P(NvmFaultsTest, FlipOfANamedBit) {
  write(0, 1);
  plant("read,lba=2,count=1", "flip:bit=17,bits=2");
  auto wanted = kOld;
  wanted[2 * kLba + 2] ^= 0x06;
  EXPECT_EQ(read(0), wanted);
}

TEST_P(NvmFaultsTest, FlipInWhatIsStoredAndOnTheMedia) {
  for (const char* action : {"flip", "flip:where=media"}) {
    write(0, 1);
    plant("write,lba=3,count=1", action);
    write(0, 1);
    const auto got = read(0);
    EXPECT_EQ(bits_apart(got, kOld), 1);
    EXPECT_EQ(read(0), got);
  }
  write(0, 1);
  plant("read,count=1", "flip:where=media,bits=2");
  const auto got = read(0);
  EXPECT_EQ(bits_apart(got, kOld), 2);
  EXPECT_EQ(read(0), got) << "on the media";
}

TEST_P(NvmFaultsTest, Zeroes) {
  write(0, 1);
  plant("read,lba=2-3,count=1", "zeroes");
  EXPECT_EQ(read(0), expected({1, 2, 0, 0, 5, 6, 7, 8}));
  EXPECT_EQ(read(0), kOld);
  plant("write,lba=7,count=1", "zeroes");
  write(0, 11);
  EXPECT_EQ(read(0), expected({11, 12, 13, 14, 15, 16, 17, 0}));
  plant("read,lba=0,count=1", "zeroes:where=media");
  EXPECT_EQ(read(0), expected({0, 12, 13, 14, 15, 16, 17, 0}));
  EXPECT_EQ(read(0), expected({0, 12, 13, 14, 15, 16, 17, 0}));
}

TEST_P(NvmFaultsTest, Drop) {
  write(0, 1);
  const uint64_t id = plant("count=1", "drop");
  write(0, 11);
  EXPECT_EQ(read(0), kOld);
  EXPECT_EQ(firing(id).text, "LBAs 0 to 7 not touched");
  write(0, 11);
  EXPECT_EQ(read(0), kNew);
  plant("trim,count=1", "drop");
  const std::array<uint32_t, 4> range{0, 8, 0, 0};
  host.put(data, range);
  ASSERT_EQ(host.status(q, Command::make(0x09, 1).prp(data).set(11, 4)), 0);
  EXPECT_EQ(read(0), kNew);
}

TEST_P(NvmFaultsTest, Misdirect) {
  write(0, 1);
  write(8, 1);
  const uint64_t id = plant("write,count=1", "misdirect");
  write(0, 11);
  EXPECT_EQ(read(0), kOld);
  EXPECT_EQ(read(8), kNew);
  EXPECT_EQ(firing(id).lba, 0u);
  EXPECT_EQ(firing(id).to_lba, 8u);
  plant("read,count=1", "misdirect:to=8");
  EXPECT_EQ(read(0), kNew);
  // Past the beginning of the namespace: from its last place on.
  const uint64_t lbas = (uint64_t{32} << 20) / kLba;
  write(lbas - 8, 11);
  plant("read,count=1", "misdirect:to=-1");
  EXPECT_EQ(read(0), kNew);
}

TEST_P(NvmFaultsTest, OtherNamespace) {
  write(0, 1);
  write(0, 11, 2);
  const uint64_t id = plant("read,count=1", "other_namespace");
  EXPECT_EQ(read(0), kNew);
  EXPECT_EQ(firing(id).to_nsid, 2u);
  plant("write,count=1,nsid=2", "other_namespace:nsid=1");
  write(0, 11, 2);
  EXPECT_EQ(read(0), kNew);
  const uint64_t none = plant("read", "other_namespace:nsid=7");
  read(0);
  EXPECT_EQ(host.device.faults().state(none)->matched, 0u) << "there is none";
}

TEST_P(NvmFaultsTest, Tear) {
  const auto torn = [&](std::string_view action) {
    write(0, 1);
    plant("write,count=1", action);
    write(0, 11);
    return read(0);
  };
  EXPECT_EQ(torn("tear"), expected({11, 12, 13, 14, 5, 6, 7, 8}));
  EXPECT_EQ(torn("tear:first=1"), expected({11, 2, 3, 4, 5, 6, 7, 8}));
  EXPECT_EQ(torn("tear:last=2"), expected({1, 2, 3, 4, 5, 6, 17, 18}));
  EXPECT_EQ(torn("tear:first=0"), kOld);
  EXPECT_EQ(torn("tear:first=100"), kNew);
  auto wanted = expected({11, 2, 3, 4, 5, 6, 7, 8});
  std::fill_n(wanted.begin() + kLba, 88, 12);
  EXPECT_EQ(torn("tear:first_bytes=600"), wanted);
  wanted = expected({1, 2, 3, 4, 5, 6, 7, 8});
  std::fill_n(wanted.end() - 10, 10, 18);
  EXPECT_EQ(torn("tear:last_bytes=10"), wanted);
}

TEST_P(NvmFaultsTest, TearOfWhatWasNeverWritten) {
  plant("write,count=1", "tear:first_bytes=100");
  write(0, 11);
  std::vector<uint8_t> wanted(4096);
  std::fill_n(wanted.begin(), 100, 11);
  EXPECT_EQ(read(0), wanted);
}

TEST_P(NvmFaultsTest, Stale) {
  write(0, 1);
  const uint64_t id = plant("lba=2-4", "stale");
  EXPECT_EQ(read(0), kOld) << "nothing is older";
  write(0, 11);
  EXPECT_EQ(read(0), expected({11, 12, 3, 4, 5, 16, 17, 18}));
  EXPECT_EQ(firing(id).lba, 2u);
  EXPECT_EQ(firing(id).text, "older version of LBAs 2 to 4");
  write(0, 21);
  EXPECT_EQ(read(0), expected({21, 22, 13, 14, 15, 26, 27, 28}));
  host.device.faults().clear();
  EXPECT_EQ(read(0), expected({21, 22, 23, 24, 25, 26, 27, 28}));
}

TEST_P(NvmFaultsTest, StaleWaitsForSomethingOlder) {
  write(0, 1);
  write(8, 1);
  const uint64_t id = plant("read,nth=2", "stale");
  write(0, 11);
  EXPECT_EQ(read(0), kNew);
  EXPECT_EQ(read(8), kOld) << "the second one, and nothing is older";
  EXPECT_EQ(read(0), kOld);
  EXPECT_EQ(read(0), kNew);
  EXPECT_EQ(firing(id).match, 3u);
}

TEST_P(NvmFaultsTest, SeveralOnOneCommand) {
  write(0, 1);
  plant("write,lba=0,count=1", "zeroes");
  plant("write,lba=7,count=1", "tear:first=6");
  write(0, 11);
  EXPECT_EQ(read(0), expected({0, 12, 13, 14, 15, 16, 7, 8}));
}

TEST_P(NvmFaultsTest, ReadErrorsStayReadErrors) {
  write(0, 1);
  ASSERT_EQ(host.status(q, Command::make(0x04, 1).slba(4).nlb(1)), 0);
  plant("read,lba=1", "zeroes");
  std::memset(host.at(data), 0xEE, 4096);
  EXPECT_EQ(host.status(q, read_command(data, 0, 8)), 0x281);
  auto wanted = expected({1, 0, 3, 4, 0xEE, 0xEE, 0xEE, 0xEE});
  EXPECT_EQ(std::vector<uint8_t>(host.at(data), host.at(data) + 4096), wanted);
}

TEST_P(NvmFaultsTest, CommandsThatFailDoNotMatch) {
  const uint64_t id = plant("read", "flip");
  EXPECT_EQ(host.status(q, read_command(data, ~0ull, 8)), 0x080);
  EXPECT_EQ(host.device.faults().state(id)->matched, 0u);
}

}  // namespace
}  // namespace pynvme::ssd::testing
