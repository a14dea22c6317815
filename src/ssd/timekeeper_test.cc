// The thread brings about what is due although nobody polls, also what was overdue when it looked.
#include "ssd/timekeeper.h"

#include <future>

#include <gtest/gtest.h>

namespace pynvme::ssd {
namespace {

TEST(Timekeeper, WhatIsOverdueAlreadyIsBroughtAbout) {
  const base::Clock& clock = base::Clock::real();
  for (int i = 0; i < 20; ++i) {
    std::promise<void> advanced;
    Timekeeper* itself = nullptr;
    Timekeeper timekeeper(clock, [&] {
      itself->note(UINT64_MAX);
      advanced.set_value();
    });
    itself = &timekeeper;
    timekeeper.note(clock.now_ns() - 1'000'000);
    ASSERT_EQ(advanced.get_future().wait_for(std::chrono::seconds(30)), std::future_status::ready);
    timekeeper.stop();
  }
}

TEST(Timekeeper, WhatFallsDueIsBroughtAboutThenAndNotBefore) {
  const base::Clock& clock = base::Clock::real();
  std::promise<uint64_t> advanced;
  Timekeeper* itself = nullptr;
  Timekeeper timekeeper(clock, [&] {
    itself->note(UINT64_MAX);
    advanced.set_value(clock.now_ns());
  });
  itself = &timekeeper;
  const uint64_t due = clock.now_ns() + 5'000'000;
  timekeeper.note(due);
  EXPECT_GE(advanced.get_future().get(), due);
  timekeeper.stop();
}

}  // namespace
}  // namespace pynvme::ssd
