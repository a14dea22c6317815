// The connected socket of one queue, with TLS where a key is given: never blocks, never raises
// SIGPIPE.
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "base/tls/channel.h"

namespace pynvme::driver::tcp {

struct Options;

class Stream {
 public:
  Stream() = default;
  // Takes over a connected socket; switches it to non-blocking.
  explicit Stream(int fd);
  ~Stream() { close(); }
  Stream(Stream&& other) noexcept
      : fd_(std::exchange(other.fd_, -1)), tls_(std::move(other.tls_)) {}
  Stream& operator=(Stream&& other) noexcept {
    std::swap(fd_, other.fd_);
    std::swap(tls_, other.tls_);
    return *this;
  }

  bool is_open() const noexcept { return fd_ >= 0; }
  int fd() const noexcept { return fd_; }

  // Bytes moved; 0 when nothing can be moved now; -1 and errno when it is over, where a peer that
  // closed the connection is errno 0. What send() did not take comes first the next time.
  ssize_t receive(const iovec* parts, int count) noexcept;
  ssize_t send(const iovec* parts, int count) noexcept;
  // Waits until there is something to receive, or `send` to write to; at most `ms`.
  void wait(bool send, int ms) const noexcept;
  void close() noexcept;
  // The same, but the peer sees a reset.
  void reset() noexcept;
  // What `error`, the errno of the last call, means.
  std::string reason(int error) const;

  // From here on all goes through it; its handshake is over.
  void secure(std::unique_ptr<base::tls::Channel> tls) noexcept { tls_ = std::move(tls); }

 private:
  int fd_ = -1;
  std::unique_ptr<base::tls::Channel> tls_;
};

// Connects within options.answer_ms, calling `idle` meanwhile, and makes it secure where the
// options have a key, for which the subsystem has to be known. Throws EnumerateError.
Stream dial(const Options& options, const std::string& subnqn, const std::function<void()>& idle);

}  // namespace pynvme::driver::tcp
