// What a sudden power loss leaves: what was flushed, written with FUA or pushed out of the cache
// stays, to the LBA; the rest returns to what was durable.
#include <gtest/gtest.h>

#include "ssd/media/media.h"
#include "ssd/media/media_test_util.h"

namespace pynvme::ssd {
namespace {

Media::Geometry with_cache(uint32_t cache_bytes) { return {1ULL << 30, 512, cache_bytes, "", 0}; }

TEST(MediaPower, UnflushedIsLostFlushedIsNot) {
  Media media(with_cache(1 << 20));
  write_value(media, 0, 1, 1, false);
  EXPECT_EQ(media.unflushed_bytes(), 4096U);
  media.flush();
  EXPECT_EQ(media.unflushed_bytes(), 0U);
  write_value(media, 0, 1, 2, false);
  write_value(media, 0, 1, 3, false);  // two versions, neither durable
  write_value(media, 100, 1, 4, false);
  EXPECT_EQ(read_value(media, 0), 3);
  media.power_lost();
  EXPECT_EQ(read_value(media, 0), 1);
  EXPECT_EQ(read_value(media, 100), 0);
  EXPECT_EQ(media.allocated_lbas(), 1U);
  EXPECT_EQ(media.unflushed_bytes(), 0U);
}

TEST(MediaPower, DurableLbaStaysBesideOneThatIsNot) {
  Media media(with_cache(1 << 20));
  write_value(media, 0, 8, 1, true);
  write_value(media, 1, 1, 2, false);
  write_value(media, 0, 1, 3, true);
  EXPECT_EQ(read_values(media, 0, 3), (std::vector<int>{3, 2, 1}));
  media.power_lost();
  EXPECT_EQ(read_values(media, 0, 3), (std::vector<int>{3, 1, 1}));
  EXPECT_EQ(media.allocated_lbas(), 8U);
}

TEST(MediaPower, DurableLbaStaysInAUnitThatWasEmpty) {
  Media media(with_cache(1 << 20));
  write_value(media, 1, 1, 2, false);
  write_value(media, 0, 1, 3, true);
  media.power_lost();
  EXPECT_EQ(read_values(media, 0, 3), (std::vector<int>{3, 0, 0}));
  EXPECT_EQ(media.allocated_lbas(), 1U);
}

TEST(MediaPower, DurableWriteOfAllLbasEndsTheUnitsRecord) {
  Media media(with_cache(1 << 20));
  write_value(media, 0, 8, 1, false);
  write_value(media, 0, 8, 2, true);
  EXPECT_EQ(media.unflushed_bytes(), 0U);
  media.power_lost();
  EXPECT_EQ(read_value(media, 7), 2);
}

TEST(MediaPower, TheOtherCommandsAreUndoneLikewise) {
  Media media(with_cache(1 << 20));
  write_value(media, 0, 32, 1, true);
  media.write_uncorrectable(0, 3, false);
  media.deallocate(8, 8, false);
  media.write_zeroes(17, 2, false);
  media.write_uncorrectable(24, 8, true);
  write_value(media, 25, 1, 5, false);
  EXPECT_EQ(media.allocated_lbas(), 24U);
  media.power_lost();
  for (uint64_t lba = 0; lba < 24; ++lba) EXPECT_EQ(read_value(media, lba), 1) << lba;
  for (uint64_t lba = 24; lba < 32; ++lba) EXPECT_EQ(read_value(media, lba), -1) << lba;
  EXPECT_EQ(media.allocated_lbas(), 32U);
}

TEST(MediaPower, DurableDeallocationInADirtyUnit) {
  Media media(with_cache(1 << 20));
  write_value(media, 0, 2, 1, true);
  media.write_uncorrectable(1, 1, false);  // the same frame, other marks
  media.deallocate(0, 2, true);
  EXPECT_EQ(media.allocated_lbas(), 0U);
  media.power_lost();
  EXPECT_EQ(read_values(media, 0, 3), (std::vector<int>{0, 0, 0}));
  write_value(media, 5, 1, 7, false);
  media.deallocate(5, 1, true);  // nothing durable is there
  media.power_lost();
  EXPECT_EQ(read_values(media, 4, 3), (std::vector<int>{0, 0, 0}));
  EXPECT_EQ(media.allocated_lbas(), 0U);
}

TEST(MediaPower, FullCacheMakesTheOldestDurable) {
  Media media(with_cache(4 * 4096));
  for (uint64_t unit = 0; unit < 6; ++unit) write_value(media, unit * 8, 1, 1, false);
  write_value(media, 2 * 8, 1, 2, false);  // already in the cache: pushes nothing out
  EXPECT_EQ(media.unflushed_bytes(), 4U * 4096);
  media.power_lost();
  for (uint64_t unit = 0; unit < 6; ++unit)
    EXPECT_EQ(read_value(media, unit * 8), unit < 2 ? 1 : 0);
}

TEST(MediaPower, WithoutACacheAllIsDurable) {
  Media media(with_cache(0));
  write_value(media, 0, 3, 1, false);
  media.deallocate(1, 1, false);
  EXPECT_EQ(media.unflushed_bytes(), 0U);
  media.power_lost();
  EXPECT_EQ(read_values(media, 0, 3), (std::vector<int>{1, 0, 1}));
}

TEST(MediaPower, WhatChangesNothingTakesNoRoom) {
  Media media(with_cache(1 << 20));
  media.deallocate(0, 1000, false);
  EXPECT_EQ(media.unflushed_bytes(), 0U);
  media.write_uncorrectable(0, 8, true);
  media.write_uncorrectable(0, 4, false);
  EXPECT_EQ(media.unflushed_bytes(), 0U);
}

}  // namespace
}  // namespace pynvme::ssd
