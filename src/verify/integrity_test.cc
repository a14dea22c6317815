#include "verify/integrity.h"

#include <vector>

#include <gtest/gtest.h>

#include "base/crc.h"
#include "verify/stamp.h"

namespace pynvme::verify {
namespace {

constexpr uint32_t kLbaBytes = 512;
constexpr auto kFresh = Attempt::kFresh;
using Kind = Mismatch::Kind;

class IntegrityTest : public testing::Test {
 protected:
  IntegrityTest() { integrity_.set_checking(true); }

  // As a worker does: what is refused because of another one's mark gets in at the second attempt.
  void begin_change(Ticket& ticket, uint64_t slba, uint64_t nlb) {
    ASSERT_TRUE(integrity_.begin_change(ticket, slba, nlb, kFresh) ||
                integrity_.begin_change(ticket, slba, nlb, Attempt::kRetry));
  }

  std::vector<uint8_t> written(uint64_t slba, uint32_t nlb, bool stamped = true) {
    std::vector<uint8_t> data(nlb * kLbaBytes, 0x5A);
    if (stamped) stamp(data.data(), kLbaBytes, slba, nlb);
    Ticket ticket;
    begin_change(ticket, slba, nlb);
    integrity_.record_data(ticket, data.data(), data.size());
    integrity_.end_write(ticket, true);
    return data;
  }

  Mismatch read(uint64_t slba, const std::vector<uint8_t>& data) {
    Ticket ticket;
    const uint64_t nlb = data.size() / kLbaBytes;
    EXPECT_TRUE(integrity_.begin_read(ticket, slba, nlb, kFresh) ||
                integrity_.begin_read(ticket, slba, nlb, Attempt::kRetry));
    Mismatch mismatch;
    const bool fine = integrity_.end_read(ticket, true, data.data(), data.size(), &mismatch);
    EXPECT_EQ(fine, !mismatch);
    return mismatch;
  }

  void change(uint64_t slba, uint64_t nlb, uint32_t state, bool ok = true) {
    Ticket ticket;
    ASSERT_TRUE(integrity_.begin_change(ticket, slba, nlb, kFresh));
    integrity_.end_change(ticket, state, ok);
  }

  Integrity integrity_{10000, kLbaBytes};
  Mismatch mismatch_;
};

TEST_F(IntegrityTest, WhatWasWrittenPasses) {
  const auto data = written(100, 8);
  EXPECT_FALSE(read(100, data));
  EXPECT_EQ(integrity_.state(100), LbaTable::from_crc(base::crc32c(data.data(), kLbaBytes)));
}

TEST_F(IntegrityTest, AFlippedBitIsFoundInItsLba) {
  auto data = written(100, 8);
  data[5 * kLbaBytes + 77] ^= 0x10;
  const Mismatch mismatch = read(100, data);
  EXPECT_EQ(mismatch.kind, Kind::kCrc);
  EXPECT_EQ(mismatch.lba, 105U);
  EXPECT_EQ(mismatch.actual_crc, base::crc32c(&data[5 * kLbaBytes], kLbaBytes));
  EXPECT_EQ(mismatch.expected_crc, integrity_.state(105));
  EXPECT_NE(mismatch.text().find("LBA 0x69:"), std::string::npos);
}

TEST_F(IntegrityTest, StaleDataAreFound) {
  const auto old_data = written(100, 8);
  written(100, 8);
  EXPECT_EQ(read(100, old_data).kind, Kind::kCrc);
}

TEST_F(IntegrityTest, TheDataOfAnotherLbaAreFound) {
  written(100, 1);
  const auto other = written(200, 1);
  const Mismatch mismatch = read(100, other);
  EXPECT_EQ(mismatch.kind, Kind::kCrc);
  EXPECT_EQ(mismatch.stamped_lba, 200U);
}

TEST_F(IntegrityTest, ZeroesInsteadOfDataAreFound) {
  written(100, 8);
  EXPECT_EQ(read(100, std::vector<uint8_t>(8 * kLbaBytes)).lba, 100U);
}

TEST_F(IntegrityTest, UnstampedDataAreReported) {
  const auto raw = written(100, 1, false);
  const Mismatch mismatch = read(100, raw);
  EXPECT_EQ(mismatch.kind, Kind::kStamp);
  EXPECT_EQ(mismatch.lba, 100U);
}

TEST_F(IntegrityTest, ZeroedLbasMustBeZero) {
  written(100, 4);
  change(100, 4, LbaTable::kZeroed);
  std::vector<uint8_t> data(4 * kLbaBytes);
  EXPECT_FALSE(read(100, data));
  data[3 * kLbaBytes - 1] = 1;
  const Mismatch mismatch = read(100, data);
  EXPECT_EQ(mismatch.kind, Kind::kNotZero);
  EXPECT_EQ(mismatch.lba, 102U);
}

TEST_F(IntegrityTest, UnwrittenDeallocatedAndUncorrectableLbasAreNotChecked) {
  const std::vector<uint8_t> anything(4 * kLbaBytes, 0xC3);
  EXPECT_FALSE(read(300, anything));
  written(300, 4);
  change(300, 2, LbaTable::kDeallocated);
  change(302, 2, LbaTable::kUncorrectable);
  EXPECT_FALSE(read(300, anything));
  EXPECT_TRUE(integrity_.any_uncorrectable(300, 4));
  EXPECT_FALSE(integrity_.any_uncorrectable(300, 2));
}

TEST_F(IntegrityTest, AFailedWriteLeavesItsLbasInDoubt) {
  written(100, 8);
  Ticket ticket;
  ASSERT_TRUE(integrity_.begin_change(ticket, 102, 2, kFresh));
  const std::vector<uint8_t> data(2 * kLbaBytes, 1);
  integrity_.record_data(ticket, data.data(), data.size());
  integrity_.end_write(ticket, false);
  EXPECT_TRUE(LbaTable::is_crc(integrity_.state(101)));
  EXPECT_EQ(integrity_.state(102), LbaTable::kUnknown);
  EXPECT_EQ(integrity_.state(103), LbaTable::kUnknown);
  EXPECT_TRUE(LbaTable::is_crc(integrity_.state(104)));
}

TEST_F(IntegrityTest, LbasBeyondTheBufferAreInDoubt) {
  written(100, 8);
  Ticket ticket;
  ASSERT_TRUE(integrity_.begin_change(ticket, 100, 8, kFresh));
  const std::vector<uint8_t> data(3 * kLbaBytes, 1);
  integrity_.record_data(ticket, data.data(), data.size());
  integrity_.end_write(ticket, true);
  EXPECT_TRUE(LbaTable::is_crc(integrity_.state(102)));
  EXPECT_EQ(integrity_.state(103), LbaTable::kUnknown);
}

TEST_F(IntegrityTest, CheckingSwitchesOnAndOff) {
  auto data = written(100, 8);
  data[0] ^= 1;
  integrity_.set_checking(false);
  EXPECT_FALSE(read(100, data));
  integrity_.set_checking(true);
  EXPECT_TRUE(read(100, data));
}

TEST_F(IntegrityTest, AFailedReadIsNotChecked) {
  auto data = written(100, 8);
  data[0] ^= 1;
  Ticket ticket;
  ASSERT_TRUE(integrity_.begin_read(ticket, 100, 8, kFresh));
  EXPECT_TRUE(integrity_.end_read(ticket, false, data.data(), data.size(), &mismatch_));
  // And it let go of its LBAs.
  ASSERT_TRUE(integrity_.begin_change(ticket, 100, 8, kFresh));
}

TEST_F(IntegrityTest, ReadsAndWritesOfOneLbaConflict) {
  Ticket write;
  Ticket read;
  ASSERT_TRUE(integrity_.begin_change(write, 100, 8, kFresh));
  EXPECT_FALSE(integrity_.begin_read(read, 104, 8, kFresh));
  integrity_.end_write(write, true);
  EXPECT_TRUE(integrity_.begin_read(read, 104, 8, Attempt::kRetry));
}

TEST_F(IntegrityTest, GoingOnInSpiteOfAConflictLeavesTheLbasInDoubt) {
  written(100, 8);
  Ticket first;
  Ticket second;
  ASSERT_TRUE(integrity_.begin_change(first, 100, 8, kFresh));
  ASSERT_FALSE(integrity_.begin_change(second, 100, 8, kFresh));
  integrity_.begin_change_anyway(second, 100, 8);
  EXPECT_EQ(integrity_.conflicts(), 1U);
  const std::vector<uint8_t> data(8 * kLbaBytes, 1);
  integrity_.record_data(second, data.data(), data.size());
  EXPECT_EQ(integrity_.state(100), LbaTable::kUnknown);
  integrity_.record_data(first, data.data(), data.size());
  integrity_.end_write(first, true);
  // While the second is under way even what the first recorded proves nothing.
  EXPECT_FALSE(read(100, std::vector<uint8_t>(8 * kLbaBytes, 2)));
  integrity_.end_write(second, true);
  EXPECT_EQ(integrity_.state(100), LbaTable::kUnknown);
  const auto known = written(100, 8);
  EXPECT_FALSE(read(100, known));
  EXPECT_TRUE(read(100, data));
}

TEST_F(IntegrityTest, InvalidateAllForgetsEverything) {
  written(100, 8);
  integrity_.invalidate_all();
  EXPECT_FALSE(read(100, std::vector<uint8_t>(8 * kLbaBytes, 9)));
}

TEST_F(IntegrityTest, LbasPastTheTrackedOnesAreUnknown) {
  Integrity some(10000, kLbaBytes, 100);
  some.set_checking(true);
  Ticket ticket;
  std::vector<uint8_t> data(4 * kLbaBytes, 7);
  stamp(data.data(), kLbaBytes, 98, 4);
  ASSERT_TRUE(some.begin_change(ticket, 98, 4, kFresh));
  some.record_data(ticket, data.data(), data.size());
  some.end_write(ticket, true);
  EXPECT_TRUE(LbaTable::is_crc(some.state(99)));
  EXPECT_EQ(some.state(100), LbaTable::kUnknown);
  data[3 * kLbaBytes] ^= 1;
  ASSERT_TRUE(some.begin_read(ticket, 98, 4, kFresh));
  EXPECT_TRUE(some.end_read(ticket, true, data.data(), data.size(), &mismatch_));
}

TEST_F(IntegrityTest, AddressesAtTheEndOf64BitsDoNoHarm) {
  Ticket ticket;
  ASSERT_TRUE(integrity_.begin_change(ticket, UINT64_MAX - 2, 8, kFresh));
  const std::vector<uint8_t> data(8 * kLbaBytes);
  integrity_.record_data(ticket, data.data(), data.size());
  integrity_.end_write(ticket, false);
  ASSERT_TRUE(integrity_.begin_read(ticket, UINT64_MAX, 65536, kFresh));
  EXPECT_TRUE(integrity_.end_read(ticket, true, data.data(), data.size(), &mismatch_));
}

TEST_F(IntegrityTest, ANewFormatChangesTheGeometryUnderCommandsThatAreOut) {
  Ticket before;
  ASSERT_TRUE(integrity_.begin_change(before, 100, 8, kFresh));
  integrity_.reformat(1250, 4096);
  EXPECT_EQ(integrity_.lba_bytes(), 4096U);
  EXPECT_EQ(integrity_.tracked_lbas(), 1250U);
  integrity_.end_write(before, false);
  Ticket after;
  std::vector<uint8_t> data(2 * 4096, 1);
  stamp(data.data(), 4096, 1248, 2);
  ASSERT_TRUE(integrity_.begin_change(after, 1248, 2, kFresh));
  integrity_.record_data(after, data.data(), data.size());
  integrity_.end_write(after, true);
  ASSERT_TRUE(integrity_.begin_read(after, 1248, 2, kFresh));
  EXPECT_TRUE(integrity_.end_read(after, true, data.data(), data.size(), &mismatch_));
  integrity_.reformat(10000, kLbaBytes);
  EXPECT_EQ(integrity_.tracked_lbas(), 10000U);
  EXPECT_EQ(integrity_.state(1248), LbaTable::kUnknown);
}

}  // namespace
}  // namespace pynvme::verify
