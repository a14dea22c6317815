#include "ssd/media/frame_pool.h"

#include <cstring>
#include <stdexcept>
#include <string>

#include <gtest/gtest.h>

namespace pynvme::ssd {
namespace {

constexpr uint64_t kPlenty = 1ULL << 40;
uint64_t plenty() { return kPlenty; }
uint64_t available_now = 0;
uint64_t adjustable() { return available_now; }

TEST(FramePool, HandsOutDenselyAndTheLatestFreedFirst) {
  MemoryFrames store(4 * FrameStore::kChunkFrames, plenty);
  FramePool pool(store, {});
  EXPECT_EQ(pool.allocate(), 1U);
  EXPECT_EQ(pool.allocate(), 2U);
  EXPECT_EQ(pool.allocate(), 3U);
  pool.free(1);
  pool.free(3);
  EXPECT_EQ(pool.allocate(), 3U);
  EXPECT_EQ(pool.allocate(), 1U);
  EXPECT_EQ(pool.allocate(), 4U);
  EXPECT_EQ(pool.data(4), store.base() + 4 * 4096);
}

TEST(FramePool, TellsWhenAllFramesAreInUse) {
  MemoryFrames store(FrameStore::kChunkFrames, plenty);
  FramePool pool(store, {});
  for (uint64_t i = 1; i < FrameStore::kChunkFrames; ++i) pool.allocate();
  EXPECT_THROW(pool.allocate(), std::runtime_error);
  pool.free(7);
  EXPECT_EQ(pool.allocate(), 7U);
}

TEST(FramePool, ShrinksOnlyWhenNothingIsInUse) {
  MemoryFrames store(4 * FrameStore::kChunkFrames, plenty);
  FramePool pool(store, {});
  const uint32_t frame = pool.allocate();
  std::memset(pool.data(frame), 0xAB, 4096);
  pool.shrink();
  EXPECT_EQ(pool.data(frame)[4095], 0xAB);
  pool.free(frame);
  pool.shrink();
  ASSERT_EQ(pool.allocate(), frame);
  EXPECT_EQ(pool.data(frame)[4095], 0);  // the page is a new one
}

TEST(FramePool, RefusesBeforeTheMachineRunsOutOfMemory) {
  MemoryFrames store(64 * FrameStore::kChunkFrames, adjustable);
  FramePool pool(store, {});
  available_now = 1 << 20;
  try {
    pool.allocate();
    FAIL();
  } catch (const std::runtime_error& error) {
    EXPECT_EQ(
        std::string(error.what()),
        "the embedded SSD cannot store more: 0 MiB of media are in memory and this machine has "
        "only 1 MiB left; write less, deallocate or format, choose a smaller capacity, or keep "
        "the media in a file (file=PATH)");
  }
  available_now = kPlenty;
  EXPECT_EQ(pool.allocate(), 1U);
}

TEST(FramePool, KnowsTheFramesAReopenedFileNames) {
  MemoryFrames store(4 * FrameStore::kChunkFrames, plenty);
  FramePool pool(store, {false, false, true, false, true});
  EXPECT_EQ(pool.allocate(), 1U);
  EXPECT_EQ(pool.allocate(), 3U);
  EXPECT_EQ(pool.allocate(), 5U);
}

}  // namespace
}  // namespace pynvme::ssd
