#include "ssd/model/smart.h"

#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "ssd/model/thermal.h"

namespace pynvme::ssd {
namespace {

constexpr uint64_t kMinute = 60'000'000'000;
constexpr uint64_t kCapacity = 256'000'000'000;

spec::SmartLog log_of(Smart& smart, uint64_t now_ns) {
  spec::SmartLog log;
  smart.fill(log, now_ns);
  return log;
}

TEST(Smart, NewDriveHasCountedNothing) {
  Smart smart(kCapacity, {});
  const spec::SmartLog log = log_of(smart, 7);
  EXPECT_EQ(log.data_units_read, (spec::Uint128{0, 0}));
  EXPECT_EQ(log.power_cycles.lo, 0U);
  EXPECT_EQ(log.unsafe_shutdowns.lo, 0U);
  EXPECT_EQ(log.available_spare, 100);
  EXPECT_EQ(log.available_spare_threshold, 10);
  EXPECT_EQ(log.percentage_used, 0);
  EXPECT_EQ(log.critical_warning, 0);
}

TEST(Smart, DataUnitsAreThousandsOfSectorsRoundedUp) {
  Smart smart(kCapacity, {});
  smart.add_reads(1, 512);
  EXPECT_EQ(log_of(smart, 0).data_units_read.lo, 1U);
  smart.add_reads(1, 999 * 512);
  EXPECT_EQ(log_of(smart, 0).data_units_read.lo, 1U);
  smart.add_reads(2, 512);
  EXPECT_EQ(log_of(smart, 0).data_units_read.lo, 2U);
  smart.add_writes(5, 8ULL * 512'000);
  const spec::SmartLog log = log_of(smart, 0);
  EXPECT_EQ(log.data_units_written.lo, 8U);
  EXPECT_EQ(log.host_read_commands.lo, 4U);
  EXPECT_EQ(log.host_write_commands.lo, 5U);
}

TEST(Smart, PercentageUsedFollowsWhatWasWritten) {
  Smart smart(kCapacity, {});
  smart.add_writes(1, 6 * kCapacity);
  EXPECT_EQ(log_of(smart, 0).percentage_used, 1);
  smart.add_writes(1, 6000 * kCapacity);
  EXPECT_EQ(log_of(smart, 0).percentage_used, 255);
}

TEST(Smart, CountsErrorsAndBusyMinutes) {
  Smart smart(kCapacity, {});
  smart.add_media_errors(2);
  smart.add_error_log_entries(3);
  smart.add_busy(2 * kMinute - 1);
  EXPECT_EQ(log_of(smart, 0).controller_busy_time.lo, 1U);
  smart.add_busy(1);
  const spec::SmartLog log = log_of(smart, 0);
  EXPECT_EQ(log.controller_busy_time.lo, 2U);
  EXPECT_EQ(log.media_errors.lo, 2U);
  EXPECT_EQ(log.error_log_entries.lo, 3U);
}

TEST(Smart, CountsPowerCyclesAndTimeWithPower) {
  Smart smart(kCapacity, {});
  uint64_t now_ns = 1000 * kMinute;
  smart.power_on(now_ns);
  now_ns += 90 * kMinute;
  smart.set_shut_down(true);
  smart.power_off(now_ns);
  now_ns += 500 * kMinute;  // without power
  smart.power_on(now_ns);
  now_ns += 29 * kMinute;
  EXPECT_EQ(log_of(smart, now_ns).power_on_hours.lo, 1U);
  now_ns += kMinute;
  EXPECT_EQ(log_of(smart, now_ns).power_on_hours.lo, 2U);
  smart.power_off(now_ns);
  smart.power_on(now_ns);
  const spec::SmartLog log = log_of(smart, now_ns);
  EXPECT_EQ(log.power_cycles.lo, 3U);
  EXPECT_EQ(log.unsafe_shutdowns.lo, 1U);
}

TEST(Smart, TimesTheTemperature) {
  Smart smart(kCapacity, {});
  smart.power_on(0);
  smart.set_temperature(kWarningKelvin - 1, 0);
  smart.set_temperature(kWarningKelvin, 10 * kMinute);
  smart.set_temperature(kCriticalKelvin, 13 * kMinute);
  smart.set_temperature(310, 18 * kMinute);
  const spec::SmartLog log = log_of(smart, 100 * kMinute);
  EXPECT_EQ(log.warning_temperature_time, 3U);
  EXPECT_EQ(log.critical_temperature_time, 5U);
  EXPECT_EQ(log.composite_temperature(), 310);
  EXPECT_EQ(log.temperature_sensor[0], 310);
}

TEST(Smart, ProcessKilledAfterAShutdownIsNoUnsafeShutdown) {
  alignas(8) uint8_t area[4096] = {};
  {
    Smart smart(kCapacity, area);
    smart.power_on(0);
    smart.set_shut_down(true);
  }
  {
    Smart smart(kCapacity, area);
    smart.power_on(0);
    EXPECT_EQ(log_of(smart, 0).unsafe_shutdowns.lo, 0U);
    smart.set_shut_down(true);
    smart.set_shut_down(false);  // in use again
  }
  Smart smart(kCapacity, area);
  EXPECT_EQ(log_of(smart, 0).unsafe_shutdowns.lo, 1U);
}

TEST(Smart, CountersLiveInThePersistentArea) {
  alignas(8) uint8_t area[4096] = {};
  {
    Smart smart(kCapacity, area);
    smart.power_on(0);
    smart.add_writes(3, 512'000);
    smart.set_shut_down(true);
    smart.power_off(60 * kMinute);
  }
  {
    Smart smart(kCapacity, area);
    smart.power_on(0);
    smart.add_writes(4, 512'000);
    EXPECT_EQ(log_of(smart, 0).power_on_hours.lo, 1U);
    EXPECT_EQ(log_of(smart, 0).unsafe_shutdowns.lo, 0U);
    // Its process is killed here.
  }
  Smart smart(kCapacity, area);
  smart.power_on(0);
  const spec::SmartLog log = log_of(smart, 0);
  EXPECT_EQ(log.host_write_commands.lo, 7U);
  EXPECT_EQ(log.data_units_written.lo, 2U);
  EXPECT_EQ(log.power_cycles.lo, 3U);
  EXPECT_EQ(log.unsafe_shutdowns.lo, 1U);
}

TEST(Smart, LosesNoCountBetweenThreads) {
  Smart smart(kCapacity, {});
  const auto work = [&] {
    for (uint64_t i = 0; i < 5000; ++i) {
      smart.add_reads(1, 512);
      if (i % 100 == 0) log_of(smart, i);
    }
  };
  std::thread first(work);
  std::thread second(work);
  first.join();
  second.join();
  EXPECT_EQ(log_of(smart, 0).host_read_commands.lo, 10'000U);
}

}  // namespace
}  // namespace pynvme::ssd
