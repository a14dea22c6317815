#include "base/secret.h"

#include <algorithm>
#include <array>
#include <vector>

#include <gtest/gtest.h>

namespace pynvme::base {
namespace {

TEST(Secret, IsWipedWhereItWas) {
  std::array<uint8_t, 16> bytes;
  bytes.fill(0xA5);
  wipe(bytes.data(), 8);
  EXPECT_TRUE(std::all_of(bytes.begin(), bytes.begin() + 8, [](uint8_t b) { return b == 0; }));
  EXPECT_EQ(bytes[8], 0xA5);
  wipe(nullptr, 0);
}

TEST(Secret, IsComparedAsAWhole) {
  const Secret a{1, 2, 3};
  EXPECT_TRUE(same_secret(a, std::vector<uint8_t>{1, 2, 3}));
  EXPECT_FALSE(same_secret(a, std::vector<uint8_t>{1, 2, 0x83}));
  EXPECT_FALSE(same_secret(a, std::vector<uint8_t>{0, 2, 3}));
  EXPECT_FALSE(same_secret(a, std::vector<uint8_t>{1, 2}));
  EXPECT_TRUE(same_secret({}, {}));
}

TEST(Secret, RandomBytesDiffer) {
  std::array<uint8_t, 64> a{};
  std::array<uint8_t, 64> b{};
  random_bytes(a.data(), a.size());
  random_bytes(b.data(), b.size());
  EXPECT_NE(a, b);
}

}  // namespace
}  // namespace pynvme::base
