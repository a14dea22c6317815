// Each message is checked as a whole before anything of it is used: type and step, T_ID, lengths.
// The first that is wrong fails the transaction with the reason of NVMe Base 2.0 §8.13.
#include "ssd/tcp/authentication.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <stdexcept>

namespace pynvme::ssd::tcp {
namespace {

using spec::auth::GroupId;
using spec::auth::HashId;
using spec::auth::Header;
using spec::auth::Id;
using spec::auth::Reason;
using spec::auth::Type;

template <typename T>
bool load(std::span<const uint8_t> bytes, T* to) {
  if (bytes.size() < sizeof(T)) return false;
  std::memcpy(to, bytes.data(), sizeof(T));
  return true;
}

template <typename T>
std::vector<uint8_t> message_of(const T& head, std::span<const uint8_t> first = {},
                                std::span<const uint8_t> second = {}) {
  std::vector<uint8_t> message(sizeof(T) + first.size() + second.size());
  std::memcpy(message.data(), &head, sizeof(T));
  const auto next = std::ranges::copy(first, message.begin() + sizeof(T)).out;
  std::ranges::copy(second, next);
  return message;
}

base::Hash hash_of(HashId id) { return static_cast<base::Hash>(static_cast<uint8_t>(id) - 1); }

// The wanted one, or the first that is known; negative when none is.
int pick(std::span<const uint8_t> ids, uint8_t wanted, uint8_t first, uint8_t last) {
  int found = -1;
  for (const uint8_t id : ids) {
    if (id == wanted) return id;
    if (found < 0 && id >= first && id <= last) found = id;
  }
  return found;
}

// §8.13.5.3: never 0 for a response that is asked for, and another one for each transaction.
uint32_t next_seqnum() {
  static std::atomic<uint32_t> last{[] {
    uint32_t start;
    base::random_bytes(&start, sizeof start);
    return start;
  }()};
  uint32_t next = 0;
  while (next == 0) next = ++last;
  return next;
}

}  // namespace

Authentication::Authentication(const DhchapKeys& keys, const DhchapPreference& preference,
                               std::string_view subnqn)
    : keys_(keys), preference_(preference), subnqn_(subnqn) {}

Header Authentication::header(Id id) const {
  return {id == Id::kFailure1 ? Type::kCommon : Type::kDhHmacChap, id, 0, t_id_};
}

void Authentication::fail(Reason reason) {
  reason_ = reason;
  step_ = Step::kFailure1;
  dh_.reset();
}

bool Authentication::take(std::span<const uint8_t> message) {
  if (step_ == Step::kFailure1 || step_ == Step::kOver) return false;
  try {
    take_in(message);
  } catch (const std::runtime_error&) {  // no random numbers, or OpenSSL's refusal
    fail(Reason::kFailed);
  }
  return true;
}

void Authentication::take_in(std::span<const uint8_t> message) {
  Header head;
  if (!load(message, &head)) return fail(Reason::kIncorrectPayload);
  const bool common = head.auth_id == Id::kNegotiate || head.auth_id == Id::kFailure2;
  if (head.auth_type != (common ? Type::kCommon : Type::kDhHmacChap)) {
    return fail(Reason::kIncorrectMessage);
  }
  if (head.auth_id == Id::kNegotiate && step_ == Step::kNegotiate) return negotiate(message);
  const bool expected = (head.auth_id == Id::kReply && step_ == Step::kReply) ||
                        (head.auth_id == Id::kSuccess2 && step_ == Step::kSuccess2) ||
                        head.auth_id == Id::kFailure2;
  if (!expected) return fail(Reason::kIncorrectMessage);
  if (head.t_id != t_id_) return fail(Reason::kIncorrectPayload);
  if (head.auth_id == Id::kReply) return reply(message);
  if (head.auth_id == Id::kFailure2) {
    step_ = Step::kOver;
    return;
  }
  if (message.size() != sizeof(spec::auth::Success2)) return fail(Reason::kIncorrectPayload);
  done_ = true;
  step_ = Step::kNegotiate;
}

std::optional<std::vector<uint8_t>> Authentication::give(size_t room) {
  if (step_ != Step::kChallenge && step_ != Step::kSuccess1 && step_ != Step::kOver) {
    fail(step_ == Step::kFailure1 ? reason_ : Reason::kIncorrectMessage);
  }
  if (step_ == Step::kFailure1 || step_ == Step::kOver) {
    const spec::auth::Failure failure{header(Id::kFailure1), spec::auth::kReasonFailed, reason_};
    if (room < sizeof failure) return std::nullopt;
    step_ = Step::kOver;
    return message_of(failure);
  }
  std::vector<uint8_t> message = step_ == Step::kChallenge ? challenge() : success();
  if (room < message.size()) return std::nullopt;
  if (step_ == Step::kChallenge) {
    step_ = Step::kReply;
  } else if (challenged_) {
    step_ = Step::kSuccess2;
  } else {
    done_ = true;
    step_ = Step::kNegotiate;  // a host may authenticate anew
  }
  return message;
}

void Authentication::negotiate(std::span<const uint8_t> message) {
  spec::auth::Negotiate head;
  if (!load(message, &head)) return fail(Reason::kIncorrectPayload);
  t_id_ = head.header.t_id;
  const size_t one = sizeof(spec::auth::ProtocolDescriptor);
  if (head.napd == 0 || message.size() != sizeof head + head.napd * one) {
    return fail(Reason::kIncorrectPayload);
  }
  if (head.sc_c != 0) return fail(Reason::kConcatenationMismatch);
  for (size_t i = 0; i < head.napd; ++i) {
    spec::auth::ProtocolDescriptor offered;
    if (!load(message.subspan(sizeof head + i * one), &offered)) {
      return fail(Reason::kIncorrectPayload);
    }
    if (offered.auth_protocol_id != spec::auth::kProtocolDhHmacChap) continue;
    if (!choose(offered)) return;
    const size_t bytes = base::hash_bytes(hash_);
    challenge_.resize(bytes);
    base::random_bytes(challenge_.data(), bytes);
    seqnum_ = next_seqnum();
    dh_.reset();
    if (group_ != GroupId::kNull) {
      dh_ = std::make_unique<base::DhKey>(
          static_cast<base::DhGroup>(static_cast<uint8_t>(group_) - 1));
    }
    step_ = Step::kChallenge;
    return;
  }
  fail(Reason::kProtocolNotUsable);
}

bool Authentication::choose(const spec::auth::ProtocolDescriptor& offered) {
  if (offered.halen == 0 || offered.halen > sizeof offered.hashes || offered.dhlen == 0 ||
      offered.dhlen > sizeof offered.groups) {
    fail(Reason::kIncorrectPayload);
    return false;
  }
  const int hash =
      pick({offered.hashes, offered.halen}, static_cast<uint8_t>(preference_.hash),
           static_cast<uint8_t>(HashId::kSha256), static_cast<uint8_t>(HashId::kSha512));
  const int group =
      pick({offered.groups, offered.dhlen}, static_cast<uint8_t>(preference_.group),
           static_cast<uint8_t>(GroupId::kNull), static_cast<uint8_t>(GroupId::kFfdhe8192));
  if (hash < 0 || group < 0) {
    fail(hash < 0 ? Reason::kHashNotUsable : Reason::kGroupNotUsable);
    return false;
  }
  hash_ = hash_of(HashId{static_cast<uint8_t>(hash)});
  group_ = GroupId{static_cast<uint8_t>(group)};
  return true;
}

std::vector<uint8_t> Authentication::challenge() {
  spec::auth::Challenge head{};
  head.header = header(Id::kChallenge);
  head.hl = static_cast<uint8_t>(challenge_.size());
  head.hash_id = static_cast<HashId>(static_cast<uint8_t>(hash_) + 1);
  head.group_id = group_;
  head.seqnum = seqnum_;
  std::span<const uint8_t> value;
  if (dh_ != nullptr) value = dh_->public_value();
  head.dhvlen = static_cast<uint16_t>(value.size());
  return message_of(head, challenge_, value);
}

base::DhchapResponse Authentication::response(const base::Secret& challenge,
                                              uint32_t seqnum) const {
  return {challenge, seqnum, t_id_, 0, keys_.hostnqn, subnqn_};
}

void Authentication::reply(std::span<const uint8_t> message) {
  spec::auth::Reply head;
  const size_t hl = challenge_.size();
  const size_t dhvlen = dh_ == nullptr ? 0 : dh_->public_value().size();
  if (!load(message, &head) || head.hl != hl || head.dhvlen != dhvlen || head.cvalid > 1 ||
      message.size() != sizeof head + 2 * hl + dhvlen) {
    return fail(Reason::kIncorrectPayload);
  }
  const auto r1 = message.subspan(sizeof head, hl);
  const auto c2 = message.subspan(sizeof head + hl, hl);
  const auto value = message.subspan(sizeof head + 2 * hl);
  std::optional<base::Secret> shared;
  if (dh_ != nullptr) {
    // A value of ours that comes back is nobody's secret.
    if (std::ranges::equal(value, dh_->public_value())) return fail(Reason::kFailed);
    shared = dh_->shared(value);
    if (!shared) return fail(Reason::kFailed);
    dh_.reset();
  }
  const auto augmented = [&](std::span<const uint8_t> challenge) {
    return shared ? base::augmented_challenge(hash_, *shared, challenge)
                  : base::Secret(challenge.begin(), challenge.end());
  };
  const base::Secret mine = augmented(challenge_);
  const base::Secret key = base::transformed_key(keys_.host, keys_.hostnqn);
  if (!base::same_secret(response(mine, seqnum_).of_host(hash_, key), r1)) {
    return fail(Reason::kFailed);
  }
  challenged_ = head.cvalid == 1;
  if (challenged_) {
    // A challenge that is reflected would be answered for the host (§8.13.5.4).
    if (keys_.controller.empty() || base::same_secret(c2, challenge_)) {
      return fail(Reason::kFailed);
    }
    const base::Secret theirs = augmented(c2);
    response_ = response(theirs, head.seqnum)
                    .of_controller(hash_, base::transformed_key(keys_.controller, subnqn_));
  } else {
    response_.clear();
  }
  step_ = Step::kSuccess1;
}

std::vector<uint8_t> Authentication::success() const {
  spec::auth::Success1 head{};
  head.header = header(Id::kSuccess1);
  head.hl = static_cast<uint8_t>(base::hash_bytes(hash_));
  head.rvalid = challenged_ ? 1 : 0;
  return message_of(head, response_);
}

}  // namespace pynvme::ssd::tcp
