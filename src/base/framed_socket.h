// Messages with file descriptors over a UNIX stream socket. A message begins with a header of fixed
// size that holds the size of the whole; what else is in it is the protocol's business. The peer
// may be hostile: every wait ends, every size is bounded, descriptors that nobody takes are closed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/unique_fd.h"

namespace pynvme::base {

struct Frame {
  std::vector<uint8_t> bytes;
  std::vector<UniqueFd> fds;
};

struct Framing {
  size_t header_bytes;
  size_t size_at;  // of a 32-bit little-endian field of the header
  size_t bytes_max;
};

// What carries frames; tests have one of their own.
class FrameChannel {
 public:
  enum class Got : uint8_t {
    kFrame,
    kNothing,  // in time
    kClosed,   // by the peer, or because it broke the framing or got stuck in a message
  };
  virtual ~FrameChannel() = default;
  // timeout_ms 0: looks only. A frame that has begun has to be complete soon after.
  virtual Got receive(Frame& frame, int timeout_ms) = 0;
  // False when the peer is gone or takes nothing any more. At most kFdsMax descriptors.
  virtual bool send(std::span<const uint8_t> bytes, std::span<const int> fds) = 0;
};

class FramedSocket final : public FrameChannel {
 public:
  static constexpr size_t kFdsMax = 253;          // SCM_MAX_FD of Linux
  static constexpr int kMessageTimeoutMs = 5000;  // for a message that has begun

  // Switches the socket to non-blocking.
  FramedSocket(UniqueFd socket, const Framing& framing);

  Got receive(Frame& frame, int timeout_ms) override;
  bool send(std::span<const uint8_t> bytes, std::span<const int> fds) override;
  int fd() const { return socket_.get(); }
  // Every wait ends, in whatever thread; nothing more is sent or received.
  void shut_down();

 private:
  bool wait(short events, uint64_t deadline_ns) const;
  // Up to `bytes` more into the frame; -1 closed, 0 nothing there.
  long take(Frame& frame, size_t bytes);

  UniqueFd socket_;
  const Framing framing_;
};

// A listening socket at the path, mode 0600. A file that a dead server left there is replaced; one
// that is in use, or no socket, is refused. Throws std::runtime_error.
UniqueFd listen_unix(const std::string& path);
// Throws std::system_error.
UniqueFd connect_unix(const std::string& path);

}  // namespace pynvme::base
