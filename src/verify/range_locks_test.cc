#include "verify/range_locks.h"

#include <array>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "base/rng.h"

namespace pynvme::verify {
namespace {

constexpr auto kFresh = Attempt::kFresh;
constexpr auto kRetry = Attempt::kRetry;

TEST(RangeLocks, EachLbaHasALockOfItsOwnModuloTheTable) {
  EXPECT_EQ(RangeLocks::range_of(15, 4).first, 15U);
  EXPECT_EQ(RangeLocks::range_of(15, 4).count, 4U);
  EXPECT_EQ(RangeLocks::range_of(RangeLocks::kLocks + 3, 1).first, 3U);
  EXPECT_EQ(RangeLocks::range_of(5, 1ULL << 40).count, RangeLocks::kLocks);
}

TEST(RangeLocks, NeighboursInOneWordAreIndependent) {
  RangeLocks locks;
  ASSERT_TRUE(locks.try_lock_exclusive(locks.range_of(0, 3), kFresh));
  ASSERT_TRUE(locks.try_lock_shared(locks.range_of(3, 2), kFresh));
  ASSERT_TRUE(locks.try_lock_exclusive(locks.range_of(5, 6), kFresh));
  EXPECT_FALSE(locks.try_lock_shared(locks.range_of(2, 1), kFresh));
  EXPECT_TRUE(locks.try_lock_shared(locks.range_of(4, 1), kFresh));
  locks.unlock_exclusive(locks.range_of(0, 3));
  locks.unlock_shared(locks.range_of(3, 2));
  locks.unlock_shared(locks.range_of(4, 1));
  locks.unlock_exclusive(locks.range_of(5, 6));
  EXPECT_TRUE(locks.try_lock_exclusive(locks.range_of(0, 16), kRetry));
}

TEST(RangeLocks, RangesWrapAroundTheTable) {
  RangeLocks locks;
  const auto range = locks.range_of(RangeLocks::kLocks - 3, 6);
  ASSERT_TRUE(locks.try_lock_exclusive(range, kFresh));
  EXPECT_FALSE(locks.try_lock_shared(locks.range_of(2, 1), kFresh));
  EXPECT_TRUE(locks.try_lock_shared(locks.range_of(3, 1), kFresh));
  locks.unlock_exclusive(range);
  EXPECT_TRUE(locks.try_lock_shared(locks.range_of(2, 1), kRetry));
}

TEST(RangeLocks, OneReaderTooManyIsRefusedWithoutHarm) {
  RangeLocks locks;
  const auto range = locks.range_of(9, 2);
  for (uint32_t i = 0; i < RangeLocks::kMaxReaders; ++i) {
    ASSERT_TRUE(locks.try_lock_shared(range, kFresh)) << i;
  }
  EXPECT_FALSE(locks.try_lock_shared(range, kRetry));
  EXPECT_TRUE(locks.try_lock_exclusive(locks.range_of(8, 1), kFresh));
  EXPECT_TRUE(locks.try_lock_exclusive(locks.range_of(11, 1), kFresh));
  for (uint32_t i = 0; i < RangeLocks::kMaxReaders; ++i) locks.unlock_shared(range);
  EXPECT_TRUE(locks.try_lock_exclusive(range, kRetry));
}

TEST(RangeLocks, AWriterKeepsEveryoneOut) {
  RangeLocks locks;
  const auto range = locks.range_of(8, 8);
  ASSERT_TRUE(locks.try_lock_exclusive(range, kFresh));
  EXPECT_FALSE(locks.try_lock_exclusive(range, kFresh));
  EXPECT_FALSE(locks.try_lock_shared(range, kFresh));
  EXPECT_TRUE(locks.try_lock_exclusive(locks.range_of(16, 8), kFresh));
  locks.unlock_exclusive(range);
  EXPECT_TRUE(locks.try_lock_shared(range, kRetry));
}

TEST(RangeLocks, ReadersShare) {
  RangeLocks locks;
  const auto range = locks.range_of(0, 8);
  EXPECT_TRUE(locks.try_lock_shared(range, kFresh));
  EXPECT_TRUE(locks.try_lock_shared(range, kFresh));
  EXPECT_FALSE(locks.try_lock_exclusive(range, kRetry));
  locks.unlock_shared(range);
  EXPECT_FALSE(locks.try_lock_exclusive(range, kRetry));
  locks.unlock_shared(range);
  EXPECT_TRUE(locks.try_lock_exclusive(range, kRetry));
}

TEST(RangeLocks, ARefusedRangeHoldsNothing) {
  RangeLocks locks;
  ASSERT_TRUE(locks.try_lock_exclusive(locks.range_of(3, 1), kFresh));
  EXPECT_FALSE(locks.try_lock_exclusive(locks.range_of(0, 8), kFresh));
  EXPECT_FALSE(locks.try_lock_shared(locks.range_of(0, 8), kFresh));
  EXPECT_TRUE(locks.try_lock_exclusive(locks.range_of(0, 3), kRetry));
  EXPECT_TRUE(locks.try_lock_exclusive(locks.range_of(4, 4), kRetry));
}

TEST(RangeLocks, ARangeLargerThanTheTableTakesAllOfIt) {
  RangeLocks locks;
  const auto all = locks.range_of(12345, 1ULL << 33);
  ASSERT_TRUE(locks.try_lock_exclusive(all, kFresh));
  EXPECT_FALSE(locks.try_lock_shared(locks.range_of(99999, 1), kFresh));
  locks.unlock_exclusive(all);
  EXPECT_TRUE(locks.try_lock_shared(locks.range_of(99999, 1), kRetry));
}

TEST(RangeLocks, AWaitingWriterGetsInAmongReadersThatKeepComing) {
  RangeLocks locks;
  const auto range = locks.range_of(0, 1);
  ASSERT_TRUE(locks.try_lock_shared(range, kFresh));
  EXPECT_FALSE(locks.try_lock_exclusive(range, kFresh));
  // Neither new readers nor waiting ones overtake while the word is taken.
  EXPECT_FALSE(locks.try_lock_shared(range, kFresh));
  EXPECT_FALSE(locks.try_lock_shared(range, kRetry));
  locks.unlock_shared(range);
  EXPECT_TRUE(locks.try_lock_exclusive(range, kRetry));
}

TEST(RangeLocks, AFreshWriterGivesWayToOneThatWaits) {
  RangeLocks locks;
  const auto range = locks.range_of(0, 1);
  ASSERT_TRUE(locks.try_lock_exclusive(range, kFresh));
  EXPECT_FALSE(locks.try_lock_exclusive(range, kFresh));  // another one, from now on waiting
  locks.unlock_exclusive(range);
  EXPECT_FALSE(locks.try_lock_exclusive(range, kFresh));  // the first one's next command
  EXPECT_TRUE(locks.try_lock_exclusive(range, kRetry));   // the one that waited
}

TEST(RangeLocks, TheMarkOfOneThatGaveUpDoesNotStay) {
  RangeLocks locks;
  const auto range = locks.range_of(0, 1);
  ASSERT_TRUE(locks.try_lock_shared(range, kFresh));
  EXPECT_FALSE(locks.try_lock_exclusive(range, kFresh));  // gives up
  locks.unlock_shared(range);
  EXPECT_FALSE(locks.try_lock_shared(range, kFresh));
  EXPECT_TRUE(locks.try_lock_shared(range, kRetry));
  EXPECT_TRUE(locks.try_lock_shared(range, kFresh));
}

// Run under TSan this shows that the locks order the accesses of the threads as well.
TEST(RangeLocks, ThreadsNeverMeetInsideAWriter) {
  RangeLocks locks;
  constexpr uint64_t kLbas = 16;
  std::array<uint64_t, kLbas> cells{};
  std::vector<std::thread> threads;
  for (uint64_t seed = 1; seed <= 4; ++seed) {
    threads.emplace_back([&, seed] {
      base::Rng rng(seed);
      for (int i = 0; i < 5000; ++i) {
        const uint64_t slba = rng.below(kLbas - 3);
        const uint64_t nlb = 1 + rng.below(3);
        const auto range = locks.range_of(slba, nlb);
        const bool writes = rng.percent(50);
        Attempt attempt = kFresh;
        while (!(writes ? locks.try_lock_exclusive(range, attempt)
                        : locks.try_lock_shared(range, attempt))) {
          attempt = kRetry;
          std::this_thread::yield();
        }
        for (uint64_t lba = slba; lba < slba + nlb; ++lba) {
          if (writes) {
            cells[lba] += 1;
          } else {
            [[maybe_unused]] const volatile uint64_t seen = cells[lba];
          }
        }
        writes ? locks.unlock_exclusive(range) : locks.unlock_shared(range);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_TRUE(locks.try_lock_exclusive(locks.range_of(0, kLbas), kRetry));
}

}  // namespace
}  // namespace pynvme::verify
