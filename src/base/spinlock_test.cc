#include "base/spinlock.h"

#include <mutex>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace pynvme::base {
namespace {

TEST(SpinLock, CountsExactlyUnderMoreThreadsThanCores) {
  SpinLock lock;
  uint64_t count = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < 10'000; ++n) {
        const std::lock_guard guard(lock);
        ++count;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(count, 80'000U);
}

TEST(SpinLock, TryLockTellsWhetherItIsHeld) {
  SpinLock lock;
  EXPECT_TRUE(lock.try_lock());
  EXPECT_FALSE(lock.try_lock());
  lock.unlock();
  EXPECT_TRUE(lock.try_lock());
}

}  // namespace
}  // namespace pynvme::base
