// The controller's side of DH-HMAC-CHAP on one queue (NVMe Base 2.0 §8.13): messages of the host
// in, messages for it out. It knows neither commands nor connections.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/dh.h"
#include "base/dhchap.h"
#include "spec/auth.h"

namespace pynvme::ssd::tcp {

// What a host has to prove, and can ask for.
struct DhchapKeys {
  std::string hostnqn;
  base::DhchapSecret host;
  base::DhchapSecret controller;  // empty: the controller cannot prove itself
};

// Taken where the host has them too; of what it has otherwise, the first that there is.
struct DhchapPreference {
  spec::auth::HashId hash = spec::auth::HashId::kSha256;
  spec::auth::GroupId group = spec::auth::GroupId::kFfdhe2048;
};

class Authentication {
 public:
  Authentication(const DhchapKeys& keys, const DhchapPreference& preference,
                 std::string_view subnqn);

  // The queue may be used: it was authenticated, whatever has come since.
  bool done() const { return done_; }
  // It failed, and the host was told, or has told us.
  bool over() const { return step_ == Step::kOver; }

  // The data of an Authentication Send. False: not now.
  bool take(std::span<const uint8_t> message);
  // The data of an Authentication Receive, which has room for this many bytes. Nothing when that is
  // not enough.
  std::optional<std::vector<uint8_t>> give(size_t room);

 private:
  enum class Step : uint8_t {
    kNegotiate,
    kChallenge,  // to be fetched
    kReply,
    kSuccess1,  // to be fetched
    kSuccess2,
    kFailure1,  // to be fetched
    kOver,
  };

  spec::auth::Header header(spec::auth::Id id) const;
  void fail(spec::auth::Reason reason);
  void take_in(std::span<const uint8_t> message);
  void negotiate(std::span<const uint8_t> message);
  bool choose(const spec::auth::ProtocolDescriptor& offered);
  std::vector<uint8_t> challenge();
  void reply(std::span<const uint8_t> message);
  std::vector<uint8_t> success() const;
  // What responses are made of, for a challenge that was augmented if it has to be.
  base::DhchapResponse response(const base::Secret& challenge, uint32_t seqnum) const;

  const DhchapKeys keys_;
  const DhchapPreference preference_;
  const std::string subnqn_;
  Step step_ = Step::kNegotiate;
  bool done_ = false;
  spec::auth::Reason reason_ = spec::auth::Reason::kFailed;
  uint16_t t_id_ = 0;
  base::Hash hash_ = base::Hash::kSha256;
  spec::auth::GroupId group_ = spec::auth::GroupId::kNull;
  std::unique_ptr<base::DhKey> dh_;
  base::Secret challenge_;   // C1
  uint32_t seqnum_ = 0;      // S1
  base::Secret response_;    // R2; empty: the host did not ask
  bool challenged_ = false;  // CVALID
};

}  // namespace pynvme::ssd::tcp
