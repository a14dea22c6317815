#include "base/crypto.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/test_crypto.h"

namespace pynvme::base {
namespace {

std::vector<uint8_t> from_hex(const std::string& text) {
  std::vector<uint8_t> bytes;
  for (size_t i = 0; i < text.size(); i += 2) {
    bytes.push_back(static_cast<uint8_t>(std::stoul(text.substr(i, 2), nullptr, 16)));
  }
  return bytes;
}

class Crypto : public NeedsCrypto {};

// FIPS 180-4, the examples for "abc".
TEST_F(Crypto, Hashes) {
  EXPECT_EQ(hex(digest(Hash::kSha256, bytes_of("abc"))),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(hex(digest(Hash::kSha384, bytes_of("abc"))),
            "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed"
            "8086072ba1e7cc2358baeca134c825a7");
  EXPECT_EQ(hex(digest(Hash::kSha512, bytes_of("abc"))),
            "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
            "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f");
  EXPECT_EQ(hex(digest(Hash::kSha256, {})),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

// RFC 4231 §4.2 and §4.3.
TEST_F(Crypto, Hmac) {
  const std::vector<uint8_t> key(20, 0x0B);
  const auto data = bytes_of("Hi There");
  EXPECT_EQ(hex(hmac(Hash::kSha256, key, data)),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
  EXPECT_EQ(hex(hmac(Hash::kSha384, key, data)),
            "afd03944d84895626b0825f4ab46907f15f9dadbe4101ec682aa034c7cebc59c"
            "faea9ea9076ede7f4af152e8b2fa9cb6");
  EXPECT_EQ(hex(hmac(Hash::kSha512, key, data)),
            "87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cde"
            "daa833b7d6b8a702038b274eaea3f4e4be9d914eeb61f1702e696c203a126854");
  EXPECT_EQ(hex(hmac(Hash::kSha256, bytes_of("Jefe"), bytes_of("what do ya want for nothing?"))),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

// RFC 5869 appendix A.1 and A.3.
TEST_F(Crypto, Hkdf) {
  const std::vector<uint8_t> key(22, 0x0B);
  Secret prk = hkdf_extract(Hash::kSha256, from_hex("000102030405060708090a0b0c"), key);
  EXPECT_EQ(hex(prk), "077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5");
  EXPECT_EQ(hex(hkdf_expand(Hash::kSha256, prk, from_hex("f0f1f2f3f4f5f6f7f8f9"), 42)),
            "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865");
  prk = hkdf_extract(Hash::kSha256, {}, key);
  EXPECT_EQ(hex(prk), "19ef24a32c717b167f33a91d6f648bdf96596776afdb6377ac434c1c293ccb04");
  EXPECT_EQ(hex(hkdf_expand(Hash::kSha256, prk, {}, 42)),
            "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8");
  EXPECT_THROW(hkdf_expand(Hash::kSha256, prk, {}, 255 * 32 + 1), CryptoError);
}

// RFC 8448 §3: the early secret without a PSK, what is derived from it, and the server's keys.
TEST_F(Crypto, HkdfExpandLabel) {
  const Secret early = hkdf_extract(Hash::kSha256, {}, std::vector<uint8_t>(32));
  EXPECT_EQ(hex(early), "33ad0a1c607ec03b09e6cd9893680ce210adf300aa1f2660e1b22e10f170f92a");
  EXPECT_EQ(hex(hkdf_expand_label(Hash::kSha256, early, "derived", digest(Hash::kSha256, {}), 32)),
            "6f2615a108c702c5678f54fc9dbab69716c076189c48250cebeac3576c3611ba");
  const auto traffic = from_hex("b67b7d690cc16c4e75e54213cb2d37b4e9c912bcded9105d42befd59d391ad38");
  EXPECT_EQ(hex(hkdf_expand_label(Hash::kSha256, traffic, "key", {}, 16)),
            "3fce516009c21727d0f2e4e86ee403bc");
  EXPECT_EQ(hex(hkdf_expand_label(Hash::kSha256, traffic, "iv", {}, 12)),
            "5d313eb2671276ee13000b30");
  EXPECT_THROW(hkdf_expand_label(Hash::kSha256, early, "x", std::vector<uint8_t>(256), 32),
               CryptoError);
}

TEST(CryptoMissing, IsToldWithWhatToInstall) {
  if (has_crypto()) {
    EXPECT_NO_THROW(require_crypto("TLS"));
    return;
  }
  try {
    require_crypto("TLS");
    FAIL();
  } catch (const CryptoError& error) {
    EXPECT_NE(std::string(error.what()).find("libssl-dev"), std::string::npos);
  }
}

}  // namespace
}  // namespace pynvme::base
