#include "verify/stamp.h"

#include <array>
#include <set>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace pynvme::verify {
namespace {

uint64_t token_of(const uint8_t* lba, uint32_t lba_bytes) {
  uint64_t token = 0;
  std::memcpy(&token, lba + lba_bytes - 8, 8);
  return token;
}

TEST(Stamp, WritesAddressAndTokenLittleEndianAndNothingElse) {
  std::array<uint8_t, 512> data;
  data.fill(0xAA);
  stamp_lba(data.data(), 512, 0x0102030405060708ULL, 0x1112131415161718ULL);
  const std::array<uint8_t, 8> address{8, 7, 6, 5, 4, 3, 2, 1};
  const std::array<uint8_t, 8> token{0x18, 0x17, 0x16, 0x15, 0x14, 0x13, 0x12, 0x11};
  EXPECT_TRUE(std::equal(address.begin(), address.end(), data.begin()));
  EXPECT_TRUE(std::equal(token.begin(), token.end(), data.end() - 8));
  for (size_t i = 8; i < 504; ++i) ASSERT_EQ(data[i], 0xAA) << i;
}

TEST(Stamp, TokensGoUpByOneForEveryLba) {
  std::vector<uint8_t> data(3 * 4096);
  stamp(data.data(), 4096, 100, 3);
  const uint64_t first = token_of(data.data(), 4096);
  EXPECT_GE(first, 1U);
  for (uint64_t i = 0; i < 3; ++i) {
    EXPECT_EQ(stamped_lba(data.data() + i * 4096), 100 + i);
    EXPECT_EQ(token_of(data.data() + i * 4096, 4096), first + i);
  }
  EXPECT_EQ(take_tokens(1), first + 3);
}

TEST(Stamp, NoTokenIsTakenTwice) {
  constexpr int kThreads = 4;
  constexpr int kTakes = 1000;
  std::array<std::vector<uint64_t>, kThreads> taken;
  std::vector<std::thread> threads;
  for (auto& mine : taken) {
    threads.emplace_back([&mine] {
      for (int i = 0; i < kTakes; ++i) mine.push_back(take_tokens(2));
    });
  }
  for (auto& thread : threads) thread.join();
  std::set<uint64_t> all;
  for (const auto& mine : taken) {
    for (const uint64_t token : mine) {
      EXPECT_TRUE(all.insert(token).second);
      EXPECT_TRUE(all.insert(token + 1).second);
    }
  }
}

}  // namespace
}  // namespace pynvme::verify
