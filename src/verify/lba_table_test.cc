#include "verify/lba_table.h"

#include <unistd.h>

#include <fstream>

#include <gtest/gtest.h>

namespace pynvme::verify {
namespace {

constexpr uint64_t kChunk = 1ULL << 19;

TEST(LbaTable, EveryLbaStartsUnknown) {
  const LbaTable table(1000);
  EXPECT_EQ(table.get(0), LbaTable::kUnknown);
  EXPECT_EQ(table.get(999), LbaTable::kUnknown);
}

TEST(LbaTable, CrcsThatLookLikeStatesAreMappedAway) {
  EXPECT_EQ(LbaTable::from_crc(0), 5U);
  EXPECT_EQ(LbaTable::from_crc(4), 9U);
  EXPECT_EQ(LbaTable::from_crc(5), 5U);
  EXPECT_EQ(LbaTable::from_crc(0xFFFF'FFFFU), 0xFFFF'FFFFU);
  EXPECT_FALSE(LbaTable::is_crc(LbaTable::kAmbiguous));
  EXPECT_TRUE(LbaTable::is_crc(LbaTable::from_crc(0)));
}

TEST(LbaTable, FillSetsExactlyItsRange) {
  LbaTable table(100);
  table.fill(10, 5, LbaTable::kZeroed);
  EXPECT_EQ(table.get(9), LbaTable::kUnknown);
  for (uint64_t lba = 10; lba < 15; ++lba) EXPECT_EQ(table.get(lba), LbaTable::kZeroed);
  EXPECT_EQ(table.get(15), LbaTable::kUnknown);
}

TEST(LbaTable, FourTerabytesCostNothingUntilWritten) {
  LbaTable table(8ULL << 30);
  EXPECT_EQ(table.touched_bytes(), 0U);
  table.fill(0, table.lba_count(), LbaTable::kDeallocated);
  EXPECT_EQ(table.touched_bytes(), 0U);
  table.set(table.lba_count() - 1, 77);
  EXPECT_EQ(table.get(table.lba_count() - 1), 77U);
  EXPECT_EQ(table.touched_bytes(), 2U << 20);
}

// What this process has in memory.
uint64_t resident_mib() {
  uint64_t all = 0;
  uint64_t resident = 0;
  std::ifstream("/proc/self/statm") >> all >> resident;
  return resident * static_cast<uint64_t>(sysconf(_SC_PAGESIZE)) >> 20;
}

TEST(LbaTable, FewLbasHereAndThereTakeLittle) {
  LbaTable table(8ULL << 30);
  for (const bool again : {false, true}) {
    const uint64_t before = resident_mib();
    for (uint64_t i = 0; i < 1000; ++i) table.set(i * 16 * kChunk + i, 77);
    EXPECT_LT(resident_mib(), before + 300) << again;  // of 2000, were each in a huge page
    EXPECT_EQ(table.get(999 * 16 * kChunk + 999), 77U);
    table.forget_all();
  }
}

TEST(LbaTable, DeallocatedIsRememberedWhereSomethingWasWritten) {
  LbaTable table(4 * kChunk);
  table.set(kChunk + 7, 1234);
  table.fill(0, 4 * kChunk, LbaTable::kDeallocated);
  EXPECT_EQ(table.get(kChunk - 1), LbaTable::kUnknown);
  EXPECT_EQ(table.get(kChunk), LbaTable::kDeallocated);
  EXPECT_EQ(table.get(kChunk + 7), LbaTable::kDeallocated);
  EXPECT_EQ(table.get(2 * kChunk - 1), LbaTable::kDeallocated);
  EXPECT_EQ(table.get(2 * kChunk), LbaTable::kUnknown);
}

TEST(LbaTable, ForgetAllGivesTheMemoryBack) {
  LbaTable table(kChunk);
  table.set(5, 99);
  table.forget_all();
  EXPECT_EQ(table.get(5), LbaTable::kUnknown);
  EXPECT_EQ(table.touched_bytes(), 0U);
}

}  // namespace
}  // namespace pynvme::verify
