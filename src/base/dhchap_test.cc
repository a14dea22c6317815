// Vectors computed with Python's hmac, hashlib, base64 and zlib.
#include "base/dhchap.h"

#include <numeric>
#include <stdexcept>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/test_crypto.h"

namespace pynvme::base {
namespace {

constexpr char kPlain[] = "DHHC-1:00:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh+KfiaR:";
constexpr char kSha384[] =
    "DHHC-1:02:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4vcSEgBQ==:";

Secret counted(size_t bytes, uint8_t from = 0) {
  Secret secret(bytes);
  std::iota(secret.begin(), secret.end(), from);
  return secret;
}

TEST(Dhchap, SecretsAreRead) {
  const DhchapSecret plain = parse_dhchap_secret(kPlain);
  EXPECT_FALSE(plain.transform);
  EXPECT_EQ(plain.key, counted(32));
  EXPECT_EQ(dhchap_secret_text(plain), kPlain);
  const DhchapSecret hashed = parse_dhchap_secret(kSha384);
  EXPECT_EQ(hashed.transform, Hash::kSha384);
  EXPECT_EQ(hashed.key, counted(48));
  EXPECT_EQ(dhchap_secret_text(hashed), kSha384);
}

TEST(Dhchap, WhatIsNoSecretIsRefusedWithoutBeingShown) {
  const std::string good = kPlain;
  for (const std::string& text :
       {std::string(), std::string("DHHC-1:"), good.substr(1), good.substr(0, good.size() - 1),
        "DHHC-1:04" + good.substr(9), "DHHC-1:0x" + good.substr(9), "DHHC-2" + good.substr(6),
        std::string("DHHC-1:00:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh+KfiaS:"),
        std::string("DHHC-1:00:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh+Kfia:"),
        std::string("DHHC-1:00:AAECAwQF:"), std::string("DHHC-1:00::")}) {
    try {
      parse_dhchap_secret(text);
      ADD_FAILURE() << text;
    } catch (const std::invalid_argument& error) {
      EXPECT_EQ(std::string(error.what()).find("AAEC"), std::string::npos) << error.what();
    }
  }
}

TEST(Dhchap, Computations) {
  if (!has_crypto()) GTEST_SKIP() << "built without OpenSSL";
  EXPECT_EQ(
      hex(transformed_key(parse_dhchap_secret(kSha384), "nqn.host")),
      "fc999e41dbd985b3420924dc7f12f2ae4918068048cb64beac89e9899c1e2b305deecddf80a3a7dcd0b9ca4a"
      "e01a412c");
  EXPECT_EQ(transformed_key(parse_dhchap_secret(kPlain), "nqn.host"), counted(32));
  const std::vector<uint8_t> shared{1, 2, 3};
  const Secret challenge = augmented_challenge(Hash::kSha256, shared, counted(32, 100));
  EXPECT_EQ(hex(challenge), "09884b7a379815721f248fd555094e6a4c82c489265292c5098c452210545184");
  const DhchapResponse response{challenge, 0x01020304, 0x0506, 0, "nqn.host", "nqn.subsystem"};
  EXPECT_EQ(hex(response.of_host(Hash::kSha256, counted(32))),
            "56e29db89ac0c20d1a22d983cb2e27ff4faa98a4799342e7f05db8bd2728feca");
  EXPECT_EQ(hex(response.of_controller(Hash::kSha256, counted(32))),
            "7a7c7cb8d66c7cad01df8d5cf3bcc889a1692a66ba5d49c28a4aa980ff35c760");
}

}  // namespace
}  // namespace pynvme::base
