#include "ioworker/sequence.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>
#include <vector>

#include <gtest/gtest.h>

#include "spec/opcode.h"

namespace pynvme::ioworker {
namespace {

constexpr uint64_t kSeed = 20;
const Limits kLimits{.lba_count = 100'000, .lba = {}, .mdts_bytes = 0, .max_queue_entries = 1024};

std::vector<Draw> take(const Workload& w, size_t count, uint64_t seed = kSeed) {
  Sequence sequence(w, kLimits, seed);
  std::vector<Draw> draws;
  Draw draw;
  while (draws.size() < count && sequence.next(draw)) draws.push_back(draw);
  return draws;
}

std::vector<uint64_t> addresses(const Workload& w, size_t count) {
  std::vector<uint64_t> result;
  for (const Draw& draw : take(w, count)) result.push_back(draw.slba);
  return result;
}

Workload sequential(uint64_t start, uint64_t end, int64_t size = 8) {
  Workload w;
  w.lba_random = 0;
  w.region_start = start;
  w.region_end = end;
  w.io_size = {{size, 1}};
  return w;
}

using List = std::vector<uint64_t>;

TEST(Sequence, OnePassEndsWithATruncatedIo) {
  const auto draws = take(sequential(10, 35), 100);
  ASSERT_EQ(draws.size(), 4U);
  EXPECT_EQ(draws[0].slba, 10U);
  EXPECT_EQ(draws[2].slba, 26U);
  EXPECT_EQ(draws[2].nlb, 8U);
  EXPECT_EQ(draws[3].slba, 34U);
  EXPECT_EQ(draws[3].nlb, 1U);
}

TEST(Sequence, OnePassThatFitsHasNoTruncatedIo) {
  const auto draws = take(sequential(0, 32), 100);
  ASSERT_EQ(draws.size(), 4U);
  EXPECT_EQ(draws[3].nlb, 8U);
}

TEST(Sequence, OnePassOverTheWholeNamespaceStopsAtItsEnd) {
  Workload w = sequential(0, UINT64_MAX, 256);
  const auto draws = take(w, 1000);
  ASSERT_EQ(draws.size(), 391U);
  EXPECT_EQ(draws.back().slba + draws.back().nlb, kLimits.lba_count);
  EXPECT_EQ(draws.back().nlb, 160U);
}

TEST(Sequence, OnePassDownCoversTheRegionFromTheTop) {
  Workload w = sequential(3, 30);
  w.lba_step = -8;
  const auto draws = take(w, 100);
  ASSERT_EQ(draws.size(), 4U);
  EXPECT_EQ(draws[0].slba, 22U);
  EXPECT_EQ(draws[2].slba, 6U);
  EXPECT_EQ(draws[3].slba, 3U);
  EXPECT_EQ(draws[3].nlb, 3U);
}

TEST(Sequence, SequentialWrapsAtTheLastIoThatFits) {
  Workload w = sequential(100, 130);
  w.io_count = 10;
  EXPECT_EQ(addresses(w, 6), (List{100, 108, 116, 100, 108, 116}));
}

TEST(Sequence, StartAndAlignment) {
  Workload w = sequential(0, 1000, 7);
  w.io_count = 100;
  w.lba_align = {11};
  EXPECT_EQ(addresses(w, 4), (List{0, 11, 22, 33}));
  w.lba_start = 985;
  EXPECT_EQ(addresses(w, 3), (List{990, 0, 11}));
  // Outside of the region: from its start.
  w.lba_start = 8000;
  EXPECT_EQ(addresses(w, 2), (List{0, 11}));
  w.lba_start = 1000;
  EXPECT_EQ(addresses(w, 2), (List{0, 11}));
}

TEST(Sequence, StepsUpAndDown) {
  Workload w = sequential(0, 40);
  w.io_count = 100;
  w.lba_step = 16;
  EXPECT_EQ(addresses(w, 5), (List{0, 16, 32, 0, 16}));
  w.lba_step = 1;
  EXPECT_EQ(addresses(w, 3), (List{0, 1, 2}));
  w.lba_step = -3;
  w.lba_start = 5;
  EXPECT_EQ(addresses(w, 5), (List{5, 2, 32, 29, 26}));
  w.lba_step = 0;
  EXPECT_EQ(addresses(w, 3), (List{5, 5, 5}));
}

TEST(Sequence, StepsDownKeepTheAlignment) {
  Workload w = sequential(5, 45);
  w.io_count = 100;
  w.lba_align = {4};
  w.lba_step = -7;
  w.lba_start = 18;
  EXPECT_EQ(addresses(w, 5), (List{16, 8, 36, 28, 20}));
}

TEST(Sequence, MixedSizesFollowOneAnotherWithoutGaps) {
  Workload w = sequential(0, 100'000);
  w.io_size = {{1, 2}, {8, 1}, {3, 1}};
  w.io_count = 1000;
  uint64_t expected = 0;
  for (const Draw& draw : take(w, 1000)) {
    EXPECT_EQ(draw.slba, expected);
    expected += draw.nlb;
  }
}

TEST(Sequence, SizesHaveTheirRatiosInEveryCycle) {
  Workload w;
  w.time_s = 1;
  w.io_size = {{1, 4}, {8, 10}, {128, 6}};
  const auto draws = take(w, 1000);
  for (size_t cycle = 0; cycle < draws.size(); cycle += 10) {
    std::map<uint32_t, int> sizes;
    for (size_t i = cycle; i < cycle + 10; ++i) ++sizes[draws[i].nlb];
    EXPECT_EQ(sizes, (std::map<uint32_t, int>{{1, 2}, {8, 5}, {128, 3}}));
  }
}

TEST(Sequence, EachSizeHasItsOwnAlignment) {
  Workload w;
  w.time_s = 1;
  w.io_size = {{1, 1}, {8, 1}, {7, 1}};
  w.lba_align = {3, 16, 5};
  const std::map<uint32_t, uint64_t> align{{1, 3}, {8, 16}, {7, 5}};
  for (const Draw& draw : take(w, 3000)) {
    EXPECT_EQ(draw.slba % align.at(draw.nlb), 0U);
    EXPECT_LE(draw.slba + draw.nlb, kLimits.lba_count);
  }
}

TEST(Sequence, RandomIsAlignedToItsSizeUpTo4KiB) {
  Workload w;
  w.time_s = 1;
  w.io_size = {{2, 1}, {64, 1}};
  for (const Draw& draw : take(w, 1000)) EXPECT_EQ(draw.slba % std::min(draw.nlb, 8U), 0U);
}

TEST(Sequence, RandomReachesEveryPlaceOfItsRegionAndNoOther) {
  Workload w;
  w.time_s = 1;
  w.region_start = 1004;
  w.region_end = 1047;
  std::set<uint64_t> seen;
  for (const Draw& draw : take(w, 500)) seen.insert(draw.slba);
  EXPECT_EQ(seen, (std::set<uint64_t>{1008, 1016, 1024, 1032}));
  // A region too small for the default alignment is used anyway.
  w.region_start = 1001;
  w.region_end = 1010;
  seen.clear();
  for (const Draw& draw : take(w, 100)) seen.insert(draw.slba);
  EXPECT_EQ(seen, (std::set<uint64_t>{1001, 1002}));
}

TEST(Sequence, PerCentRandomLeavesTheSequentialStreamInOrder) {
  Workload w;
  w.time_s = 1;
  w.lba_random = 30;
  w.region_end = 80'000;
  const auto draws = take(w, 1000);
  // The stream is the longest chain 0, 8, 16, ...: exactly 700 of 1000, the rest are elsewhere.
  uint64_t expected = 0;
  size_t in_order = 0;
  for (const Draw& draw : draws) {
    if (draw.slba != expected) continue;
    expected += 8;
    ++in_order;
  }
  EXPECT_GE(in_order, 700U);
  EXPECT_LE(in_order, 703U);
}

TEST(Sequence, OpcodesHaveTheirRatiosInEveryCycle) {
  Workload w;
  w.time_s = 1;
  w.op_percentage = {{spec::io::kRead, 50},
                     {spec::io::kWrite, 30},
                     {spec::io::kFlush, 5},
                     {spec::io::kDatasetManagement, 15}};
  const auto draws = take(w, 200);
  for (size_t cycle = 0; cycle < draws.size(); cycle += 20) {
    std::map<uint8_t, int> opcodes;
    for (size_t i = cycle; i < cycle + 20; ++i) ++opcodes[draws[i].opcode];
    EXPECT_EQ(opcodes, (std::map<uint8_t, int>{{0, 1}, {1, 6}, {2, 10}, {9, 3}}));
  }
  for (const Draw& draw : draws) EXPECT_EQ(draw.nlb, draw.opcode == spec::io::kFlush ? 0U : 8U);
}

TEST(Sequence, ReadPercentage) {
  Workload w;
  w.time_s = 1;
  w.read_percentage = 67;
  const auto draws = take(w, 100);
  EXPECT_EQ(std::count_if(draws.begin(), draws.end(),
                          [](const Draw& draw) { return draw.opcode == spec::io::kRead; }),
            67);
}

TEST(Sequence, DistributionIsExactForEvery10000Ios) {
  Workload w;
  w.time_s = 1;
  w.io_size = {{1, 4}, {8, 67}, {128, 3}};
  w.distribution.assign(100, 25);
  std::fill_n(w.distribution.begin(), 5, 1000);
  std::fill_n(w.distribution.begin() + 5, 15, 200);
  const auto draws = take(w, 20'000);
  for (size_t cycle = 0; cycle < draws.size(); cycle += 10'000) {
    std::vector<int64_t> counts(100, 0);
    for (size_t i = cycle; i < cycle + 10'000; ++i) ++counts[draws[i].slba / 1000];
    // 10000 IOs are 400 times the reduced deck of 1000:200:25 = 40:8:1.
    EXPECT_EQ(counts, w.distribution);
  }
}

TEST(Sequence, DistributionRefusesAPartWithoutAnyPlace) {
  Workload w;
  w.time_s = 1;
  w.region_end = 200;  // parts of two LBAs
  w.distribution.assign(100, 100);
  EXPECT_THROW(Sequence(w, kLimits, kSeed), driver::InvalidArgument);
}

TEST(Sequence, TheSeedAloneDecides) {
  Workload w;
  w.time_s = 1;
  w.io_size = {{1, 1}, {8, 3}};
  w.read_percentage = 50;
  w.lba_random = 50;
  const auto key = [](const std::vector<Draw>& draws) {
    std::vector<std::tuple<uint64_t, uint32_t, uint8_t>> keys;
    for (const Draw& draw : draws) keys.emplace_back(draw.slba, draw.nlb, draw.opcode);
    return keys;
  };
  EXPECT_EQ(key(take(w, 1000, 1)), key(take(w, 1000, 1)));
  EXPECT_NE(key(take(w, 1000, 1)), key(take(w, 1000, 2)));
}

TEST(Sequence, ATraceIsReplayedAsItIs) {
  Workload w;
  w.io_size.clear();  // all else is ignored
  w.io_sequence = {{0, 2, 5, 8}, {10, 1, 6, 1}, {10, 0, 0, 0}};
  const auto draws = take(w, 10);
  ASSERT_EQ(draws.size(), 3U);
  EXPECT_EQ(draws[1].due_us, 10U);
  EXPECT_EQ(draws[1].opcode, 1);
  EXPECT_EQ(draws[1].slba, 6U);
  EXPECT_EQ(draws[0].nlb, 8U);
}

}  // namespace
}  // namespace pynvme::ioworker
