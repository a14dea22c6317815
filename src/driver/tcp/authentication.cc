#include "driver/tcp/authentication.h"

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstring>
#include <optional>

#include "driver/errors.h"
#include "driver/tcp/fabrics_commands.h"
#include "spec/fabrics.h"

namespace pynvme::driver::tcp {

namespace auth = spec::auth;
namespace fabrics = spec::fabrics;

namespace {

// Room for the longest message: a challenge with a value of ffdhe8192.
constexpr uint32_t kMessageMax = 4096;

constexpr auth::HashId kHashes[] = {auth::HashId::kSha256, auth::HashId::kSha384,
                                    auth::HashId::kSha512};
constexpr auth::GroupId kGroups[] = {auth::GroupId::kFfdhe2048, auth::GroupId::kFfdhe3072,
                                     auth::GroupId::kFfdhe4096, auth::GroupId::kFfdhe6144,
                                     auth::GroupId::kFfdhe8192, auth::GroupId::kNull};

// What is offered: the one that was chosen, or all.
template <class Id, size_t n>
uint8_t offer(const std::optional<Id>& chosen, const Id (&all)[n], uint8_t* ids) {
  if (chosen) {
    *ids = static_cast<uint8_t>(*chosen);
    return 1;
  }
  std::memcpy(ids, all, n);
  return n;
}

template <class Wire>
std::vector<uint8_t> message_of(const Wire& head) {
  std::vector<uint8_t> message(sizeof(Wire));
  std::memcpy(message.data(), &head, sizeof(Wire));
  return message;
}

template <class Wire>
Wire load(std::span<const uint8_t> message) {
  if (message.size() < sizeof(Wire)) {
    throw AuthenticationError(auth::Reason::kIncorrectPayload, "a message is too short");
  }
  Wire head;
  std::memcpy(&head, message.data(), sizeof(head));
  return head;
}

void append(std::vector<uint8_t>& to, std::span<const uint8_t> bytes) {
  to.insert(to.end(), bytes.begin(), bytes.end());
}

uint32_t next_seqnum() {
  static std::atomic<uint32_t> last{[] {
    uint32_t start = 0;
    base::random_bytes(&start, sizeof(start));
    return start;
  }()};
  uint32_t next = 0;
  while (next == 0) next = ++last;
  return next;
}

[[noreturn]] void refuse(auth::Reason reason, const std::string& text) {
  throw AuthenticationError(reason, text);
}

}  // namespace

Authentication::Authentication(const Options& options, const std::string& subnqn, uint16_t t_id)
    : options_(options), subnqn_(subnqn), t_id_(t_id) {}

auth::Header Authentication::header(auth::Id id) const {
  const bool common = id == auth::Id::kNegotiate || id == auth::Id::kFailure2;
  return {common ? auth::Type::kCommon : auth::Type::kDhHmacChap, id, 0, t_id_};
}

bool Authentication::bidirectional() const { return !options_.dhchap_ctrl_secret.empty(); }

std::vector<uint8_t> Authentication::negotiate() const {
  auth::Negotiate head{};
  head.header = header(auth::Id::kNegotiate);
  head.napd = 1;
  auth::ProtocolDescriptor descriptor{};
  descriptor.auth_protocol_id = auth::kProtocolDhHmacChap;
  descriptor.halen = offer(options_.dhchap_hash, kHashes, descriptor.hashes);
  descriptor.dhlen = offer(options_.dhchap_group, kGroups, descriptor.groups);
  auto message = message_of(head);
  append(message, message_of(descriptor));
  return message;
}

void Authentication::check_header(std::span<const uint8_t> message, auth::Id expected) const {
  const auto head = load<auth::Header>(message);
  if (head.auth_type == auth::Type::kCommon && head.auth_id == auth::Id::kFailure1) {
    const auto failure = load<auth::Failure>(message);
    std::string text = std::string("the target says: ") + auth::reason_text(failure.explanation);
    if (failure.explanation == auth::Reason::kFailed) {
      text += "; it may have another secret for " + options_.hostnqn +
              (bidirectional() ? ", or none to prove itself with" : "");
    }
    throw AuthenticationError(std::nullopt, text);
  }
  if (head.auth_type != auth::Type::kDhHmacChap || head.auth_id != expected) {
    refuse(auth::Reason::kIncorrectMessage, "the target sent another message than the next one");
  }
  if (head.t_id != t_id_) {
    refuse(auth::Reason::kIncorrectPayload, "the target answered another transaction (T_ID)");
  }
}

std::vector<uint8_t> Authentication::reply(std::span<const uint8_t> message) {
  check_header(message, auth::Id::kChallenge);
  const auto head = load<auth::Challenge>(message);
  auth::ProtocolDescriptor offered{};
  const auto hashes =
      std::span(offered.hashes, offer(options_.dhchap_hash, kHashes, offered.hashes));
  const auto groups =
      std::span(offered.groups, offer(options_.dhchap_group, kGroups, offered.groups));
  if (std::ranges::find(hashes, static_cast<uint8_t>(head.hash_id)) == hashes.end()) {
    refuse(auth::Reason::kHashNotUsable, "the target chose a hash that was not offered");
  }
  if (std::ranges::find(groups, static_cast<uint8_t>(head.group_id)) == groups.end()) {
    refuse(auth::Reason::kGroupNotUsable, "the target chose a DH group that was not offered");
  }
  hash_ = static_cast<base::Hash>(static_cast<uint8_t>(head.hash_id) - 1);
  const size_t hl = base::hash_bytes(hash_);
  std::optional<base::DhKey> dh;
  if (head.group_id != auth::GroupId::kNull) {
    dh.emplace(static_cast<base::DhGroup>(static_cast<uint8_t>(head.group_id) - 1));
  }
  if (head.hl != hl || head.dhvlen != (dh ? dh->public_value().size() : 0) ||
      message.size() < sizeof(head) + hl + head.dhvlen) {
    refuse(auth::Reason::kIncorrectPayload, "the target's challenge has wrong lengths");
  }
  const auto c1 = message.subspan(sizeof(head), hl);
  std::optional<base::Secret> shared;
  if (dh) {
    shared = dh->shared(message.subspan(sizeof(head) + hl, head.dhvlen));
    if (!shared) refuse(auth::Reason::kFailed, "the target's DH value is none of the group");
  }
  const auto augmented = [&](std::span<const uint8_t> challenge) {
    return shared ? base::augmented_challenge(hash_, *shared, challenge)
                  : base::Secret(challenge.begin(), challenge.end());
  };
  auth::Reply out{};
  out.header = header(auth::Id::kReply);
  out.hl = static_cast<uint8_t>(hl);
  out.dhvlen = head.dhvlen;
  std::vector<uint8_t> c2(hl);
  if (bidirectional()) {
    out.cvalid = 1;
    out.seqnum = next_seqnum();
    // A challenge of its own that comes back the target could answer from what we say.
    do {
      base::random_bytes(c2.data(), hl);
    } while (std::ranges::equal(c1, c2));
    const base::Secret challenge = augmented(c2);
    expected_ =
        base::DhchapResponse{challenge, out.seqnum, t_id_, 0, options_.hostnqn, subnqn_}
            .of_controller(hash_, base::transformed_key(options_.dhchap_ctrl_secret, subnqn_));
  }
  const base::Secret challenge = augmented(c1);
  const base::DhchapResponse response{challenge, head.seqnum, t_id_, 0, options_.hostnqn, subnqn_};
  auto result = message_of(out);
  append(result,
         response.of_host(hash_, base::transformed_key(options_.dhchap_secret, options_.hostnqn)));
  append(result, c2);
  if (dh) append(result, dh->public_value());
  return result;
}

void Authentication::check_success(std::span<const uint8_t> message) const {
  check_header(message, auth::Id::kSuccess1);
  if (!bidirectional()) return;
  const auto head = load<auth::Success1>(message);
  const size_t hl = base::hash_bytes(hash_);
  if (head.hl != hl || message.size() < sizeof(head) + hl) {
    refuse(auth::Reason::kIncorrectPayload, "the target's response has a wrong length");
  }
  if (head.rvalid != 1 || !base::same_secret(message.subspan(sizeof(head), hl), expected_)) {
    refuse(auth::Reason::kFailed,
           "the target does not know the controller's secret (dhchap_ctrl_secret): it may be "
           "another one than it says");
  }
}

std::vector<uint8_t> Authentication::success() const {
  auth::Success2 head{};
  head.header = header(auth::Id::kSuccess2);
  return message_of(head);
}

std::vector<uint8_t> Authentication::failure(auth::Reason reason) const {
  auth::Failure head{};
  head.header = header(auth::Id::kFailure2);
  head.reason = auth::kReasonFailed;
  head.explanation = reason;
  return message_of(head);
}

void authenticate(TcpQueue& queue, const Options& options, const std::string& subnqn,
                  const spec::Cqe& connected, const std::function<void()>& idle) {
  const bool asked = (connected.cdw0 & (fabrics::kAuthreqAtr | fabrics::kAuthreqAscr)) != 0;
  if (!asked && options.dhchap_ctrl_secret.empty()) return;
  const auto refused = [&](const std::string& why) {
    queue.close("authentication failed");
    throw EnumerateError(options.name + ": authentication failed: " + why);
  };
  if ((connected.cdw0 & fabrics::kAuthreqAscr) != 0) {
    refused("the target asks for secure channel concatenation (ASCR), which is not supported");
  }
  if (options.dhchap_secret.empty()) {
    refused(
        "the target asks for it, and there is no secret: give ;dhchap_secret=DHHC-1:... or "
        "PYNVME_DHCHAP_SECRET");
  }
  static std::atomic<uint16_t> transactions{0};
  Authentication transaction(options, subnqn, ++transactions);
  const auto send = [&](std::vector<uint8_t> message) {
    const auto bytes = static_cast<uint32_t>(message.size());
    const spec::Cqe cqe = queue.execute(authentication_command(true, bytes), message.data(), bytes,
                                        "Authentication Send", idle);
    if (!cqe.ok()) refused("Authentication Send failed: " + connect_refusal(cqe));
  };
  const auto receive = [&] {
    std::vector<uint8_t> message(kMessageMax);
    const spec::Cqe cqe = queue.execute(authentication_command(false, kMessageMax), message.data(),
                                        kMessageMax, "Authentication Receive", idle);
    if (!cqe.ok()) refused("Authentication Receive failed: " + connect_refusal(cqe));
    return message;
  };
  try {
    base::require_crypto("DH-HMAC-CHAP");
    send(transaction.negotiate());
    send(transaction.reply(receive()));
    transaction.check_success(receive());
  } catch (const AuthenticationError& error) {
    if (error.reason()) {
      try {
        send(transaction.failure(*error.reason()));
      } catch (const Error&) {
        // It has had enough, and what came before is what matters.
      }
    }
    refused(error.what());
  } catch (const base::CryptoError& error) {
    refused(error.what());
  }
  if (transaction.bidirectional()) send(transaction.success());
}

}  // namespace pynvme::driver::tcp
