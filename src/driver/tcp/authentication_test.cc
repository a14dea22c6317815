// What the host offers, and what it does not take from a controller. Whether it computes what
// others compute is asked by tests/system/test_tcp_authentication.py.
#include "driver/tcp/authentication.h"

#include <algorithm>

#include <gtest/gtest.h>

namespace pynvme::driver::tcp {
namespace {

using Bytes = std::vector<uint8_t>;
using spec::auth::Reason;

Options options() {
  Options options;
  options.hostnqn = "nqn.host";
  options.dhchap_secret = {{}, base::Secret(32, 1)};
  return options;
}

Bytes padded(const Bytes& head, size_t size, uint8_t with = 0) {
  Bytes message(size, with);
  std::copy(head.begin(), head.end(), message.begin());
  return message;
}

// SHA-256, no DH: T_ID 1234h, S1 5, the challenge.
Bytes challenge() {
  return padded({1, 1, 0, 0, 0x34, 0x12, 32, 0, 1, 0, 0, 0, 5, 0, 0, 0}, 16 + 32, 0xA5);
}

template <class Function>
std::optional<Reason> refusal(Function function) {
  try {
    function();
  } catch (const AuthenticationError& error) {
    return error.reason();
  }
  ADD_FAILURE() << "it was taken";
  return std::nullopt;
}

TEST(Authentication, Offers) {
  Options all = options();
  const Bytes message = Authentication(all, "nqn.subsystem", 0x1234).negotiate();
  ASSERT_EQ(message.size(), 72u);
  EXPECT_EQ(Bytes(message.begin(), message.begin() + 15),
            (Bytes{0, 0, 0, 0, 0x34, 0x12, 0, 1, 1, 0, 3, 6, 1, 2, 3}));
  EXPECT_EQ(Bytes(message.begin() + 42, message.begin() + 48), (Bytes{1, 2, 3, 4, 5, 0}));
  all.dhchap_hash = spec::auth::HashId::kSha512;
  all.dhchap_group = spec::auth::GroupId::kFfdhe8192;
  const Bytes one = Authentication(all, "nqn.subsystem", 1).negotiate();
  EXPECT_EQ(Bytes(one.begin() + 10, one.begin() + 14), (Bytes{1, 1, 3, 0}));
  EXPECT_EQ(Bytes(one.begin() + 42, one.begin() + 44), (Bytes{5, 0}));
}

TEST(Authentication, OneWayHasNoChallengeOfItsOwn) {
  if (!base::has_crypto()) GTEST_SKIP() << "built without OpenSSL";
  const Options plain = options();
  Authentication host(plain, "nqn.subsystem", 0x1234);
  EXPECT_FALSE(host.bidirectional());
  const Bytes reply = host.reply(padded(challenge(), 4096));  // as Authentication Receive has it
  ASSERT_EQ(reply.size(), 16u + 2 * 32);
  EXPECT_EQ(Bytes(reply.begin(), reply.begin() + 16),
            (Bytes{1, 2, 0, 0, 0x34, 0x12, 32, 0, 0, 0, 0, 0, 0, 0, 0, 0}));
  EXPECT_EQ(Bytes(reply.begin() + 48, reply.end()), Bytes(32));
  EXPECT_NO_THROW(host.check_success(Bytes{1, 3, 0, 0, 0x34, 0x12, 32, 0, 0, 0, 0, 0, 0, 0, 0, 0}));
}

TEST(Authentication, Refusals) {
  if (!base::has_crypto()) GTEST_SKIP() << "built without OpenSSL";
  Options both = options();
  both.dhchap_ctrl_secret = {{}, base::Secret(48, 2)};
  Authentication host(both, "nqn.subsystem", 0x1234);
  const auto changed = [](size_t at, uint8_t value) {
    Bytes message = challenge();
    message[at] = value;
    return message;
  };
  const auto reply = [&](const Bytes& message) { return refusal([&] { host.reply(message); }); };
  EXPECT_EQ(reply({}), Reason::kIncorrectPayload);
  EXPECT_EQ(reply(changed(1, 3)), Reason::kIncorrectMessage);
  EXPECT_EQ(reply(changed(0, 0)), Reason::kIncorrectMessage);
  EXPECT_EQ(reply(changed(4, 0)), Reason::kIncorrectPayload);
  EXPECT_EQ(reply(changed(6, 48)), Reason::kIncorrectPayload);
  EXPECT_EQ(reply(changed(8, 0)), Reason::kHashNotUsable);
  EXPECT_EQ(reply(changed(9, 6)), Reason::kGroupNotUsable);
  EXPECT_EQ(reply(changed(10, 1)), Reason::kIncorrectPayload);
  Bytes cut = challenge();
  cut.pop_back();
  EXPECT_EQ(reply(cut), Reason::kIncorrectPayload);
  // AUTH_Failure1 has no answer.
  EXPECT_EQ(reply({0, 0xF1, 0, 0, 0x34, 0x12, 1, 4}), std::nullopt);

  host.reply(challenge());
  Bytes success = padded({1, 3, 0, 0, 0x34, 0x12, 32, 0, 1}, 16 + 32);
  EXPECT_EQ(refusal([&] { host.check_success(success); }), Reason::kFailed);
  success.pop_back();
  EXPECT_EQ(refusal([&] { host.check_success(success); }), Reason::kIncorrectPayload);
  EXPECT_EQ(host.failure(Reason::kFailed), (Bytes{0, 0xF0, 0, 0, 0x34, 0x12, 1, 1}));
  EXPECT_EQ(host.success().size(), 16u);
}

}  // namespace
}  // namespace pynvme::driver::tcp
