// The states of a sanitize operation, with those that the media never bring about by themselves.
#include "ssd/admin/sanitize.h"

#include <gtest/gtest.h>

namespace pynvme::ssd {
namespace {

constexpr uint64_t kSecond = 1'000'000'000;
constexpr uint32_t kAuse = 1 << 3;
constexpr uint16_t kFailedStatus = fail(spec::sc::kSanitizeFailed);

class SanitizeTest : public ::testing::Test {
 protected:
  Sanitize::State state{};
  Sanitize sanitize{state, {1.0, 256'000'000'000}};
};

TEST_F(SanitizeTest, TakesItsTimeWithPowerOnly) {
  sanitize.power_on(0);
  sanitize.start(spec::sanact::kBlockErase, 0, kSecond);
  EXPECT_EQ(sanitize.due_ns(), 3 * kSecond);
  EXPECT_EQ(sanitize.log(2 * kSecond, 0).sprog, 0x8000);
  sanitize.power_off(2 * kSecond);
  sanitize.power_on(100 * kSecond);
  EXPECT_EQ(sanitize.due_ns(), 101 * kSecond);
  EXPECT_EQ(sanitize.log(100 * kSecond, 0).sprog, 0x8000);
  EXPECT_EQ(sanitize.log(101 * kSecond - 1, 0).sprog, 0xFFFE) << "FFFFh would mean its end";
  sanitize.complete(7);
  EXPECT_EQ(sanitize.log(101 * kSecond, 0).sprog, 0xFFFF);
  EXPECT_EQ(sanitize.due_ns(), UINT64_MAX);
  EXPECT_EQ(sanitize.log(0, 7).sstat, 0x101) << "global data erased";
  EXPECT_EQ(sanitize.log(0, 8).sstat, 0x001) << "written since";
}

TEST_F(SanitizeTest, PassesOfAnOverwrite) {
  sanitize.start(spec::sanact::kOverwrite | 4 << 4, 0, 0);
  EXPECT_EQ(sanitize.due_ns(), 12 * kSecond) << "four passes of three seconds";
  EXPECT_EQ(sanitize.log(0, 0).sstat, 2 | 0 << 3);
  EXPECT_EQ(sanitize.log(7 * kSecond, 0).sstat, 2 | 2 << 3);
  EXPECT_EQ(sanitize.log(99 * kSecond, 0).sstat, 2 | 3 << 3);
  sanitize.complete(0);
  EXPECT_EQ(sanitize.log(0, 0).sstat, 0x100 | 1 | 4 << 3);
  EXPECT_EQ(sanitize.log(0, 0).overwrite_time, 48u) << "of 16 passes";
  EXPECT_EQ(sanitize.log(0, 0).block_erase_time, 2u);
  EXPECT_EQ(sanitize.log(0, 0).crypto_erase_time, 1u);
}

TEST_F(SanitizeTest, RestrictedFailure) {
  sanitize.start(spec::sanact::kBlockErase, 0, 0);
  sanitize.set_failed();
  EXPECT_EQ(sanitize.log(0, 0).sstat, 3);
  EXPECT_EQ(sanitize.check(spec::sanact::kExitFailureMode), kFailedStatus);
  EXPECT_EQ(sanitize.check(spec::sanact::kBlockErase | kAuse), kFailedStatus);
  EXPECT_EQ(sanitize.check(spec::sanact::kCryptoErase), kSuccess);
  sanitize.start(spec::sanact::kCryptoErase, 0, 0);
  sanitize.complete(0);
  EXPECT_FALSE(sanitize.failed());
}

TEST_F(SanitizeTest, UnrestrictedFailure) {
  sanitize.start(spec::sanact::kBlockErase | kAuse, 0, 0);
  sanitize.set_failed();
  EXPECT_EQ(sanitize.check(spec::sanact::kBlockErase | kAuse), kSuccess);
  EXPECT_EQ(sanitize.check(spec::sanact::kExitFailureMode), kSuccess);
  sanitize.exit_failure_mode();
  EXPECT_FALSE(sanitize.failed());
}

TEST_F(SanitizeTest, WithoutLatencyItIsThereForAMoment) {
  Sanitize quick{state, {0.0, 256'000'000'000}};
  quick.start(spec::sanact::kBlockErase, 0, 0);
  EXPECT_EQ(quick.due_ns(), 300'000'000u);
}

}  // namespace
}  // namespace pynvme::ssd
