// What the controller chooses, when it may be asked for its messages, and how it ends. Whether it
// computes what others compute is asked by tests/system/test_tcp_authentication.py.
#include "ssd/tcp/authentication.h"

#include <cstring>

#include <gtest/gtest.h>

#include "base/crypto.h"

namespace pynvme::ssd::tcp {
namespace {

using Bytes = std::vector<uint8_t>;

Bytes negotiate(std::initializer_list<uint8_t> hashes, std::initializer_list<uint8_t> groups) {
  Bytes message(72);
  message[4] = 0x34;  // T_ID
  message[5] = 0x12;
  message[7] = 1;  // NAPD
  message[8] = 1;  // DH-HMAC-CHAP
  message[10] = static_cast<uint8_t>(hashes.size());
  message[11] = static_cast<uint8_t>(groups.size());
  std::copy(hashes.begin(), hashes.end(), message.begin() + 12);
  std::copy(groups.begin(), groups.end(), message.begin() + 42);
  return message;
}

class AuthenticationTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!base::has_crypto()) GTEST_SKIP() << "built without OpenSSL";
  }

  Authentication made(DhchapPreference preference = {}) {
    return {{"nqn.host", {{}, base::Secret(32, 1)}, {}}, preference, "nqn.subsystem"};
  }
};

TEST_F(AuthenticationTest, TakesWhatItPrefersAndElseTheFirstThatIsKnown) {
  struct Case {
    std::initializer_list<uint8_t> hashes, groups;
    uint8_t hash, group;
    size_t bytes;
  };
  for (const Case& c :
       {Case{{1, 2, 3}, {0, 1, 2}, 2, 1, 16 + 48 + 256}, Case{{3, 1}, {0}, 3, 0, 16 + 64},
        Case{{9, 1}, {77, 2}, 1, 2, 16 + 32 + 384}}) {
    Authentication one = made({spec::auth::HashId::kSha384, spec::auth::GroupId::kFfdhe2048});
    EXPECT_TRUE(one.take(negotiate(c.hashes, c.groups)));
    EXPECT_FALSE(one.give(c.bytes - 1));
    const auto challenge = one.give(4096);
    ASSERT_TRUE(challenge);
    EXPECT_EQ(challenge->size(), c.bytes);
    EXPECT_EQ(Bytes(challenge->begin(), challenge->begin() + 6), (Bytes{1, 1, 0, 0, 0x34, 0x12}));
    EXPECT_EQ((*challenge)[8], c.hash);
    EXPECT_EQ((*challenge)[9], c.group);
    EXPECT_FALSE(one.done());
  }
}

TEST_F(AuthenticationTest, ChallengesAndSequenceNumbersAreNeverTheSame) {
  Authentication one = made();
  Authentication other = made();
  EXPECT_TRUE(one.take(negotiate({1}, {0})));
  EXPECT_TRUE(other.take(negotiate({1}, {0})));
  const Bytes a = *one.give(4096);
  const Bytes b = *other.give(4096);
  EXPECT_NE(Bytes(a.begin() + 12, a.begin() + 16), Bytes(b.begin() + 12, b.begin() + 16));
  EXPECT_NE(Bytes(a.begin() + 16, a.end()), Bytes(b.begin() + 16, b.end()));
}

TEST_F(AuthenticationTest, AFailureIsToldOnceItIsFetchedAndNothingIsTakenMeanwhile) {
  Authentication one = made();
  EXPECT_TRUE(one.take(negotiate({1}, {99})));
  EXPECT_FALSE(one.over());
  EXPECT_FALSE(one.take(negotiate({1}, {1})));
  EXPECT_FALSE(one.give(7));
  EXPECT_EQ(one.give(8), (Bytes{0, 0xF1, 0, 0, 0x34, 0x12, 1, 5}));
  EXPECT_TRUE(one.over());
  EXPECT_FALSE(one.done());
}

TEST_F(AuthenticationTest, TheHostsFailureEndsIt) {
  Authentication one = made();
  EXPECT_TRUE(one.take(negotiate({1}, {0})));
  EXPECT_TRUE(one.give(4096));
  EXPECT_TRUE(one.take(Bytes{0, 0xF0, 0, 0, 0x34, 0x12, 1, 1}));
  EXPECT_TRUE(one.over());
}

}  // namespace
}  // namespace pynvme::ssd::tcp
