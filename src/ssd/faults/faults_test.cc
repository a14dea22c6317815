// Which commands fire, how often, and what is recorded of it.
#include "ssd/faults/faults.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "ssd/faults/fault_text.h"

namespace pynvme::ssd {
namespace {

class FaultsTest : public ::testing::Test {
 protected:
  uint64_t add(std::string_view match, std::string_view action = "drop") {
    return faults.add(parse_fault(match, action));
  }
  size_t write(uint64_t lba = 0, uint16_t sqid = 1) {
    spec::Sqe sqe{};
    sqe.opcode = 0x01;
    sqe.nsid = 1;
    sqe.cid = ++cid;
    sqe.set_slba(lba);
    return faults
        .fire(FaultPoint::kExecute, FaultSubject(sqe, sqid), [](const Fault&) { return true; })
        .size();
  }
  std::vector<int> firing(int commands) {
    std::vector<int> fired;
    for (int i = 1; i <= commands; ++i) {
      if (write() != 0) fired.push_back(i);
    }
    return fired;
  }

  base::Clock clock = base::Clock::manual(5'000);
  Faults faults{clock};
  uint16_t cid = 0;
};

TEST_F(FaultsTest, ArmedOnlyWhileOneMayFire) {
  EXPECT_FALSE(faults.armed(FaultPoint::kExecute));
  const uint64_t id = add("count=1");
  EXPECT_TRUE(faults.armed(FaultPoint::kExecute));
  EXPECT_FALSE(faults.armed(FaultPoint::kComplete));
  EXPECT_EQ(write(), 1u);
  EXPECT_FALSE(faults.armed(FaultPoint::kExecute));
  EXPECT_FALSE(faults.state(id)->armed);
  EXPECT_EQ(faults.list().size(), 1u) << "still listed";
}

TEST_F(FaultsTest, AfterAndCountAndNth) {
  add("after=2,count=3");
  EXPECT_EQ(firing(8), (std::vector{3, 4, 5}));
  faults.clear();
  add("nth=4");
  EXPECT_EQ(firing(8), (std::vector{4}));
  faults.clear();
  add("");
  EXPECT_EQ(firing(3), (std::vector{1, 2, 3}));
}

TEST_F(FaultsTest, ChanceIsThatOfTheSeed) {
  add("chance=0.1,seed=7");
  const std::vector<int> first = firing(1000);
  EXPECT_GT(first.size(), 60u);
  EXPECT_LT(first.size(), 140u);
  faults.clear();
  add("chance=0.1,seed=7");
  EXPECT_EQ(firing(1000), first);
  faults.clear();
  add("chance=0.1,seed=8");
  EXPECT_NE(firing(1000), first);
  faults.clear();
  add("chance=0");
  EXPECT_EQ(firing(100).size(), 0u);
}

TEST_F(FaultsTest, SeveralActInTheOrderInWhichTheyWerePlanted) {
  const uint64_t first = add("lba=0-9");
  const uint64_t second = add("lba=5");
  EXPECT_EQ(write(4), 1u);
  EXPECT_EQ(write(5), 2u);
  EXPECT_TRUE(faults.clear(first));
  EXPECT_FALSE(faults.clear(first));
  EXPECT_EQ(write(5), 1u);
  EXPECT_EQ(faults.state(first)->fired, 2u) << "known after it was cleared";
  EXPECT_FALSE(faults.state(first)->armed);
  EXPECT_EQ(faults.state(second)->fired, 2u);
  EXPECT_FALSE(faults.state(99));
}

TEST_F(FaultsTest, TheRecordSaysOnWhichCommand) {
  const uint64_t id = add("after=1");
  write(7);
  write(8, 3);
  const FaultState state = *faults.state(id);
  EXPECT_EQ(state.matched, 2u);
  EXPECT_EQ(state.fired, 1u);
  ASSERT_EQ(state.firings.size(), 1u);
  const FaultFiring& firing = state.firings[0];
  EXPECT_EQ(firing.match, 2u);
  EXPECT_EQ(firing.qid, 3);
  EXPECT_EQ(firing.cid, 2);
  EXPECT_EQ(firing.opcode, 0x01);
  EXPECT_EQ(firing.nsid, 1u);
  EXPECT_EQ(firing.slba, 8u);
  EXPECT_EQ(firing.nlb, 1u);
  EXPECT_EQ(firing.time_ns, 5'000u);
}

TEST_F(FaultsTest, TheRecordKeepsTheLast) {
  const uint64_t id = add("");
  for (uint64_t i = 0; i < kFiringsKept + 10; ++i) write(i);
  const FaultState state = *faults.state(id);
  EXPECT_EQ(state.fired, kFiringsKept + 10);
  ASSERT_EQ(state.firings.size(), kFiringsKept);
  EXPECT_EQ(state.firings.front().slba, 10u);
  EXPECT_EQ(state.firings.back().slba, kFiringsKept + 9);
}

TEST(FaultHistory, KeepsTheLastVersions) {
  FaultHistory history;
  const uint64_t kept = FaultHistory::kBytesKept / 512;
  for (uint64_t lba = 0; lba < kept; ++lba) {
    history.keep(1, lba, std::vector<uint8_t>(512, static_cast<uint8_t>(lba)));
  }
  history.keep(1, 0, std::vector<uint8_t>(512, 0x55));
  ASSERT_NE(history.find(1, 1, 512), nullptr);
  history.keep(1, kept, std::vector<uint8_t>(512, 1));
  ASSERT_NE(history.find(1, 0, 512), nullptr) << "it was written again";
  EXPECT_EQ((*history.find(1, 0, 512))[0], 0x55);
  EXPECT_EQ(history.find(1, 1, 512), nullptr) << "the one that was written longest ago";
  history.keep(1, 1, std::vector<uint8_t>(512, 0xAA));
  EXPECT_EQ((*history.find(1, 1, 512))[0], 0xAA);
  EXPECT_EQ(history.find(2, 1, 512), nullptr);
  EXPECT_EQ(history.find(1, 1, 4096), nullptr);
  history.clear();
  EXPECT_EQ(history.find(1, 1, 512), nullptr);
}

}  // namespace
}  // namespace pynvme::ssd
