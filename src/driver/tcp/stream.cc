#include "driver/tcp/stream.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/clock.h"
#include "driver/errors.h"
#include "driver/tcp/options.h"

namespace pynvme::driver::tcp {
namespace {

// Room for the data of a deep queue, so that neither side waits for the other to read.
constexpr int kSocketBufferBytes = 4 << 20;
constexpr int kPollMs = 20;

void tune(int fd) {
  const int on = 1;
  const int size = kSocketBufferBytes;
  // Failures leave a connection that is slower, not wrong.
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
  setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
}

}  // namespace

Stream::Stream(int fd) : fd_(fd) {
  fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
  fcntl(fd, F_SETFD, FD_CLOEXEC);
}

ssize_t Stream::receive(const iovec* parts, int count) noexcept {
  ssize_t bytes = 0;
  if (count == 1) {
    // The kernel has no list to copy and to check: the usual case, and every empty poll.
    bytes = recv(fd_, parts->iov_base, parts->iov_len, MSG_DONTWAIT);
  } else {
    msghdr message{};
    message.msg_iov = const_cast<iovec*>(parts);  // NOLINT: recvmsg() does not write to it
    message.msg_iovlen = static_cast<size_t>(count);
    bytes = recvmsg(fd_, &message, MSG_DONTWAIT);
  }
  if (bytes > 0) return bytes;
  if (bytes == 0) {
    errno = 0;
    return -1;
  }
  return errno == EAGAIN || errno == EINTR ? 0 : -1;
}

ssize_t Stream::send(const iovec* parts, int count) noexcept {
  if (count == 1) {
    const ssize_t bytes = ::send(fd_, parts->iov_base, parts->iov_len, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (bytes >= 0) return bytes;
    return errno == EAGAIN || errno == EINTR ? 0 : -1;
  }
  msghdr message{};
  message.msg_iov = const_cast<iovec*>(parts);  // NOLINT: sendmsg() does not write to it
  message.msg_iovlen = static_cast<size_t>(count);
  const ssize_t bytes = sendmsg(fd_, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
  if (bytes >= 0) return bytes;
  return errno == EAGAIN || errno == EINTR ? 0 : -1;
}

void Stream::wait(bool send, int ms) const noexcept {
  pollfd one{fd_, static_cast<short>(send ? POLLIN | POLLOUT : POLLIN), 0};
  poll(&one, 1, ms);
}

void Stream::close() noexcept {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

void Stream::reset() noexcept {
  const linger at_once{1, 0};
  if (fd_ >= 0) setsockopt(fd_, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
  close();
}

Stream dial(const Options& options, const std::function<void()>& idle) {
  const auto fail = [&](const std::string& why) -> EnumerateError {
    return EnumerateError(
        "cannot connect to " + options.name + ": " + why +
        ". Is an NVMe/TCP target listening there? (./pynvme discover " +
        (options.host.find(':') == std::string::npos ? options.host : "[" + options.host + "]") +
        ":" + std::to_string(options.port) + ")");
  };
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const std::string port = std::to_string(options.port);
  if (const int error = getaddrinfo(options.host.c_str(), port.c_str(), &hints, &found);
      error != 0) {
    throw fail(gai_strerror(error));
  }
  const int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP);
  if (fd < 0) {
    freeaddrinfo(found);
    throw fail(std::strerror(errno));
  }
  Stream stream(fd);
  tune(fd);
  const int result = connect(fd, found->ai_addr, found->ai_addrlen);
  int error = result == 0 ? 0 : errno;
  freeaddrinfo(found);
  const base::Clock& clock = base::Clock::real();
  const uint64_t start_ns = clock.now_ns();
  while (error == EINPROGRESS) {
    pollfd one{fd, POLLOUT, 0};
    if (poll(&one, 1, kPollMs) > 0) {
      socklen_t size = sizeof(error);
      getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
      break;
    }
    if (idle) idle();
    if (clock.now_ns() - start_ns > uint64_t{options.answer_ms} * 1'000'000) error = ETIMEDOUT;
  }
  if (error != 0) throw fail(std::strerror(error));
  return stream;
}

}  // namespace pynvme::driver::tcp
