// The allocator's promises: pages, zeroes, no overlap, one address everywhere, arenas in every
// function.
#include "pcie/dma_memory.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <new>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "base/rng.h"
#include "pcie/fake_config_function.h"

namespace pynvme::pcie {
namespace {

struct Mapper final : FakeConfigFunction {
  void dma_map(uint64_t iova, void* memory, uint64_t size, int fd, uint64_t) override {
    EXPECT_GE(fd, 0);
    maps[iova] = {static_cast<uint8_t*>(memory), size};
  }
  void dma_unmap(uint64_t iova, uint64_t) override { maps.erase(iova); }
  const uint8_t* translate(uint64_t iova, size_t size) const {
    for (const auto& [base, map] : maps) {
      if (iova >= base && iova + size <= base + map.second) return map.first + (iova - base);
    }
    return nullptr;
  }
  std::map<uint64_t, std::pair<uint8_t*, uint64_t>> maps;
};

TEST(DmaMemoryTest, BlocksAreWholeZeroedPagesAboveFourGibibytes) {
  auto& memory = DmaMemory::instance();
  for (const size_t size : {size_t{0}, size_t{1}, size_t{4096}, size_t{4097}, size_t{100'000}}) {
    for (int round = 0; round < 2; ++round) {
      const DmaBlock block = memory.allocate(size);
      EXPECT_EQ(block.size(), std::max<size_t>((size + 4095) / 4096 * 4096, 4096));
      EXPECT_EQ(block.iova() % kPageSize, 0U);
      EXPECT_EQ(reinterpret_cast<uintptr_t>(block.data()) % kPageSize, 0U);
      EXPECT_GE(block.iova(), 4ULL << 30);
      EXPECT_LT(block.iova() + block.size(), 1ULL << 39);
      EXPECT_TRUE(std::all_of(block.data(), block.data() + block.size(),
                              [](uint8_t byte) { return byte == 0; }));
      std::memset(block.data(), 0xA5, block.size());
    }
  }
}

TEST(DmaMemoryTest, MovingHandsTheBlockOver) {
  DmaBlock a = DmaMemory::instance().allocate(4096);
  const uint64_t iova = a.iova();
  DmaBlock b = std::move(a);
  EXPECT_FALSE(a);
  EXPECT_EQ(b.iova(), iova);
  a = std::move(b);
  EXPECT_EQ(a.iova(), iova);
  a = DmaBlock();
  EXPECT_EQ(DmaMemory::instance().allocate(4096).iova(), iova);  // freed, and the best fit
}

TEST(DmaMemoryTest, EveryFunctionReachesEveryArena) {
  auto& memory = DmaMemory::instance();
  const DmaBlock before = memory.allocate(8192);
  Mapper early;
  memory.attach(early);
  const DmaBlock large = memory.allocate(64 << 20);  // more than there was: a new arena
  Mapper late;
  memory.attach(late);
  for (const Mapper* mapper : {&early, &late}) {
    EXPECT_EQ(mapper->translate(before.iova(), before.size()), before.data());
    EXPECT_EQ(mapper->translate(large.iova(), large.size()), large.data());
  }
  memory.detach(early);
  EXPECT_TRUE(early.maps.empty());
  memory.detach(early);
  EXPECT_FALSE(late.maps.empty());
  memory.detach(late);
}

TEST(DmaMemoryTest, ArenasHaveGapsBetweenThem) {
  auto& memory = DmaMemory::instance();
  Mapper mapper;
  memory.attach(mapper);
  const DmaBlock a = memory.allocate(300 << 20);
  uint64_t end = 0;
  for (const auto& [iova, map] : mapper.maps) {
    EXPECT_GT(iova, end);
    end = iova + map.second;
  }
  memory.detach(mapper);
}

TEST(DmaMemoryTest, TooMuchIsRefusedWithTheSize) {
  try {
    DmaMemory::instance().allocate(SIZE_MAX);
    FAIL();
  } catch (const std::bad_alloc& error) {
    EXPECT_NE(std::string(error.what()).find("18446744073709551615 bytes"), std::string::npos);
  }
  try {
    DmaMemory::instance().allocate(1ULL << 60);
    FAIL();
  } catch (const std::bad_alloc& error) {
    EXPECT_NE(std::string(error.what()).find("no DMA memory"), std::string::npos);
  }
}

TEST(DmaMemoryTest, RandomUseFromSeveralThreadsNeverOverlaps) {
  const auto work = [](uint64_t seed) {
    base::Rng rng(seed);
    std::vector<DmaBlock> blocks;
    for (int i = 0; i < 2000; ++i) {
      if (!blocks.empty() && rng.percent(48)) {
        const auto at = static_cast<std::ptrdiff_t>(rng.below(blocks.size()));
        const DmaBlock& block = blocks[static_cast<size_t>(at)];
        const auto mark = static_cast<uint8_t>(block.iova() >> 12 ^ seed);
        ASSERT_EQ(block.data()[0], mark);
        ASSERT_EQ(block.data()[block.size() - 1], mark);
        blocks.erase(blocks.begin() + at);
      } else {
        blocks.push_back(DmaMemory::instance().allocate(1 + rng.below(64 * 1024)));
        const DmaBlock& block = blocks.back();
        const auto mark = static_cast<uint8_t>(block.iova() >> 12 ^ seed);
        block.data()[0] = mark;
        block.data()[block.size() - 1] = mark;
      }
    }
  };
  std::vector<std::thread> threads;
  for (uint64_t seed = 1; seed <= 3; ++seed) threads.emplace_back(work, seed);
  for (auto& thread : threads) thread.join();
}

}  // namespace
}  // namespace pynvme::pcie
