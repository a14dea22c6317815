// Fused compare-and-write, whole and broken, with and without the latency model.
#include "ssd/test_host.h"

namespace pynvme::ssd::testing {
namespace {

class FusedTest : public ::testing::TestWithParam<double> {
 protected:
  static Config config() {
    Config config = TestHost::quick();
    config.latency_scale = GetParam();
    return config;
  }
  Command compare(uint64_t slba = 0, uint32_t nlb = 1) {
    return Command::make(0x05, 1).prp(old_data).slba(slba).nlb(nlb).fuse(1);
  }
  Command write(uint64_t slba = 0, uint32_t nlb = 1) {
    return write_command(new_data, slba, nlb).fuse(2);
  }
  // Statuses in the order of the CIDs.
  std::vector<uint16_t> run(const std::vector<Command>& commands) {
    for (size_t i = 0; i < commands.size(); ++i) {
      host.place(q, commands[i], static_cast<uint16_t>(i));
    }
    host.ring_tail(q);
    std::vector<uint16_t> statuses(commands.size(), 0xFFFF);
    for (size_t i = 0; i < commands.size(); ++i) {
      const Completion c = host.wait(q);
      statuses.at(c.cid()) = c.status();
    }
    return statuses;
  }
  int stored() {
    EXPECT_EQ(host.status(q, read_command(in, 0, 1)), 0);
    return *host.at(in);
  }
  void SetUp() override {
    std::memset(host.at(new_data), 2, 8192);
    std::memset(host.at(in), 1, 4096);
    ASSERT_EQ(host.status(q, write_command(in, 0, 8)), 0);
    std::memset(host.at(old_data), 1, 4096);
  }

  using Statuses = std::vector<uint16_t>;
  TestHost host{config()};
  HostQueue q = host.create_queue(1);
  uint64_t old_data = host.page(2);
  uint64_t new_data = host.page(2);
  uint64_t in = host.page();
};

TEST_P(FusedTest, WritesWhenEqual) {
  EXPECT_EQ(run({compare(), write()}), (Statuses{0, 0}));
  EXPECT_EQ(stored(), 2);
}

TEST_P(FusedTest, DoesNotWriteWhenDifferent) {
  host.at(old_data)[100] = 9;
  EXPECT_EQ(run({compare(), write()}), (Statuses{0x285, 0x009}));
  EXPECT_EQ(stored(), 1);
}

TEST_P(FusedTest, AmongOthers) {
  const Command flush = Command::make(0x00, 1);
  EXPECT_EQ(run({flush, compare(), write(), flush, flush}), (Statuses{0, 0, 0, 0, 0}));
  EXPECT_EQ(stored(), 2);
}

TEST_P(FusedTest, ManyPairsInABatch) {
  std::vector<Command> commands;
  for (int i = 0; i < 20; ++i) {
    commands.push_back(compare());
    commands.push_back(write());
  }
  Statuses statuses = run(commands);
  EXPECT_EQ(statuses[0], 0);
  EXPECT_EQ(statuses[1], 0);
  for (size_t i = 2; i < statuses.size(); i += 2) {
    EXPECT_EQ(statuses[i], 0x285);
    EXPECT_EQ(statuses[i + 1], 0x009);
  }
}

TEST_P(FusedTest, BrokenPairs) {
  EXPECT_EQ(run({compare()}), (Statuses{0x00A})) << "no second";
  EXPECT_EQ(run({write()}), (Statuses{0x00A})) << "no first";
  EXPECT_EQ(run({compare(), Command::make(0x00, 1)}), (Statuses{0x00A, 0}));
  EXPECT_EQ(run({compare(), compare(), write()}), (Statuses{0x00A, 0, 0}));
  EXPECT_EQ(run({read_command(in, 0, 1).fuse(1)}), (Statuses{0x002})) << "no half of any pair";
  EXPECT_EQ(run({compare().fuse(2)}), (Statuses{0x002})) << "not the second";
  EXPECT_EQ(run({write_command(new_data, 0, 1).fuse(1)}), (Statuses{0x002})) << "not the first";
  EXPECT_EQ(stored(), 2);
}

TEST_P(FusedTest, PairsThatAreNone) {
  EXPECT_EQ(run({read_command(in, 0, 1).fuse(1), write()}), (Statuses{0x002, 0x002}));
  EXPECT_EQ(run({compare(), read_command(in, 0, 1).fuse(2)}), (Statuses{0x002, 0x002}));
  EXPECT_EQ(run({compare(0), write(1)}), (Statuses{0x002, 0x002}));
  EXPECT_EQ(run({compare(0, 1), write(0, 2)}), (Statuses{0x002, 0x002}));
  EXPECT_EQ(run({compare(0, 9), write(0, 9)}), (Statuses{0x014, 0x014})) << "beyond ACWU";
  EXPECT_EQ(run({compare(0, 8), write(0, 8)}), (Statuses{0, 0}));
}

TEST_P(FusedTest, OneBadHalfStopsTheOther) {
  EXPECT_EQ(run({compare(), write().prp(0x5000)}), (Statuses{0x009, 0x004}));
  EXPECT_EQ(run({compare().prp(0x5000), write()}), (Statuses{0x004, 0x009}));
  Command wrong = write();
  wrong.dw[1] = 99;
  EXPECT_EQ(run({compare(), wrong}), (Statuses{0x009, 0x00B}));
  EXPECT_EQ(stored(), 1);
}

TEST_P(FusedTest, AcrossTheEndOfTheQueue) {
  // The first lies in the last entry, the second in the first.
  for (uint32_t i = q.tail; i < q.depth - 1; ++i) {
    ASSERT_EQ(host.status(q, Command::make(0x00, 1)), 0);
  }
  ASSERT_EQ(q.tail, q.depth - 1);
  EXPECT_EQ(run({compare(), write()}), (Statuses{0, 0}));
  EXPECT_EQ(stored(), 2);
}

INSTANTIATE_TEST_SUITE_P(Latency, FusedTest, ::testing::Values(0.0, 1.0),
                         [](const auto& param) { return param.param == 0 ? "Off" : "On"; });

}  // namespace
}  // namespace pynvme::ssd::testing
