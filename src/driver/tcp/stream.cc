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
  if (tls_ != nullptr) [[unlikely]]
    return tls_->receive(parts, count);
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
  if (tls_ != nullptr) [[unlikely]]
    return tls_->send(parts, count);
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
  if (tls_ != nullptr && tls_->has_input()) return;
  pollfd one{fd_, static_cast<short>(send ? POLLIN | POLLOUT : POLLIN), 0};
  poll(&one, 1, ms);
}

std::string Stream::reason(int error) const {
  return tls_ != nullptr && !tls_->error().empty() ? tls_->error() : std::strerror(error);
}

void Stream::close() noexcept {
  if (tls_ != nullptr) tls_->end();
  tls_.reset();
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

void Stream::reset() noexcept {
  const linger at_once{1, 0};
  if (fd_ >= 0) setsockopt(fd_, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
  close();
}

namespace {

Stream connect_plainly(const Options& options, const std::function<void()>& idle) {
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
    const uint64_t waited_ns = clock.now_ns() - start_ns;
    pollfd one{fd, POLLOUT, 0};
    if (poll(&one, 1, kPollMs) > 0) {
      socklen_t size = sizeof(error);
      getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
      break;
    }
    if (idle) idle();
    if (waited_ns > uint64_t{options.answer_ms} * 1'000'000) error = ETIMEDOUT;
  }
  if (error != 0) throw fail(std::strerror(error));
  return stream;
}

// Whether the target agreed; it is to be asked by another name where it did not. Throws
// EnumerateError for a target that cannot agree at all.
bool shake_hands(Stream& stream, const Options& options, const base::tls::Identity& identity,
                 const std::function<void()>& idle, std::string* refusal) {
  using Step = base::tls::Channel::Step;
  auto tls = base::tls::make_client(stream.fd(), identity);
  const base::Clock& clock = base::Clock::real();
  const uint64_t start_ns = clock.now_ns();
  for (;;) {
    const uint64_t waited_ns = clock.now_ns() - start_ns;
    const Step step = tls->handshake();
    if (step == Step::kDone) {
      stream.secure(std::move(tls));
      return true;
    }
    if (step == Step::kRefused) {
      *refusal = tls->error();
      return false;
    }
    if (step == Step::kFailed) {
      throw EnumerateError(options.name + ": TLS is not possible: " + tls->error() +
                           ". Does the target speak TLS 1.3 at this port?");
    }
    pollfd one{stream.fd(), static_cast<short>(tls->wants_to_send() ? POLLIN | POLLOUT : POLLIN),
               0};
    poll(&one, 1, kPollMs);
    if (idle) idle();
    if (waited_ns > uint64_t{options.answer_ms} * 1'000'000) {
      throw EnumerateError(options.name + ": the TLS handshake was not over within " +
                           std::to_string(options.answer_ms) +
                           " ms. Does the target speak TLS 1.3 at this port?");
    }
  }
}

}  // namespace

Stream dial(const Options& options, const std::string& subnqn, const std::function<void()>& idle) {
  if (options.tls == nullptr) return connect_plainly(options, idle);
  // A target knows the key by one name, as the one that set it up derived it.
  const auto names = base::tls::identities(options.tls->key, options.hostnqn, subnqn);
  const size_t first = options.tls->agreed.load(std::memory_order_relaxed);
  std::string refusal;
  for (size_t i = 0; i < names.size(); ++i) {
    const size_t index = (first + i) % names.size();
    Stream stream = connect_plainly(options, idle);
    if (shake_hands(stream, options, names[index], idle, &refusal)) {
      options.tls->agreed.store(index, std::memory_order_relaxed);
      return stream;
    }
  }
  throw EnumerateError(options.name + ": the target refused the TLS handshake (" + refusal +
                       "). Is the key the one that it has for host " + options.hostnqn +
                       " and subsystem " + subnqn + ", and does it speak TLS at this port?");
}

}  // namespace pynvme::driver::tcp
