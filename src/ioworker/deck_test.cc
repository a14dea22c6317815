#include "ioworker/deck.h"

#include <map>

#include <gtest/gtest.h>

namespace pynvme::ioworker {
namespace {

TEST(Deck, EveryCycleHasExactlyTheRatios) {
  base::Rng rng(7);
  Deck deck({4, 0, 10, 6});
  ASSERT_EQ(deck.cycle(), 10U);
  for (int cycle = 0; cycle < 50; ++cycle) {
    std::map<uint16_t, int> dealt;
    for (int i = 0; i < 10; ++i) ++dealt[deck.draw(rng)];
    EXPECT_EQ(dealt, (std::map<uint16_t, int>{{0, 2}, {2, 5}, {3, 3}}));
  }
}

TEST(Deck, OrdersDiffer) {
  base::Rng rng(7);
  Deck deck({50, 50});
  std::vector<std::vector<uint16_t>> cycles(2);
  Deck wide({1, 2, 3, 4, 5, 6, 7});
  for (auto& cycle : cycles) {
    for (size_t i = 0; i < wide.cycle(); ++i) cycle.push_back(wide.draw(rng));
  }
  EXPECT_NE(cycles[0], cycles[1]);
  EXPECT_EQ(deck.cycle(), 2U);
}

TEST(Deck, OneCardTakesNoRandomNumber) {
  base::Rng used(7);
  base::Rng untouched(7);
  Deck deck({0, 100});
  for (int i = 0; i < 10; ++i) EXPECT_EQ(deck.draw(used), 1);
  EXPECT_EQ(used.next(), untouched.next());
}

}  // namespace
}  // namespace pynvme::ioworker
