// Media without a power loss: what is written is read, whatever the format and the host's memory
// look like.
#include "ssd/media/media.h"

#include <numeric>

#include <gtest/gtest.h>

#include "ssd/media/media_test_util.h"

namespace pynvme::ssd {
namespace {

constexpr uint64_t kGB = 1'000'000'000;

Media::Geometry geometry_of(uint32_t lba_bytes) { return {256 * kGB, lba_bytes, 1 << 20, "", 0}; }

TEST(Media, StartsEmpty) {
  Media media(geometry_of(512));
  EXPECT_EQ(media.lba_count(), 500'000'000U);
  EXPECT_EQ(media.lba_bytes(), 512U);
  EXPECT_EQ(media.allocated_lbas(), 0U);
  EXPECT_EQ(media.unflushed_bytes(), 0U);
  EXPECT_EQ(read_value(media, 0), 0);
  EXPECT_EQ(read_value(media, 499'999'999), 0);
  EXPECT_TRUE(media.persistent_area().empty());
}

TEST(Media, ReadsWhatWasWrittenAtBothEnds) {
  for (const uint32_t lba_bytes : {512U, 4096U}) {
    Media media(geometry_of(lba_bytes));
    const uint64_t last = media.lba_count() - 1;
    write_value(media, 0, 1, 1, false);
    write_value(media, last, 1, 2, false);
    EXPECT_EQ(read_values(media, 0, 2), (std::vector<int>{1, 0}));
    EXPECT_EQ(read_values(media, last - 1, 2), (std::vector<int>{0, 2}));
    EXPECT_EQ(media.allocated_lbas(), 2U);
    media.prefetch_map(last);
    media.prefetch(last);
    media.prefetch(last / 2);
  }
}

TEST(Media, MergesLbasOfAUnit) {
  Media media(geometry_of(512));
  write_value(media, 3, 2, 1, false);
  write_value(media, 4, 6, 2, false);  // into the next unit
  EXPECT_EQ(read_values(media, 0, 12), (std::vector<int>{0, 0, 0, 1, 2, 2, 2, 2, 2, 2, 0, 0}));
  EXPECT_EQ(media.allocated_lbas(), 7U);
  write_value(media, 0, 8, 3, false);
  EXPECT_EQ(read_values(media, 0, 10), (std::vector<int>{3, 3, 3, 3, 3, 3, 3, 3, 2, 2}));
}

TEST(Media, TransfersAcrossUnitsAndPieces) {
  Media media(geometry_of(512));
  std::vector<uint8_t> out(20 * 512);
  std::iota(out.begin(), out.end(), uint8_t{0});
  for (size_t i = 0; i < out.size(); ++i) out[i] = static_cast<uint8_t>(out[i] ^ (i >> 8));
  const IoVec from[] = {
      {out.data(), 4}, {out.data() + 4, 5000}, {out.data() + 5004, 20 * 512 - 5004}};
  media.write(5, 20, from, false);
  std::vector<uint8_t> in(22 * 512, 0xEE);
  const IoVec to[] = {{in.data(), 4096}, {in.data() + 4096, 22 * 512 - 4096}};
  uint64_t bad_lba = 0;
  ASSERT_EQ(media.read(4, 22, to, &bad_lba), MediaError::kNone);
  EXPECT_TRUE(std::all_of(in.begin(), in.begin() + 512, [](uint8_t b) { return b == 0; }));
  EXPECT_TRUE(std::equal(out.begin(), out.end(), in.begin() + 512));
  EXPECT_TRUE(std::all_of(in.end() - 512, in.end(), [](uint8_t b) { return b == 0; }));
  EXPECT_EQ(media.compare(5, 20, from, &bad_lba), MediaError::kNone);
}

TEST(Media, CompareNamesTheFirstLbaThatDiffers) {
  Media media(geometry_of(512));
  write_value(media, 0, 16, 7, false);
  std::vector<uint8_t> data(20 * 512, 7);
  const IoVec piece{data.data(), 20 * 512};
  uint64_t bad_lba = 0;
  EXPECT_EQ(media.compare(0, 20, {&piece, 1}, &bad_lba), MediaError::kMiscompare);
  EXPECT_EQ(bad_lba, 16U);  // never written: zeroes
  data[11 * 512 + 511] = 8;
  EXPECT_EQ(media.compare(0, 20, {&piece, 1}, &bad_lba), MediaError::kMiscompare);
  EXPECT_EQ(bad_lba, 11U);
  media.write_uncorrectable(9, 1, false);
  EXPECT_EQ(media.compare(0, 20, {&piece, 1}, &bad_lba), MediaError::kUncorrectable);
  EXPECT_EQ(bad_lba, 9U);
  data[3 * 512] = 0;
  EXPECT_EQ(media.compare(0, 20, {&piece, 1}, &bad_lba), MediaError::kMiscompare);
  EXPECT_EQ(bad_lba, 3U);
}

TEST(Media, UncorrectableStopsAReadAfterWhatPrecedesIt) {
  for (const uint32_t lba_bytes : {512U, 4096U}) {
    Media media(geometry_of(lba_bytes));
    write_value(media, 0, 12, 5, false);
    media.write_uncorrectable(10, 1, false);
    std::vector<uint8_t> data(12 * lba_bytes, 0xEE);
    const IoVec piece{data.data(), 12 * lba_bytes};
    uint64_t bad_lba = 0;
    EXPECT_EQ(media.read(0, 12, {&piece, 1}, &bad_lba), MediaError::kUncorrectable);
    EXPECT_EQ(bad_lba, 10U);
    EXPECT_EQ(data[10 * lba_bytes - 1], 5);
    EXPECT_EQ(data[10 * lba_bytes], 0xEE);
    EXPECT_EQ(media.verify(0, 12, &bad_lba), MediaError::kUncorrectable);
    EXPECT_EQ(bad_lba, 10U);
    EXPECT_EQ(media.verify(0, 10, &bad_lba), MediaError::kNone);
    EXPECT_EQ(media.verify(11, 1000, &bad_lba), MediaError::kNone);
    EXPECT_EQ(media.allocated_lbas(), 12U);
  }
}

TEST(Media, WritingOrDeallocatingEndsUncorrectable) {
  Media media(geometry_of(512));
  media.write_uncorrectable(0, 8, false);
  EXPECT_EQ(media.allocated_lbas(), 8U);
  write_value(media, 1, 1, 6, false);
  media.write_zeroes(2, 1, false);
  media.deallocate(3, 1, false);
  EXPECT_EQ(read_values(media, 0, 8), (std::vector<int>{-1, 6, 0, 0, -1, -1, -1, -1}));
  EXPECT_EQ(media.allocated_lbas(), 7U);
}

TEST(Media, ZeroesAreAllocatedAndDeallocatedAreNot) {
  Media media(geometry_of(512));
  write_value(media, 0, 32, 9, false);
  media.write_zeroes(4, 16, false);
  media.deallocate(18, 10, false);
  EXPECT_EQ(media.allocated_lbas(), 22U);
  for (uint64_t lba = 0; lba < 32; ++lba) {
    EXPECT_EQ(read_value(media, lba), lba < 4 || lba >= 28 ? 9 : 0) << lba;
  }
}

TEST(Media, DeallocatesTheWholeDriveAtOnce) {
  Media media(geometry_of(512));
  for (const uint64_t lba : {0ULL, 123'456'789ULL, 499'999'999ULL})
    write_value(media, lba, 1, 4, false);
  media.deallocate(0, media.lba_count(), false);
  EXPECT_EQ(media.allocated_lbas(), 0U);
  EXPECT_EQ(read_value(media, 123'456'789), 0);
}

TEST(Media, FormatEmptiesTheDriveForGood) {
  Media media(geometry_of(512));
  write_value(media, 0, 100, 4, true);
  write_value(media, 0, 10, 5, false);
  media.write_uncorrectable(400'000'000, 1, false);
  media.format(4096);
  EXPECT_EQ(media.lba_bytes(), 4096U);
  EXPECT_EQ(media.lba_count(), 62'500'000U);
  EXPECT_EQ(media.allocated_lbas(), 0U);
  EXPECT_EQ(media.unflushed_bytes(), 0U);
  media.power_lost();
  EXPECT_EQ(read_value(media, 0), 0);
  EXPECT_EQ(read_value(media, 50'000'000), 0);
  write_value(media, 1, 1, 3, false);
  EXPECT_EQ(media.allocated_lbas(), 1U);
  EXPECT_EQ(read_values(media, 0, 3), (std::vector<int>{0, 3, 0}));
  media.format(512);
  EXPECT_EQ(media.allocated_lbas(), 0U);
}

TEST(Media, LastUnitMayBeCutShort) {
  Media media({4096 + 1024, 512, 0, "", 0});
  EXPECT_EQ(media.lba_count(), 10U);
  write_value(media, 0, 10, 1, false);
  EXPECT_EQ(media.allocated_lbas(), 10U);
  EXPECT_EQ(read_value(media, 9), 1);
}

}  // namespace
}  // namespace pynvme::ssd
