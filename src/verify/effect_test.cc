#include "verify/effect.h"

#include <array>

#include <gtest/gtest.h>

#include "spec/opcode.h"

namespace pynvme::verify {
namespace {

spec::Sqe io(uint8_t opcode, uint64_t slba = 0, uint32_t nlb = 1) {
  spec::Sqe sqe{};
  sqe.opcode = opcode;
  sqe.set_slba(slba);
  sqe.cdw12 = nlb - 1;
  return sqe;
}

TEST(Effect, LbaCommandsCarryTheirRange) {
  const Access access = classify_io(io(spec::io::kWrite, 0x1'2345'6789ULL, 65536));
  EXPECT_EQ(access.effect, Effect::kWrite);
  EXPECT_EQ(access.slba, 0x1'2345'6789ULL);
  EXPECT_EQ(access.nlb, 65536U);
}

TEST(Effect, FlagsInCdw12AreNotPartOfTheLength) {
  spec::Sqe sqe = io(spec::io::kRead, 5, 8);
  sqe.cdw12 |= 0xC000'0000;  // FUA, LR
  EXPECT_EQ(classify_io(sqe).nlb, 8U);
}

TEST(Effect, OfEachOpcode) {
  EXPECT_EQ(classify_io(io(spec::io::kFlush)).effect, Effect::kFlush);
  EXPECT_EQ(classify_io(io(spec::io::kRead)).effect, Effect::kRead);
  EXPECT_EQ(classify_io(io(spec::io::kCompare)).effect, Effect::kObserve);
  EXPECT_EQ(classify_io(io(spec::io::kVerify)).effect, Effect::kObserve);
  EXPECT_EQ(classify_io(io(spec::io::kWriteZeroes)).effect, Effect::kZero);
  EXPECT_EQ(classify_io(io(spec::io::kWriteUncorrectable)).effect, Effect::kUncorrectable);
  EXPECT_EQ(classify_io(io(spec::io::kCopy)).effect, Effect::kForget);
  EXPECT_EQ(classify_io(io(spec::io::kVendorFirst)).effect, Effect::kNone);
}

TEST(Effect, DatasetManagementDeallocatesOnlyWithAd) {
  spec::Sqe sqe = io(spec::io::kDatasetManagement);
  sqe.cdw11 = 0x3;  // IDR and IDW are hints
  EXPECT_EQ(classify_io(sqe).effect, Effect::kNone);
  sqe.cdw11 = 0x4;
  EXPECT_EQ(classify_io(sqe).effect, Effect::kDeallocate);
}

TEST(Effect, AFusedCompareLeavesTheLbasToItsWrite) {
  spec::Sqe sqe = io(spec::io::kCompare, 5, 8);
  sqe.set_fuse(spec::Fuse::kFirst);
  EXPECT_EQ(classify_io(sqe).effect, Effect::kNone);
}

TEST(Effect, DatasetRangesAreReadAsTheSpecificationLaysThemOut) {
  // Two ranges: attributes 0, 8 LBAs at 0x10; attributes 0, 256 LBAs at 0x1122334455.
  std::array<uint8_t, 48> data{};
  data[4] = 8;
  data[8] = 0x10;
  data[21] = 1;
  data[24] = 0x55;
  data[25] = 0x44;
  data[26] = 0x33;
  data[27] = 0x22;
  data[28] = 0x11;
  spec::Sqe sqe = io(spec::io::kDatasetManagement);
  sqe.cdw10 = 1;
  const auto ranges = dataset_ranges(sqe, data.data(), data.size());
  ASSERT_EQ(ranges.size(), 2U);
  EXPECT_EQ(ranges[0].slba, 0x10U);
  EXPECT_EQ(ranges[0].nlb, 8U);
  EXPECT_EQ(ranges[1].slba, 0x11'2233'4455ULL);
  EXPECT_EQ(ranges[1].nlb, 256U);
  // NR beyond the data, and an empty range.
  sqe.cdw10 = 255;
  EXPECT_EQ(dataset_ranges(sqe, data.data(), data.size()).size(), 2U);
  EXPECT_EQ(dataset_ranges(sqe, data.data(), 20).size(), 1U);
}

}  // namespace
}  // namespace pynvme::verify
