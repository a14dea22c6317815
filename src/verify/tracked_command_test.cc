#include "verify/tracked_command.h"

#include <memory>
#include <vector>

#include <gtest/gtest.h>

#include "spec/opcode.h"
#include "verify/stamp.h"

namespace pynvme::verify {
namespace {

constexpr uint32_t kLbaBytes = 512;

class TrackedCommandTest : public testing::Test {
 protected:
  TrackedCommandTest() { integrity_->set_checking(true); }

  static spec::Sqe io(uint8_t opcode, uint64_t slba, uint32_t nlb) {
    spec::Sqe sqe{};
    sqe.opcode = opcode;
    sqe.set_slba(slba);
    sqe.cdw12 = nlb - 1;
    return sqe;
  }

  std::unique_ptr<TrackedCommand> make(const spec::Sqe& sqe, std::vector<uint8_t>& data) {
    return std::make_unique<TrackedCommand>(integrity_, sqe, data.data(), data.size(), lba_);
  }

  Mismatch run(const spec::Sqe& sqe, std::vector<uint8_t>& data, bool stamped = false) {
    auto command = make(sqe, data);
    EXPECT_TRUE(command->begin(stamped));
    return command->end(true);
  }

  static void put_range(std::vector<uint8_t>& data, size_t index, uint64_t slba, uint32_t nlb) {
    std::memcpy(&data[index * 16 + 4], &nlb, 4);
    std::memcpy(&data[index * 16 + 8], &slba, 8);
  }

  std::shared_ptr<Integrity> integrity_ = std::make_shared<Integrity>(100000, kLbaBytes);
  std::vector<uint8_t> data_ = std::vector<uint8_t>(8 * kLbaBytes, 0x77);
  driver::LbaLayout lba_;
};

TEST_F(TrackedCommandTest, AStampedWriteIsReadBack) {
  EXPECT_FALSE(run(io(spec::io::kWrite, 40, 8), data_, true));
  EXPECT_EQ(stamped_lba(&data_[7 * kLbaBytes]), 47U);
  EXPECT_FALSE(run(io(spec::io::kRead, 40, 8), data_));
  data_[20] ^= 1;
  EXPECT_EQ(run(io(spec::io::kRead, 40, 8), data_).kind, Mismatch::Kind::kCrc);
}

TEST_F(TrackedCommandTest, ExtendedLbasAreStampedAndCheckedOneByOne) {
  constexpr size_t kStride = kLbaBytes + 16;
  lba_ = {.metadata_bytes = 16, .extended = true};
  std::vector<uint8_t> data(4 * kStride, 0x77);
  EXPECT_FALSE(run(io(spec::io::kWrite, 40, 4), data, true));
  EXPECT_EQ(stamped_lba(&data[3 * kStride]), 43U);
  EXPECT_EQ(data[3 * kStride + kLbaBytes], 0x77);
  EXPECT_EQ(data[4 * kStride - 1], 0x77);
  // One LBA is what it was among four; its metadata are nobody's concern.
  std::vector<uint8_t> one(data.begin() + 2 * kStride, data.begin() + 3 * kStride);
  one[kLbaBytes] ^= 1;
  EXPECT_FALSE(run(io(spec::io::kRead, 42, 1), one));
  one[kLbaBytes - 20] ^= 1;
  const Mismatch mismatch = run(io(spec::io::kRead, 42, 1), one);
  EXPECT_EQ(mismatch.kind, Mismatch::Kind::kCrc);
  EXPECT_EQ(mismatch.lba, 42U);
}

// The buffer of a read that fails, or is shorter than its LBAs, has only so many.
TEST_F(TrackedCommandTest, ExtendedLbasBeyondTheDataAreInDoubt) {
  constexpr size_t kStride = kLbaBytes + 8;
  lba_ = {.metadata_bytes = 8, .extended = true};
  std::vector<uint8_t> data(2 * kStride + 100, 0x77);
  EXPECT_FALSE(run(io(spec::io::kWrite, 40, 4), data, true));
  EXPECT_TRUE(LbaTable::is_crc(integrity_->state(41)));
  EXPECT_EQ(integrity_->state(42), LbaTable::kUnknown);
}

TEST_F(TrackedCommandTest, PractTransfersLbasWithoutTheirProtectionInformation) {
  lba_ = {.metadata_bytes = 8, .extended = true, .protection = 1};
  spec::Sqe write = io(spec::io::kWrite, 40, 4);
  write.cdw12 |= 1U << 29;
  std::vector<uint8_t> data(4 * kLbaBytes, 0x77);
  EXPECT_FALSE(run(write, data, true));
  EXPECT_EQ(stamped_lba(&data[3 * kLbaBytes]), 43U);
  std::vector<uint8_t> one(kLbaBytes + 8);
  std::copy_n(data.begin() + 2 * kLbaBytes, kLbaBytes, one.begin());
  EXPECT_FALSE(run(io(spec::io::kRead, 42, 1), one));
}

// A Compare of the same data may fail over the metadata; that of other data must.
TEST_F(TrackedCommandTest, CompareHasMetadataThatNobodyKnows) {
  constexpr size_t kStride = kLbaBytes + 8;
  lba_ = {.metadata_bytes = 8, .extended = true};
  std::vector<uint8_t> data(2 * kStride, 0x77);
  EXPECT_FALSE(run(io(spec::io::kWrite, 40, 2), data, true));
  auto same = make(io(spec::io::kCompare, 40, 2), data);
  ASSERT_TRUE(same->begin(false));
  EXPECT_FALSE(same->end(false, true));
  data[kStride + 100] ^= 1;
  const Mismatch mismatch = run(io(spec::io::kCompare, 40, 2), data);
  EXPECT_EQ(mismatch.kind, Mismatch::Kind::kAccepted);
  EXPECT_EQ(mismatch.lba, 41U);
}

TEST_F(TrackedCommandTest, ARawWriteIsFollowedAndReported) {
  run(io(spec::io::kWrite, 40, 8), data_, false);
  EXPECT_EQ(data_[0], 0x77);
  EXPECT_EQ(run(io(spec::io::kRead, 40, 8), data_).kind, Mismatch::Kind::kStamp);
}

TEST_F(TrackedCommandTest, AWriteOfUnknownDataLeavesItsLbasInDoubt) {
  run(io(spec::io::kWrite, 40, 8), data_, true);
  TrackedCommand write(integrity_, io(spec::io::kWrite, 40, 8), nullptr, 4096, lba_);
  ASSERT_TRUE(write.begin(false));
  write.end(true);
  EXPECT_EQ(integrity_->state(40), LbaTable::kUnknown);
}

TEST_F(TrackedCommandTest, OneThatIsDroppedCountsAsFailedAndLetsGo) {
  {
    auto write = make(io(spec::io::kWrite, 40, 8), data_);
    ASSERT_TRUE(write->begin(true));
    EXPECT_TRUE(LbaTable::is_crc(integrity_->state(40)));
  }
  EXPECT_EQ(integrity_->state(40), LbaTable::kUnknown);
  EXPECT_FALSE(run(io(spec::io::kRead, 40, 8), data_));
}

TEST_F(TrackedCommandTest, StatesFollowTheCommands) {
  run(io(spec::io::kWriteZeroes, 8, 8), data_);
  EXPECT_EQ(integrity_->state(15), LbaTable::kZeroed);
  run(io(spec::io::kWriteUncorrectable, 8, 4), data_);
  EXPECT_EQ(integrity_->state(11), LbaTable::kUncorrectable);
  EXPECT_EQ(integrity_->state(12), LbaTable::kZeroed);
  run(io(spec::io::kCopy, 0, 1), data_);
  EXPECT_EQ(integrity_->state(12), LbaTable::kUnknown);
}

TEST_F(TrackedCommandTest, ReadsAreKeptFromWritesOnlyWhileTheyAreChecked) {
  auto write = make(io(spec::io::kWrite, 40, 8), data_);
  ASSERT_TRUE(write->begin(true));
  std::vector<uint8_t> other(8 * kLbaBytes);
  EXPECT_FALSE(make(io(spec::io::kRead, 40, 8), other)->begin(false));
  integrity_->set_checking(false);
  EXPECT_TRUE(make(io(spec::io::kRead, 40, 8), other)->begin(false));
}

TEST_F(TrackedCommandTest, ARefusedCommandGetsInOnceTheOtherOneEnds) {
  auto first = make(io(spec::io::kWrite, 40, 8), data_);
  std::vector<uint8_t> other(8 * kLbaBytes);
  auto second = make(io(spec::io::kWrite, 44, 8), other);
  ASSERT_TRUE(first->begin(true));
  EXPECT_FALSE(second->begin(true));
  first->end(true);
  EXPECT_TRUE(second->begin(true));
  second->end(true);
  EXPECT_FALSE(run(io(spec::io::kRead, 44, 8), other));
}

TEST_F(TrackedCommandTest, TrimOfRangesThatShareGranules) {
  run(io(spec::io::kWrite, 0, 8), data_, true);
  std::vector<uint8_t> ranges(64);
  put_range(ranges, 0, 4, 2);
  put_range(ranges, 1, 0, 1);
  put_range(ranges, 2, 99999, 1);
  put_range(ranges, 3, 5, 1);
  spec::Sqe trim = io(spec::io::kDatasetManagement, 0, 1);
  trim.cdw10 = 3;
  trim.cdw11 = 4;
  run(trim, ranges);
  EXPECT_EQ(integrity_->state(0), LbaTable::kDeallocated);
  EXPECT_TRUE(LbaTable::is_crc(integrity_->state(1)));
  EXPECT_EQ(integrity_->state(4), LbaTable::kDeallocated);
  EXPECT_EQ(integrity_->state(5), LbaTable::kDeallocated);
  EXPECT_TRUE(LbaTable::is_crc(integrity_->state(6)));
  // All of it was let go.
  Ticket ticket;
  EXPECT_TRUE(integrity_->begin_change(ticket, 0, 100000, Attempt::kFresh));
}

TEST_F(TrackedCommandTest, ATrimThatIsRefusedHoldsNothing) {
  auto write = make(io(spec::io::kWrite, 800, 8), data_);
  ASSERT_TRUE(write->begin(true));
  std::vector<uint8_t> ranges(32);
  put_range(ranges, 0, 0, 8);
  put_range(ranges, 1, 800, 1);
  spec::Sqe trim = io(spec::io::kDatasetManagement, 0, 1);
  trim.cdw10 = 1;
  trim.cdw11 = 4;
  auto command = make(trim, ranges);
  EXPECT_FALSE(command->begin(false));
  Ticket ticket;
  ASSERT_TRUE(integrity_->begin_change(ticket, 0, 8, Attempt::kRetry));
  integrity_->end_change(ticket, LbaTable::kZeroed, true);
  command->begin_anyway(false);
  EXPECT_EQ(integrity_->conflicts(), 1U);
  write->end(true);
  command->end(true);
  EXPECT_EQ(integrity_->state(0), LbaTable::kUnknown);
  EXPECT_EQ(integrity_->state(800), LbaTable::kUnknown);
  EXPECT_TRUE(LbaTable::is_crc(integrity_->state(801)));
}

TEST_F(TrackedCommandTest, WithoutDataATrimTouchesNothing) {
  spec::Sqe trim = io(spec::io::kDatasetManagement, 0, 1);
  trim.cdw11 = 4;
  TrackedCommand command(integrity_, trim, nullptr, 4096, lba_);
  EXPECT_TRUE(command.begin(false));
  EXPECT_FALSE(command.end(true));
}

}  // namespace
}  // namespace pynvme::verify
