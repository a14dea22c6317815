// Messages of in-band authentication with DH-HMAC-CHAP (NVMe Base 2.0 §8.13): data of
// Authentication Send and Authentication Receive, whose SQEs are in fabrics.h. Values of variable
// length follow the structures.
#pragma once

#include <cstddef>
#include <cstdint>

#include "spec/wire.h"

namespace pynvme::spec::auth {

// SPSP0 and SPSP1 of the commands.
inline constexpr uint8_t kSpsp = 0x01;

enum class Type : uint8_t { kCommon = 0x00, kDhHmacChap = 0x01 };

// AUTH_ID. Negotiate and both failures are common messages.
enum class Id : uint8_t {
  kNegotiate = 0x00,
  kChallenge = 0x01,
  kReply = 0x02,
  kSuccess1 = 0x03,
  kSuccess2 = 0x04,
  kFailure2 = 0xF0,  // by the host
  kFailure1 = 0xF1,  // by the controller
};

enum class HashId : uint8_t { kSha256 = 1, kSha384 = 2, kSha512 = 3 };

enum class GroupId : uint8_t {
  kNull = 0,  // no Diffie-Hellman
  kFfdhe2048 = 1,
  kFfdhe3072 = 2,
  kFfdhe4096 = 3,
  kFfdhe6144 = 4,
  kFfdhe8192 = 5,
};

// As users write them: hashes from kSha256 on, groups from kNull on.
inline constexpr const char* kHashNames[] = {"sha256", "sha384", "sha512"};
inline constexpr const char* kGroupNames[] = {"null",      "ffdhe2048", "ffdhe3072",
                                              "ffdhe4096", "ffdhe6144", "ffdhe8192"};

// What all messages begin with.
struct Header {
  Type auth_type;
  Id auth_id;
  uint16_t reserved2;
  uint16_t t_id;
};
static_assert(kIsWire<Header> && sizeof(Header) == 6 && offsetof(Header, t_id) == 4);

struct Negotiate {
  Header header;
  uint8_t sc_c;  // secure channel concatenation; 0: none
  uint8_t napd;  // descriptors that follow
};
static_assert(kIsWire<Negotiate> && sizeof(Negotiate) == 8);
static_assert(offsetof(Negotiate, sc_c) == 6 && offsetof(Negotiate, napd) == 7);

inline constexpr uint8_t kProtocolDhHmacChap = 0x01;

struct ProtocolDescriptor {
  uint8_t auth_protocol_id;
  uint8_t reserved1;
  uint8_t halen;  // of hashes, up to 30
  uint8_t dhlen;  // of groups, up to 30
  uint8_t hashes[30];
  uint8_t groups[30];
};
static_assert(kIsWire<ProtocolDescriptor> && sizeof(ProtocolDescriptor) == 64);
static_assert(offsetof(ProtocolDescriptor, halen) == 2 &&
              offsetof(ProtocolDescriptor, hashes) == 4 &&
              offsetof(ProtocolDescriptor, groups) == 34);

// Then the challenge C1, HL bytes, and the DH value, DHVLEN bytes.
struct Challenge {
  Header header;
  uint8_t hl;
  uint8_t reserved7;
  HashId hash_id;
  GroupId group_id;
  uint16_t dhvlen;
  uint32_t seqnum;  // S1
};
static_assert(kIsWire<Challenge> && sizeof(Challenge) == 16);
static_assert(offsetof(Challenge, hl) == 6 && offsetof(Challenge, hash_id) == 8 &&
              offsetof(Challenge, group_id) == 9 && offsetof(Challenge, dhvlen) == 10 &&
              offsetof(Challenge, seqnum) == 12);

// Then the response R1 and the challenge C2 (zeroes unless CVALID), HL bytes each, and the DH
// value, DHVLEN bytes.
struct Reply {
  Header header;
  uint8_t hl;
  uint8_t reserved7;
  uint8_t cvalid;  // 1: the controller has to prove itself too
  uint8_t reserved9;
  uint16_t dhvlen;
  uint32_t seqnum;  // S2
};
static_assert(kIsWire<Reply> && sizeof(Reply) == 16);
static_assert(offsetof(Reply, hl) == 6 && offsetof(Reply, cvalid) == 8 &&
              offsetof(Reply, dhvlen) == 10 && offsetof(Reply, seqnum) == 12);

// Then the response R2, HL bytes, where RVALID says so.
struct Success1 {
  Header header;
  uint8_t hl;
  uint8_t reserved7;
  uint8_t rvalid;
  uint8_t reserved9[7];
};
static_assert(kIsWire<Success1> && sizeof(Success1) == 16);
static_assert(offsetof(Success1, hl) == 6 && offsetof(Success1, rvalid) == 8);

struct Success2 {
  Header header;
  uint8_t reserved6[10];
};
static_assert(kIsWire<Success2> && sizeof(Success2) == 16);

// RCE where RC is kFailed, the only one that there is.
enum class Reason : uint8_t {
  kFailed = 1,
  kProtocolNotUsable = 2,
  kConcatenationMismatch = 3,
  kHashNotUsable = 4,
  kGroupNotUsable = 5,
  kIncorrectPayload = 6,
  kIncorrectMessage = 7,
};
inline constexpr uint8_t kReasonFailed = 1;

// AUTH_Failure1 and AUTH_Failure2.
struct Failure {
  Header header;
  uint8_t reason;
  Reason explanation;
};
static_assert(kIsWire<Failure> && sizeof(Failure) == 8);
static_assert(offsetof(Failure, reason) == 6 && offsetof(Failure, explanation) == 7);

// Never null.
constexpr const char* reason_text(Reason reason) {
  switch (reason) {
    case Reason::kFailed:
      return "authentication failed";
    case Reason::kProtocolNotUsable:
      return "authentication protocol not usable";
    case Reason::kConcatenationMismatch:
      return "secure channel concatenation mismatch";
    case Reason::kHashNotUsable:
      return "hash not usable";
    case Reason::kGroupNotUsable:
      return "DH group not usable";
    case Reason::kIncorrectPayload:
      return "incorrect payload";
    case Reason::kIncorrectMessage:
      return "incorrect protocol message";
  }
  return "reserved";
}

}  // namespace pynvme::spec::auth
