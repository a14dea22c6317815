// Media under threads: each unit's content is always one whole write, whatever happens beside it.
#include <atomic>
#include <cstring>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "base/rng.h"
#include "ssd/media/media.h"

namespace pynvme::ssd {
namespace {

constexpr uint64_t kUnits = 16;

// Thirty-two copies of one number in each sector, so that a mixture of two writes shows.
void fill(std::vector<uint64_t>& data, uint64_t number) {
  std::fill(data.begin(), data.end(), number);
}
bool is_uniform(const std::vector<uint64_t>& data) {
  return std::all_of(data.begin(), data.end(), [&](uint64_t word) { return word == data[0]; });
}

TEST(MediaThreads, AUnitIsWrittenAndReadAsAWhole) {
  Media media({1ULL << 30, 512, 4 * 4096, "", 0});
  std::atomic<bool> mixed{false};
  std::atomic<int> writers{2};
  const auto write = [&](uint64_t seed) {
    base::Rng rng(seed);
    std::vector<uint64_t> data(512);
    const IoVec piece{reinterpret_cast<uint8_t*>(data.data()), 4096};
    for (int i = 0; i < 4000; ++i) {
      const uint64_t slba = rng.below(kUnits) * 8;
      switch (rng.below(10)) {
        case 0:
          media.deallocate(slba, 8, rng.percent(50));
          break;
        case 1:
          media.write_zeroes(slba, 8, rng.percent(50));
          break;
        case 2:
          media.flush();
          break;
        case 3:
          media.power_lost();
          break;
        default:
          fill(data, rng.next());
          media.write(slba, 8, {&piece, 1}, rng.percent(30));
      }
    }
    --writers;
  };
  const auto read = [&](uint64_t seed) {
    base::Rng rng(seed);
    std::vector<uint64_t> data(512);
    auto* const bytes = reinterpret_cast<uint8_t*>(data.data());
    const IoVec whole[] = {{bytes, 4096}};
    const IoVec split[] = {{bytes, 1000}, {bytes + 1000, 3096}};
    uint64_t bad_lba = 0;
    do {
      const uint64_t slba = rng.below(kUnits) * 8;
      media.prefetch(slba);
      const std::span<const IoVec> pieces =
          rng.percent(50) ? std::span<const IoVec>(whole) : std::span<const IoVec>(split);
      if (media.read(slba, 8, pieces, &bad_lba) != MediaError::kNone || !is_uniform(data)) {
        mixed = true;
      }
      static_cast<void>(media.verify(slba, 8, &bad_lba));
    } while (writers != 0);
  };
  std::vector<std::thread> threads;
  threads.emplace_back(write, 1);
  threads.emplace_back(write, 2);
  threads.emplace_back(read, 3);
  threads.emplace_back(read, 4);
  for (std::thread& thread : threads) thread.join();
  EXPECT_FALSE(mixed);
  EXPECT_LE(media.unflushed_bytes(), 4U * 4096);
}

TEST(MediaThreads, WritersOfOneUnitsLbasLoseNothing) {
  Media media({1ULL << 30, 512, 2 * 4096, "", 0});
  const auto write = [&](uint64_t sector) {
    std::vector<uint64_t> data(64);
    const IoVec piece{reinterpret_cast<uint8_t*>(data.data()), 512};
    uint64_t bad_lba = 0;
    for (uint64_t i = 1; i <= 3000; ++i) {
      const uint64_t lba = i % 4 * 8 + sector;
      fill(data, i << 8 | sector);
      media.write(lba, 1, {&piece, 1}, i % 3 == 0);
      fill(data, 0);
      ASSERT_EQ(media.read(lba, 1, {&piece, 1}, &bad_lba), MediaError::kNone);
      ASSERT_EQ(data[0], i << 8 | sector);
      ASSERT_TRUE(is_uniform(data));
    }
  };
  std::vector<std::thread> threads;
  for (uint64_t sector = 0; sector < 4; ++sector) threads.emplace_back(write, sector);
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(media.allocated_lbas(), 16U);
}

TEST(MediaThreads, FormatBesideReadersAndWriters) {
  Media media({1ULL << 30, 4096, 1 << 20, "", 0});
  std::atomic<bool> mixed{false};
  const auto work = [&](uint64_t seed) {
    base::Rng rng(seed);
    std::vector<uint64_t> data(512);
    const IoVec piece{reinterpret_cast<uint8_t*>(data.data()), 4096};
    uint64_t bad_lba = 0;
    for (int i = 0; i < 3000; ++i) {
      const uint64_t lba = rng.below(2000);
      fill(data, rng.next());
      media.write(lba, 1, {&piece, 1}, false);
      media.read(lba, 1, {&piece, 1}, &bad_lba);
      if (!is_uniform(data)) mixed = true;
    }
  };
  std::thread first(work, 1);
  std::thread second(work, 2);
  for (int i = 0; i < 20; ++i) media.format(4096);
  first.join();
  second.join();
  EXPECT_FALSE(mixed);
  media.format(4096);
  EXPECT_EQ(media.allocated_lbas(), 0U);
}

}  // namespace
}  // namespace pynvme::ssd
