// TLS 1.3 with a pre-shared key over a connected socket that never blocks, by OpenSSL:
// psk_dhe_ke only, no certificates, no tickets, no early data (NVMe TCP Transport 1.1 §3.6.1). What
// a key is called and who has which is the business of those who use it.
#pragma once

#include <sys/types.h>
#include <sys/uio.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/tls/psk.h"

namespace pynvme::base::tls {

class Channel {
 public:
  enum class Step : uint8_t {
    kDone,
    kWaits,    // for the socket: to receive, or to send where wants_to_send()
    kRefused,  // the peer ended the handshake, by an alert or without a word
    kFailed,   // what came is no TLS, or nothing that can be agreed to
  };

  virtual ~Channel() = default;
  Channel() = default;
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  virtual Step handshake() noexcept = 0;
  // As recvmsg() and sendmsg() of such a socket: bytes moved; 0 when nothing can be moved now; -1
  // and errno when it is over, where a peer that closed it is errno 0. What send() did not take
  // comes first the next time.
  virtual ssize_t receive(const iovec* parts, int count) noexcept = 0;
  virtual ssize_t send(const iovec* parts, int count) noexcept = 0;
  // Something has been taken from the socket that receive() did not return yet.
  virtual bool has_input() const noexcept = 0;
  virtual bool wants_to_send() const noexcept = 0;
  // Tells the peer that nothing more comes, where it can be told.
  virtual void end() noexcept = 0;
  // What made it fail; empty, where it was the socket.
  virtual const std::string& error() const noexcept = 0;
};

// What a peer may call a key: those of its identities that have this name.
using Finder = std::function<std::vector<Identity>(std::string_view name)>;

// Both leave the socket to the caller, who closes it after the channel is gone. Throw CryptoError.
std::unique_ptr<Channel> make_client(int fd, const Identity& identity);
std::unique_ptr<Channel> make_server(int fd, Finder find);

}  // namespace pynvme::base::tls
