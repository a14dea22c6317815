// The host's side of DH-HMAC-CHAP on one queue (NVMe Base 2.0 §8.13), after Connect.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "base/dh.h"
#include "base/dhchap.h"
#include "driver/tcp/options.h"
#include "driver/tcp/tcp_queue.h"
#include "spec/auth.h"
#include "spec/command.h"

namespace pynvme::driver::tcp {

// What is wrong with the controller's message, which the host says in AUTH_Failure2; or that it was
// AUTH_Failure1, which has no answer.
class AuthenticationError : public std::runtime_error {
 public:
  AuthenticationError(std::optional<spec::auth::Reason> reason, const std::string& text)
      : std::runtime_error(text), reason_(reason) {}
  std::optional<spec::auth::Reason> reason() const { return reason_; }

 private:
  std::optional<spec::auth::Reason> reason_;
};

// The messages of one transaction, without the queue that carries them.
class Authentication {
 public:
  Authentication(const Options& options, const std::string& subnqn, uint16_t t_id);

  std::vector<uint8_t> negotiate() const;
  // The controller's challenge -> the reply. Both of these throw AuthenticationError.
  std::vector<uint8_t> reply(std::span<const uint8_t> message);
  // The controller's DH-HMAC-CHAP_Success1.
  void check_success(std::span<const uint8_t> message) const;
  // The controller has to prove itself; Success2 tells it that it did.
  bool bidirectional() const;
  std::vector<uint8_t> success() const;
  std::vector<uint8_t> failure(spec::auth::Reason reason) const;

 private:
  spec::auth::Header header(spec::auth::Id id) const;
  void check_header(std::span<const uint8_t> message, spec::auth::Id expected) const;

  const Options& options_;
  const std::string subnqn_;
  const uint16_t t_id_;
  base::Hash hash_ = base::Hash::kSha256;
  base::Secret expected_;  // R2
};

// Runs a transaction when the response to Connect asks for it, or the controller's identity is
// wanted. Throws EnumerateError, and DeviceGone when the connection is lost.
void authenticate(TcpQueue& queue, const Options& options, const std::string& subnqn,
                  const spec::Cqe& connected, const std::function<void()>& idle);

}  // namespace pynvme::driver::tcp
