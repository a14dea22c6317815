// Messages of in-band authentication against bytes written out from NVMe Base 2.0 §8.13.
#include "spec/auth.h"

#include <gtest/gtest.h>

#include "spec/wire_bytes.h"

namespace pynvme::spec::auth {
namespace {

TEST(Auth, Negotiate) {
  const auto negotiate = WireBytes(8).put(0, {0, 0, 0, 0, 0x34, 0x12, 0x00, 0x01}).as<Negotiate>();
  EXPECT_EQ(negotiate.header.auth_type, Type::kCommon);
  EXPECT_EQ(negotiate.header.auth_id, Id::kNegotiate);
  EXPECT_EQ(negotiate.header.t_id, 0x1234);
  EXPECT_EQ(negotiate.sc_c, 0);
  EXPECT_EQ(negotiate.napd, 1);
  const auto descriptor = WireBytes(64)
                              .put(0, {0x01, 0, 0x03, 0x02})
                              .put(4, {0x01, 0x02, 0x03})
                              .put(34, {0x05, 0x00})
                              .as<ProtocolDescriptor>();
  EXPECT_EQ(descriptor.auth_protocol_id, kProtocolDhHmacChap);
  EXPECT_EQ(descriptor.halen, 3);
  EXPECT_EQ(descriptor.dhlen, 2);
  EXPECT_EQ(HashId{descriptor.hashes[2]}, HashId::kSha512);
  EXPECT_EQ(GroupId{descriptor.groups[0]}, GroupId::kFfdhe8192);
}

TEST(Auth, Challenge) {
  const WireBytes bytes = WireBytes(16)
                              .put(0, {0x01, 0x01, 0, 0, 0x34, 0x12})
                              .put(6, {0x30, 0, 0x02, 0x03, 0x00, 0x02})
                              .put(12, {0x04, 0x03, 0x02, 0x01});
  const auto challenge = bytes.as<Challenge>();
  EXPECT_EQ(challenge.header.auth_type, Type::kDhHmacChap);
  EXPECT_EQ(challenge.header.auth_id, Id::kChallenge);
  EXPECT_EQ(challenge.hl, 48);
  EXPECT_EQ(challenge.hash_id, HashId::kSha384);
  EXPECT_EQ(challenge.group_id, GroupId::kFfdhe4096);
  EXPECT_EQ(challenge.dhvlen, 512);
  EXPECT_EQ(challenge.seqnum, 0x01020304u);
  EXPECT_EQ(WireBytes::of(challenge), bytes);
}

TEST(Auth, Reply) {
  const WireBytes bytes = WireBytes(16)
                              .put(0, {0x01, 0x02, 0, 0, 0x34, 0x12})
                              .put(6, {0x20, 0, 0x01, 0, 0x00, 0x01})
                              .put(12, {0x04, 0x03, 0x02, 0x01});
  const auto reply = bytes.as<Reply>();
  EXPECT_EQ(reply.header.auth_id, Id::kReply);
  EXPECT_EQ(reply.hl, 32);
  EXPECT_EQ(reply.cvalid, 1);
  EXPECT_EQ(reply.dhvlen, 256);
  EXPECT_EQ(reply.seqnum, 0x01020304u);
  EXPECT_EQ(WireBytes::of(reply), bytes);
}

TEST(Auth, Successes) {
  const auto first =
      WireBytes(16).put(0, {0x01, 0x03, 0, 0, 0x34, 0x12, 0x40, 0, 0x01}).as<Success1>();
  EXPECT_EQ(first.header.auth_id, Id::kSuccess1);
  EXPECT_EQ(first.hl, 64);
  EXPECT_EQ(first.rvalid, 1);
  const auto second = WireBytes(16).put(0, {0x01, 0x04, 0, 0, 0x34, 0x12}).as<Success2>();
  EXPECT_EQ(second.header.auth_id, Id::kSuccess2);
  EXPECT_EQ(second.header.t_id, 0x1234);
}

TEST(Auth, Failures) {
  const auto first = WireBytes(8).put(0, {0x00, 0xF1, 0, 0, 0x34, 0x12, 0x01, 0x04}).as<Failure>();
  EXPECT_EQ(first.header.auth_type, Type::kCommon);
  EXPECT_EQ(first.header.auth_id, Id::kFailure1);
  EXPECT_EQ(first.reason, kReasonFailed);
  EXPECT_EQ(first.explanation, Reason::kHashNotUsable);
  EXPECT_EQ(WireBytes(8).put(0, {0x00, 0xF0}).as<Failure>().header.auth_id, Id::kFailure2);
  EXPECT_STREQ(reason_text(first.explanation), "hash not usable");
  EXPECT_STREQ(reason_text(Reason{0x99}), "reserved");
}

}  // namespace
}  // namespace pynvme::spec::auth
