// Both sides' halves meet, and values that are none of the group are refused. That the groups are
// those of RFC 7919 is seen by tests/system/test_tcp_authentication.py, which makes them itself.
#include "base/dh.h"

#include <gtest/gtest.h>

namespace pynvme::base {
namespace {

TEST(Dh, BothSidesHaveTheSameSecret) {
  if (!has_crypto()) GTEST_SKIP() << "built without OpenSSL";
  for (const auto& [group, bytes] :
       {std::pair(DhGroup::kFfdhe2048, 256), std::pair(DhGroup::kFfdhe3072, 384),
        std::pair(DhGroup::kFfdhe4096, 512), std::pair(DhGroup::kFfdhe6144, 768),
        std::pair(DhGroup::kFfdhe8192, 1024)}) {
    const DhKey one(group);
    const DhKey other(group);
    EXPECT_EQ(dh_bytes(group), static_cast<size_t>(bytes));
    EXPECT_EQ(one.public_value().size(), static_cast<size_t>(bytes));
    EXPECT_NE(one.public_value(), other.public_value());
    const auto secret = one.shared(other.public_value());
    ASSERT_TRUE(secret);
    EXPECT_EQ(secret->size(), static_cast<size_t>(bytes));
    EXPECT_EQ(secret, other.shared(one.public_value()));
  }
}

TEST(Dh, ValuesThatAreNoneAreRefused) {
  if (!has_crypto()) GTEST_SKIP() << "built without OpenSSL";
  const DhKey key(DhGroup::kFfdhe2048);
  std::vector<uint8_t> value(256);
  EXPECT_FALSE(key.shared(value));  // 0
  value.back() = 1;
  EXPECT_FALSE(key.shared(value));
  value.assign(256, 0xFF);  // above the prime
  EXPECT_FALSE(key.shared(value));
  EXPECT_FALSE(key.shared(std::vector<uint8_t>(255, 2)));
  EXPECT_FALSE(key.shared({}));
}

}  // namespace
}  // namespace pynvme::base
