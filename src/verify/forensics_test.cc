// Each kind of damage, on data of an IOWorker (made again from its pattern) and of a script (kept).
#include "verify/forensics.h"

#include <cstring>
#include <memory>
#include <vector>

#include <gtest/gtest.h>

#include "base/rng.h"
#include "verify/stamp.h"

namespace pynvme::verify {
namespace {

constexpr uint32_t kSize = 4096;
constexpr uint64_t kLbas = 100'000;
using Data = std::vector<uint8_t>;

void fill(uint64_t seed, uint32_t cid, uint32_t index, uint8_t* out) {
  base::Rng rng(seed * 1'000'000 + cid * 1000 + index);
  for (uint32_t i = 0; i < kSize; i += 8) {
    const uint64_t word = rng.next();
    std::memcpy(out + i, &word, 8);
  }
}

class ForensicsTest : public testing::Test {
 protected:
  struct Side {
    explicit Side(uint64_t seed_of) : seed(seed_of) {
      integrity->set_checking(true);
      Writer writer;
      writer.name = "IOWorker on queue 3";
      writer.sqid = 3;
      writer.slots = 8;
      writer.slot_lbas = 8;
      writer.pattern = [seed_of](uint32_t cid, uint32_t index, uint8_t* out) {
        fill(seed_of, cid, index, out);
      };
      log = integrity->take_log(writer);
    }
    Data write(uint64_t slba, uint32_t nlb, uint16_t cid) {
      Data data(nlb * kSize);
      for (uint32_t i = 0; i < nlb; ++i) fill(seed, cid, i, &data[i * kSize]);
      Ticket ticket;
      EXPECT_TRUE(integrity->begin_change(ticket, slba, nlb, Attempt::kRetry));
      const uint64_t token = stamp(data.data(), kSize, slba, nlb);
      integrity->record_data(ticket, data.data(), data.size(), {log.get(), token, 0, cid, true});
      integrity->end_write(ticket, true, log.get());
      return data;
    }
    uint64_t seed;
    std::shared_ptr<Integrity> integrity = std::make_shared<Integrity>(kLbas, kSize);
    std::shared_ptr<WriteLog> log;
  };

  // What a read of these data turns out to be.
  Finding read(uint64_t slba, const Data& data) {
    Ticket ticket;
    Integrity& integrity = *side_.integrity;
    EXPECT_TRUE(integrity.begin_read(ticket, slba, data.size() / kSize, Attempt::kRetry));
    Mismatch mismatch;
    EXPECT_FALSE(integrity.end_read(ticket, true, data.data(), data.size(), &mismatch));
    const Finding finding =
        examine(mismatch, {{side_.integrity, "sim", 1}, {other_.integrity, "sim", 2}}, integrity);
    EXPECT_EQ(finding.lba, mismatch.lba);
    return finding;
  }

  // Writes until nothing of what was before is in the log.
  void forget() {
    for (uint64_t i = 0; i <= WriteLog::kChanges; ++i) {
      const auto begun = side_.log->begin(LoggedKind::kWrite, true, next_token(), 90'000, 1, 0, 0);
      begun.values[0] = 0;
    }
  }

  static Data part(const Data& data, uint32_t lba) {
    return {data.begin() + lba * kSize, data.begin() + (lba + 1) * kSize};
  }

  Side side_{1};
  Side other_{2};
};

TEST_F(ForensicsTest, ABitFlip) {
  Data data = side_.write(0x100, 8, 3);
  data[5 * kSize + 1234] ^= 0x10;
  const Finding finding = read(0x100, data);
  EXPECT_EQ(finding.damage, Damage::kBitFlips);
  EXPECT_EQ(finding.lba, 0x105U);
  ASSERT_EQ(finding.flips.size(), 1U);
  EXPECT_EQ(finding.flips[0].byte, 1234U);
  EXPECT_EQ(finding.flips[0].mask, 0x10);
  EXPECT_EQ(finding.bad_lbas, std::vector<uint64_t>{0x105});
  EXPECT_TRUE(finding.certain);
  ASSERT_TRUE(finding.expected);
  EXPECT_EQ(finding.expected->cid, 3);
  EXPECT_EQ(finding.expected->writer, "IOWorker on queue 3");
  EXPECT_NE(finding.text.find("LBA 0x105: 1 bit flipped: byte 1234 bit 4"), std::string::npos)
      << finding.text;
}

TEST_F(ForensicsTest, SeveralBits) {
  Data data = side_.write(0x100, 1, 3);
  data[8] ^= 0x81;
  data[4095] ^= 0x40;  // of the token
  data[0] ^= 0x02;     // of the address
  const Finding finding = read(0x100, data);
  EXPECT_EQ(finding.damage, Damage::kBitFlips);
  EXPECT_EQ(finding.flipped_bits, 4U);
  EXPECT_EQ(finding.flips.size(), 3U);
}

TEST_F(ForensicsTest, OneBitIsFoundWithoutAnyMemoryOfTheWrite) {
  Data data = side_.write(0x100, 1, 3);
  forget();
  data[77] ^= 0x01;
  const Finding finding = read(0x100, data);
  EXPECT_EQ(finding.damage, Damage::kBitFlips);
  EXPECT_EQ(finding.flips.at(0).byte, 77U);
  EXPECT_TRUE(finding.certain);
  EXPECT_EQ(finding.wanted[77], data[77] ^ 0x01);
}

TEST_F(ForensicsTest, ManyBitsAreFoundByThePatternWhenTheLogIsTooShort) {
  Data data = side_.write(0x100, 1, 3);
  forget();
  for (const uint32_t byte : {100U, 200U, 300U}) data[byte] ^= 0x03;
  const Finding finding = read(0x100, data);
  EXPECT_EQ(finding.damage, Damage::kBitFlips);
  EXPECT_EQ(finding.flipped_bits, 6U);
  EXPECT_TRUE(finding.certain);
}

TEST_F(ForensicsTest, StaleData) {
  const Data old_data = side_.write(0x100, 8, 3);
  side_.write(0x200, 8, 4);
  side_.write(0x100, 8, 5);
  const Finding finding = read(0x100, old_data);
  EXPECT_EQ(finding.damage, Damage::kStale);
  EXPECT_EQ(finding.lba, 0x100U);
  ASSERT_TRUE(finding.found && finding.expected);
  EXPECT_EQ(finding.found->token, stamped_token(old_data.data(), kSize));
  EXPECT_EQ(finding.found->cid, 3);
  EXPECT_EQ(finding.found->slba, 0x100U);
  EXPECT_EQ(finding.found->nlb, 8U);
  EXPECT_EQ(finding.expected->cid, 5);
  EXPECT_EQ(finding.bad_lbas.size(), 8U);
}

TEST_F(ForensicsTest, StaleDataOlderThanTheLog) {
  const Data old_data = side_.write(0x100, 1, 3);
  forget();
  side_.write(0x100, 1, 5);
  const Finding finding = read(0x100, old_data);
  EXPECT_EQ(finding.damage, Damage::kStale);
  ASSERT_TRUE(finding.found);
  EXPECT_EQ(finding.found->token, stamped_token(old_data.data(), kSize));
  EXPECT_EQ(finding.found->cid, 3) << "told by the pattern";
}

TEST_F(ForensicsTest, TheDataOfAnotherLba) {
  const Data elsewhere = side_.write(0x300, 8, 3);
  side_.write(0x100, 8, 5);
  const Finding finding = read(0x104, part(elsewhere, 2));
  EXPECT_EQ(finding.damage, Damage::kMisdirected);
  EXPECT_EQ(finding.found->lba, 0x302U);
  EXPECT_EQ(finding.found->cid, 3);
  // And what it held before.
  side_.write(0x300, 8, 6);
  EXPECT_EQ(read(0x104, part(elsewhere, 2)).damage, Damage::kMisdirected);
}

TEST_F(ForensicsTest, TheDataOfAnotherLbaThatNobodyRemembers) {
  const Data elsewhere = side_.write(0x300, 1, 3);
  side_.write(0x100, 1, 5);
  forget();
  const Finding finding = read(0x100, elsewhere);
  EXPECT_EQ(finding.damage, Damage::kMisdirected);
  EXPECT_EQ(finding.found->lba, 0x300U);
  EXPECT_TRUE(finding.certain) << "the table knows what that LBA holds";
}

TEST_F(ForensicsTest, TheDataOfAnotherNamespace) {
  const Data elsewhere = other_.write(0x100, 1, 3);
  side_.write(0x100, 1, 5);
  const Finding finding = read(0x100, elsewhere);
  EXPECT_EQ(finding.damage, Damage::kOtherNamespace);
  EXPECT_EQ(finding.found->nsid, 2U);
  EXPECT_EQ(finding.found->lba, 0x100U);
}

TEST_F(ForensicsTest, Zeroes) {
  side_.write(0x100, 8, 5);
  EXPECT_EQ(read(0x103, Data(kSize, 0)).damage, Damage::kZeroes);
  EXPECT_EQ(read(0x103, Data(kSize, 0xFF)).damage, Damage::kConstant);
}

TEST_F(ForensicsTest, TornWithinAnLba) {
  const Data old_data = side_.write(0x100, 1, 3);
  const Data new_data = side_.write(0x100, 1, 5);
  for (const bool head_new : {true, false}) {
    Data data = head_new ? new_data : old_data;
    const Data& tail = head_new ? old_data : new_data;
    std::copy(tail.begin() + 1536, tail.end(), data.begin() + 1536);
    const Finding finding = read(0x100, data);
    EXPECT_EQ(finding.damage, Damage::kTorn);
    EXPECT_EQ(finding.boundary_byte, 1536U);
    EXPECT_EQ(finding.head_is_new, head_new);
    EXPECT_EQ(finding.found->cid, 3);
    EXPECT_EQ(finding.old, old_data);
  }
}

TEST_F(ForensicsTest, TornOverOldDataThatNobodyRemembers) {
  const Data old_data = side_.write(0x100, 1, 3);
  forget();
  Data data = side_.write(0x100, 1, 5);
  std::copy(old_data.begin() + 512, old_data.end(), data.begin() + 512);
  Finding finding = read(0x100, data);
  EXPECT_EQ(finding.damage, Damage::kTorn);
  EXPECT_EQ(finding.boundary_byte, 512U);
  forget();
  finding = read(0x100, data);
  EXPECT_EQ(finding.damage, Damage::kTorn);
  EXPECT_EQ(finding.boundary_byte, 512U);
  EXPECT_FALSE(finding.certain);
}

TEST_F(ForensicsTest, TornBetweenLbas) {
  const Data old_data = side_.write(0x100, 8, 3);
  Data data = side_.write(0x100, 8, 5);
  std::copy(old_data.begin() + 3 * kSize, old_data.end(), data.begin() + 3 * kSize);
  Finding finding = read(0x100, data);
  EXPECT_EQ(finding.damage, Damage::kTorn);
  EXPECT_EQ(finding.lba, 0x103U);
  EXPECT_EQ(finding.boundary_lba, 0x103U);
  EXPECT_TRUE(finding.head_is_new);
  EXPECT_EQ(finding.bad_lbas.size(), 5U);
  // Over what was never written.
  data = side_.write(0x400, 8, 5);
  std::fill(data.begin() + 2 * kSize, data.end(), 0);
  finding = read(0x400, data);
  EXPECT_EQ(finding.damage, Damage::kTorn);
  EXPECT_EQ(finding.boundary_lba, 0x402U);
  EXPECT_TRUE(finding.head_is_new);
}

TEST_F(ForensicsTest, TornWithinALaterLba) {
  const Data old_data = side_.write(0x100, 8, 3);
  const Data new_data = side_.write(0x100, 8, 5);
  for (const uint64_t boundary : {6 * kSize + 1536, 7 * kSize + 512}) {
    Data data = new_data;
    std::copy_n(old_data.begin(), boundary, data.begin());
    const Finding finding = read(0x100, data);
    EXPECT_EQ(finding.damage, Damage::kTorn);
    EXPECT_EQ(finding.lba, 0x100U);
    EXPECT_FALSE(finding.head_is_new);
    EXPECT_EQ(finding.boundary_lba, 0x100 + boundary / kSize);
    EXPECT_EQ(finding.boundary_byte, boundary % kSize);
  }
  EXPECT_EQ(read(0x100, old_data).damage, Damage::kStale) << "nothing of it is new";
}

TEST_F(ForensicsTest, ZeroesAtTheEndOfAWriteOverOtherDataAreNotTorn) {
  side_.write(0x100, 8, 3);
  Data data = side_.write(0x100, 8, 5);
  std::fill(data.begin() + 2 * kSize, data.end(), 0);
  EXPECT_EQ(read(0x100, data).damage, Damage::kZeroes);
}

TEST_F(ForensicsTest, OneStaleLbaAmongOthersIsNotTorn) {
  const Data old_data = side_.write(0x100, 8, 3);
  Data data = side_.write(0x100, 8, 5);
  std::copy(old_data.begin() + 3 * kSize, old_data.begin() + 4 * kSize, data.begin() + 3 * kSize);
  EXPECT_EQ(read(0x100, data).damage, Damage::kStale);
}

TEST_F(ForensicsTest, Shifted) {
  const Data data = side_.write(0x100, 1, 3);
  for (const int by : {1, 8, 512}) {
    Data later(kSize, 0xAA);
    std::copy(data.begin(), data.end() - by, later.begin() + by);
    const Finding finding = read(0x100, later);
    EXPECT_EQ(finding.damage, Damage::kShifted);
    EXPECT_EQ(finding.shift, by);
    Data earlier(kSize, 0xAA);
    std::copy(data.begin() + by, data.end(), earlier.begin());
    EXPECT_EQ(read(0x100, earlier).shift, -by);
  }
}

TEST_F(ForensicsTest, Garbage) {
  side_.write(0x100, 1, 3);
  Data data(kSize);
  fill(99, 0, 0, data.data());
  const Finding finding = read(0x100, data);
  EXPECT_EQ(finding.damage, Damage::kGarbage);
  EXPECT_FALSE(finding.wanted.empty());
  EXPECT_FALSE(finding.found);
}

TEST_F(ForensicsTest, WhatWasDurableAndIsOldAfterALossOfPowerIsLost) {
  const Data old_data = side_.write(0x100, 1, 3);
  side_.write(0x100, 1, 5);
  side_.integrity->flushed_all();
  side_.integrity->power_lost();
  const Finding finding = read(0x100, old_data);
  EXPECT_EQ(finding.damage, Damage::kLost);
  EXPECT_EQ(finding.found->cid, 3);
  EXPECT_EQ(finding.expected->cid, 5);
  EXPECT_EQ(read(0x100, Data(kSize, 0)).damage, Damage::kLost);
  // What is old among several versions that may be there.
  side_.write(0x200, 1, 1);
  const Data ancient = side_.write(0x200, 1, 3);
  side_.write(0x200, 1, 4);
  side_.integrity->flushed_all();
  side_.write(0x200, 1, 5);
  side_.integrity->power_lost();
  EXPECT_EQ(read(0x200, ancient).damage, Damage::kLost);
}

}  // namespace
}  // namespace pynvme::verify
