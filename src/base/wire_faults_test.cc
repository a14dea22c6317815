#include "base/wire_faults.h"

#include <gtest/gtest.h>

namespace pynvme::base {
namespace {

constexpr uint8_t kHere = 4;
constexpr uint8_t kThere = 6;

TEST(WireFaults, BefallsWhatMatchesAndNothingElse) {
  WireFaults faults;
  EXPECT_FALSE(faults.armed());
  faults.add({WireAction::kDrop, kHere, uint16_t{1}, 1, 2, 0});
  EXPECT_TRUE(faults.armed());
  EXPECT_EQ(faults.left(), 2U);
  EXPECT_FALSE(faults.take(kThere, 1));
  EXPECT_FALSE(faults.take(kHere, 2));
  EXPECT_FALSE(faults.take(kHere, 1));  // skipped
  EXPECT_EQ(faults.take(kHere, 1)->action, WireAction::kDrop);
  EXPECT_TRUE(faults.armed());
  EXPECT_TRUE(faults.take(kHere, 1));
  EXPECT_FALSE(faults.armed());
  EXPECT_FALSE(faults.take(kHere, 1));
}

TEST(WireFaults, OfAnyPduAndQueueInTheirOrder) {
  WireFaults faults;
  faults.add({WireAction::kSwap, {}, {}, 0, 1, 0});
  faults.add({WireAction::kDelay, {}, {}, 0, 1, 70});
  EXPECT_EQ(faults.take(kHere, 0)->action, WireAction::kSwap);
  EXPECT_EQ(faults.take(kThere, 9)->delay_ms, 70U);
  EXPECT_EQ(faults.left(), 0U);
}

TEST(WireFaults, AreCleared) {
  WireFaults faults;
  faults.add({});
  faults.clear();
  EXPECT_FALSE(faults.armed());
  EXPECT_FALSE(faults.take(kHere, 0));
  faults.add({WireAction::kDrop, {}, {}, 0, 0, 0});
  EXPECT_FALSE(faults.armed());
}

}  // namespace
}  // namespace pynvme::base
