#include "base/tls/client_hello.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/rng.h"

namespace pynvme::base::tls {
namespace {

void add(std::vector<uint8_t>& to, const std::vector<uint8_t>& bytes) {
  to.insert(to.end(), bytes.begin(), bytes.end());
}

// Two names of 3 and 2 bytes, with binders of 32 bytes 11h and 48 bytes 22h.
std::vector<uint8_t> extension() {
  std::vector<uint8_t> bytes{0, 17, 0, 3, 'a', 'b', 'c', 0, 0, 0, 0, 0, 2, 'd', 'e', 0, 0, 0, 0};
  add(bytes, {0, 82, 32});
  add(bytes, std::vector<uint8_t>(32, 0x11));
  add(bytes, {48});
  add(bytes, std::vector<uint8_t>(48, 0x22));
  return bytes;
}

TEST(ClientHello, Offers) {
  const auto bytes = extension();
  const auto offers = parse_offers(bytes);
  ASSERT_TRUE(offers);
  ASSERT_EQ(offers->keys.size(), 2U);
  EXPECT_EQ(offers->keys[0].name, "abc");
  EXPECT_EQ(offers->keys[0].binder.size(), 32U);
  EXPECT_EQ(offers->keys[1].name, "de");
  EXPECT_EQ(offers->keys[1].binder[47], 0x22);
  EXPECT_EQ(offers->binders_bytes, 2U + 82U);
}

TEST(ClientHello, WhatIsMalformedIsNothing) {
  const auto whole = extension();
  for (size_t size = 0; size < whole.size(); ++size) {
    const std::vector<uint8_t> part(whole.begin(), whole.begin() + static_cast<ptrdiff_t>(size));
    EXPECT_FALSE(parse_offers(part)) << size;
  }
  auto longer = whole;
  longer.push_back(0);
  EXPECT_FALSE(parse_offers(longer));
  for (const size_t length : {1U, 3U, 12U, 20U, 21U, 54U}) {
    auto wrong = whole;
    ++wrong[length];
    EXPECT_FALSE(parse_offers(wrong)) << length;
  }
  // Any bytes: whatever it makes of them, it stays within them.
  Rng rng(3);
  for (int i = 0; i < 20'000; ++i) {
    std::vector<uint8_t> bytes(rng.below(60));
    for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(rng.below(4));
    const auto offers = parse_offers(bytes);
    if (!offers) continue;
    for (const Offer& offer : offers->keys) {
      EXPECT_LE(offer.name.size() + offer.binder.size(), bytes.size());
    }
  }
}

}  // namespace
}  // namespace pynvme::base::tls
