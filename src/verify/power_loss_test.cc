// What a loss of power may leave, through Integrity: the right versions pass, no others.
#include <memory>
#include <vector>

#include <gtest/gtest.h>

#include "verify/integrity.h"
#include "verify/stamp.h"

namespace pynvme::verify {
namespace {

constexpr uint32_t kLbaBytes = 512;
using Kind = Mismatch::Kind;
using Data = std::vector<uint8_t>;

class PowerLossTest : public testing::Test {
 protected:
  PowerLossTest() {
    integrity_.set_checking(true);
    integrity_.set_write_through(write_through_);
  }

  // Sent and, unless `open`, completed.
  Data write(uint64_t slba, uint32_t nlb = 1, bool fua = false, bool open = false) {
    Data data(nlb * kLbaBytes, static_cast<uint8_t>(++writes_));
    EXPECT_TRUE(integrity_.begin_change(ticket_, slba, nlb, Attempt::kRetry));
    const uint64_t token = stamp(data.data(), kLbaBytes, slba, nlb);
    integrity_.record_data(ticket_, data.data(), data.size(), {log_.get(), token, 0, 1, true});
    if (!open) integrity_.end_write(ticket_, true, log_.get(), fua);
    return data;
  }

  void zero(uint64_t slba, uint32_t nlb = 1) {
    Ticket ticket;
    EXPECT_TRUE(integrity_.begin_change(ticket, slba, nlb, Attempt::kRetry));
    integrity_.record_state(ticket, LoggedKind::kZero, {log_.get(), next_token(), 0, 1, false});
    integrity_.end_change(ticket, LbaTable::kZeroed, true, log_.get());
  }

  void flush() { integrity_.end_flush(integrity_.begin_flush(), true); }

  Kind read(uint64_t slba, const Data& data) {
    Ticket ticket;
    const uint64_t nlb = data.size() / kLbaBytes;
    EXPECT_TRUE(integrity_.begin_read(ticket, slba, nlb, Attempt::kRetry));
    mismatch_ = {};
    const bool ok = integrity_.end_read(ticket, true, data.data(), data.size(), &mismatch_);
    EXPECT_EQ(ok, mismatch_.kind == Kind::kNone);
    return mismatch_.kind;
  }

  static Data part(const Data& data, uint32_t lba, uint32_t nlb = 1) {
    return {data.begin() + lba * kLbaBytes, data.begin() + (lba + nlb) * kLbaBytes};
  }

  Integrity integrity_{10000, kLbaBytes};
  std::shared_ptr<WriteLog> log_ = integrity_.take_log({});
  std::shared_ptr<std::atomic<bool>> write_through_ = std::make_shared<std::atomic<bool>>(false);
  Ticket ticket_;
  Mismatch mismatch_;
  int writes_ = 0;
};

TEST_F(PowerLossTest, AVersionBeforeTheFlushIsLost) {
  const Data lost = write(5);
  const Data durable = write(5);
  flush();
  write(5);
  integrity_.power_lost();
  EXPECT_EQ(read(5, lost), Kind::kNeither);
  EXPECT_EQ(mismatch_.capture->alternatives.size(), 2U);
  EXPECT_EQ(read(5, durable), Kind::kNone);
}

TEST_F(PowerLossTest, AnyOfTheVersionsMayCome) {
  for (size_t which = 0; which < 3; ++which) {
    const uint64_t lba = 10 + which;
    std::vector<Data> versions = {write(lba)};
    flush();
    versions.push_back(write(lba));
    versions.push_back(write(lba));
    integrity_.power_lost();
    EXPECT_EQ(read(lba, versions[which]), Kind::kNone);
    for (size_t other = 0; other < 3; ++other) {
      EXPECT_EQ(read(lba, versions[other]), other == which ? Kind::kNone : Kind::kCrc);
    }
  }
}

TEST_F(PowerLossTest, WhatWasFlushedIsThere) {
  const Data old_data = write(5);
  const Data durable = write(5);
  flush();
  integrity_.power_lost();
  EXPECT_EQ(read(5, old_data), Kind::kCrc);
  EXPECT_EQ(read(5, durable), Kind::kNone);
}

TEST_F(PowerLossTest, AFlushCoversWhatCompletedBeforeItWasSent) {
  const Data old_data = write(5);
  flush();
  const uint32_t flush_id = integrity_.begin_flush();
  const Data new_data = write(5);
  integrity_.end_flush(flush_id, true);
  integrity_.power_lost();
  EXPECT_EQ(read(5, old_data), Kind::kNone);
}

TEST_F(PowerLossTest, AFlushThatFailsCoversNothing) {
  const Data old_data = write(5);
  flush();
  write(5);
  integrity_.end_flush(integrity_.begin_flush(), false);
  integrity_.power_lost();
  EXPECT_EQ(read(5, old_data), Kind::kNone);
}

TEST_F(PowerLossTest, ForceUnitAccessIsDurable) {
  const Data old_data = write(5);
  const Data fua = write(5, 1, true);
  integrity_.power_lost();
  EXPECT_EQ(read(5, old_data), Kind::kCrc);
  EXPECT_EQ(read(5, fua), Kind::kNone);
}

TEST_F(PowerLossTest, WithoutAWriteCacheAllIsDurable) {
  write_through_->store(true);
  const Data old_data = write(5);
  const Data new_data = write(5);
  integrity_.power_lost();
  EXPECT_EQ(read(5, old_data), Kind::kCrc);
  EXPECT_EQ(read(5, new_data), Kind::kNone);
}

TEST_F(PowerLossTest, ANormalShutdownFlushes) {
  const Data old_data = write(5);
  write(5);
  integrity_.flushed_all();
  integrity_.power_lost();
  EXPECT_EQ(read(5, old_data), Kind::kCrc);
}

TEST_F(PowerLossTest, ZeroesThatWereNotFlushed) {
  const Data data = write(5);
  flush();
  zero(5);
  integrity_.power_lost();
  EXPECT_EQ(read(5, data), Kind::kNone);
  zero(5);
  flush();
  integrity_.power_lost();
  EXPECT_EQ(read(5, data), Kind::kNotZero);
  write(5);
  integrity_.power_lost();
  EXPECT_EQ(read(5, Data(kLbaBytes, 0)), Kind::kNone);
}

TEST_F(PowerLossTest, WhatWasNotKnownBeforeMayBeAnything) {
  write(5);
  integrity_.power_lost();
  EXPECT_EQ(integrity_.state(5), LbaTable::kUnknown);
}

TEST_F(PowerLossTest, SeveralLossesOfPower) {
  const Data first = write(5);
  flush();
  const Data second = write(5);
  integrity_.power_lost();
  const Data third = write(5);
  integrity_.power_lost();
  EXPECT_EQ(read(5, first), Kind::kNone) << "nobody looked between";
  const Data fourth = write(5);
  flush();
  integrity_.power_lost();
  EXPECT_EQ(read(5, first), Kind::kCrc);
  EXPECT_EQ(read(5, fourth), Kind::kNone);
}

TEST_F(PowerLossTest, AWriteUnderWayMayBeDoneLbaByLba) {
  const Data old_data = write(20, 4);
  flush();
  const Data new_data = write(20, 4, false, true);
  integrity_.power_lost();
  integrity_.end_interrupted(ticket_, log_.get());
  EXPECT_EQ(read(20, part(old_data, 0)), Kind::kNone);
  EXPECT_EQ(read(21, part(new_data, 1)), Kind::kNone);
  EXPECT_EQ(read(22, part(new_data, 1)), Kind::kNeither);
}

TEST_F(PowerLossTest, AnAtomicWriteIsThereAsAWholeOrNotAtAll) {
  integrity_.set_atomicity({4, 0});
  const Data old_data = write(20, 4);
  flush();
  const Data new_data = write(20, 4, false, true);
  integrity_.power_lost();
  integrity_.end_interrupted(ticket_, log_.get());
  EXPECT_EQ(read(20, part(old_data, 0)), Kind::kNone);
  EXPECT_EQ(read(21, part(new_data, 1)), Kind::kTorn);
  EXPECT_EQ(mismatch_.lba, 21U);
  EXPECT_EQ(mismatch_.witness, 20U);
  EXPECT_EQ(read(22, part(old_data, 2, 2)), Kind::kNone);
}

TEST_F(PowerLossTest, AResetLeavesTheOldOrTheNewData) {
  const Data old_data = write(20, 2);
  const Data new_data = write(20, 2, false, true);
  integrity_.end_interrupted(ticket_, log_.get());
  EXPECT_EQ(read(20, part(old_data, 1)), Kind::kNeither);
  EXPECT_EQ(read(20, part(old_data, 0)), Kind::kNone);
  EXPECT_EQ(read(21, part(new_data, 1)), Kind::kNone);
  EXPECT_EQ(read(20, part(new_data, 0)), Kind::kCrc) << "settled by the first read";
}

TEST_F(PowerLossTest, MoreThanTheLogHoldsIsToldByItsStamps) {
  const Data old_data = write(5);
  const Data elsewhere = write(6);
  flush();
  write(5);
  for (uint64_t i = 0; i <= WriteLog::kChanges; ++i) write(100 + i % 100);
  integrity_.power_lost();
  EXPECT_EQ(read(5, elsewhere), Kind::kCrc);
  EXPECT_EQ(read(5, old_data), Kind::kNone);
}

TEST_F(PowerLossTest, TheOldestInTheLogMayBeGoneWhenItIsDurable) {
  const Data old_data = write(5);
  write(5);
  for (uint64_t i = 0; i <= WriteLog::kChanges; ++i) {
    if (i == 1000) flush();
    write(100 + i % 100, 1, i < 1000);
  }
  flush();
  integrity_.power_lost();
  EXPECT_EQ(read(5, old_data), Kind::kCrc);
}

}  // namespace
}  // namespace pynvme::verify
