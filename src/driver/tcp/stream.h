// The connected socket of one queue: never blocks, never raises SIGPIPE.
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>

namespace pynvme::driver::tcp {

struct Options;

class Stream {
 public:
  Stream() = default;
  // Takes over a connected socket; switches it to non-blocking.
  explicit Stream(int fd);
  ~Stream() { close(); }
  Stream(Stream&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Stream& operator=(Stream&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }

  bool is_open() const noexcept { return fd_ >= 0; }
  int fd() const noexcept { return fd_; }

  // Bytes moved; 0 when nothing can be moved now; -1 and errno when it is over, where a peer that
  // closed the connection is errno 0.
  ssize_t receive(const iovec* parts, int count) noexcept;
  ssize_t send(const iovec* parts, int count) noexcept;
  // Waits until there is something to receive, or `send` to write to; at most `ms`.
  void wait(bool send, int ms) const noexcept;
  void close() noexcept;
  // The same, but the peer sees a reset.
  void reset() noexcept;

 private:
  int fd_ = -1;
};

// Connects within options.answer_ms, calling `idle` meanwhile. Throws EnumerateError.
Stream dial(const Options& options, const std::function<void()>& idle);

}  // namespace pynvme::driver::tcp
