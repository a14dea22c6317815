#include "ssd/model/thermal.h"

#include <thread>

#include <gtest/gtest.h>

namespace pynvme::ssd {
namespace {

constexpr uint64_t kSecond = 1'000'000'000;

// Feeds `gb_per_second` for `seconds`, a hundred times a second.
void load(Thermal& thermal, uint64_t& now_ns, double gb_per_second, uint64_t seconds) {
  for (uint64_t i = 0; i < seconds * 100; ++i) {
    now_ns += kSecond / 100;
    thermal.feed(static_cast<uint64_t>(gb_per_second * 1e7), now_ns);
  }
}

TEST(Thermal, IdleStaysWhereItIs) {
  Thermal thermal(5 * kSecond);
  EXPECT_EQ(thermal.kelvin(5 * kSecond), Thermal::kIdleKelvin);
  EXPECT_EQ(thermal.kelvin(5000 * kSecond), Thermal::kIdleKelvin);
}

TEST(Thermal, FollowsTheLoadAndComesBack) {
  Thermal thermal(0);
  uint64_t now_ns = 0;
  load(thermal, now_ns, 3.0, 20);  // towards 25 more, by 1 - 1/e of it
  EXPECT_NEAR(thermal.kelvin(now_ns), 308 + 15.8, 1.0);
  load(thermal, now_ns, 3.0, 200);
  EXPECT_EQ(thermal.kelvin(now_ns), 333);
  now_ns += 20 * kSecond;
  EXPECT_NEAR(thermal.kelvin(now_ns), 308 + 9.2, 1.0);
  now_ns += 300 * kSecond;
  EXPECT_EQ(thermal.kelvin(now_ns), 308);
}

TEST(Thermal, HigherLoadIsHotterButBounded) {
  uint16_t before = 308;
  for (const double gb_per_second : {0.5, 1.0, 2.0, 4.0, 8.0}) {
    Thermal thermal(0);
    uint64_t now_ns = 0;
    load(thermal, now_ns, gb_per_second, 300);
    EXPECT_GT(thermal.kelvin(now_ns), before);
    before = thermal.kelvin(now_ns);
  }
  EXPECT_LT(before, kCriticalKelvin);
}

TEST(Thermal, CoolsToAmbientWithoutPower) {
  Thermal thermal(0);
  thermal.set_powered(false, kSecond);
  EXPECT_EQ(thermal.kelvin(500 * kSecond), Thermal::kAmbientKelvin);
  thermal.set_powered(true, 500 * kSecond);
  EXPECT_EQ(thermal.kelvin(1000 * kSecond), Thermal::kIdleKelvin);
}

TEST(Thermal, TimeThatStandsStillIsNoTrouble) {
  Thermal thermal(kSecond);
  thermal.feed(1 << 30, kSecond);
  thermal.set_powered(true, kSecond);
  EXPECT_EQ(thermal.kelvin(kSecond), Thermal::kIdleKelvin);
}

TEST(Thermal, ManyThreadsFeedOne) {
  Thermal thermal(0);
  const auto work = [&] {
    for (uint64_t i = 1; i <= 2000; ++i) {
      thermal.feed(1'500'000'000 / 100, i * kSecond / 100);
      if (i % 10 != 0) continue;
      EXPECT_GE(thermal.kelvin(i * kSecond / 100), Thermal::kIdleKelvin);
    }
  };
  std::thread first(work);
  std::thread second(work);
  first.join();
  second.join();
  EXPECT_LT(thermal.kelvin(20 * kSecond), kCriticalKelvin);
}

}  // namespace
}  // namespace pynvme::ssd
