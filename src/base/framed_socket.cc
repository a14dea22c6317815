// Non-blocking sockets and poll(): the one way to bound how long a peer can hold a thread.
#include "base/framed_socket.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <system_error>

#include "base/clock.h"

namespace pynvme::base {
namespace {

uint64_t now_ns() { return Clock::real().now_ns(); }

int left_ms(uint64_t deadline_ns) {
  const uint64_t now = now_ns();
  return now >= deadline_ns ? 0 : static_cast<int>((deadline_ns - now) / 1'000'000 + 1);
}

sockaddr_un address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof(address.sun_path)) {
    throw std::system_error(ENAMETOOLONG, std::generic_category(),
                            "the path of a socket has 1 to " +
                                std::to_string(sizeof(address.sun_path) - 1) + " bytes: " + path);
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

UniqueFd new_socket() {
  // Without blocking: connect() would wait for a server that takes nobody off its queue.
  UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) throw std::system_error(errno, std::generic_category(), "socket()");
  return fd;
}

[[noreturn]] void cannot_serve(const std::string& path, const std::string& why) {
  throw std::runtime_error("cannot serve at " + path + ": " + why);
}

// What lies at the path is a socket that nobody listens at any more, and goes.
void remove_stale(const std::string& path, const sockaddr_un& address) {
  struct stat found {};
  if (lstat(path.c_str(), &found) != 0) return;
  if (!S_ISSOCK(found.st_mode)) {
    cannot_serve(path, "a file that is no socket is there; name another path, or remove it");
  }
  const UniqueFd probe = new_socket();
  if (connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0) {
    cannot_serve(path, "another server listens there already");
  }
  if (errno == EAGAIN) {
    cannot_serve(path, "another server has it already, and as many wait there as may");
  }
  if (errno != ECONNREFUSED) {
    cannot_serve(path, std::string("what is there cannot be asked (") + std::strerror(errno) + ")");
  }
  unlink(path.c_str());
}

}  // namespace

FramedSocket::FramedSocket(UniqueFd socket, const Framing& framing)
    : socket_(std::move(socket)), framing_(framing) {
  const int flags = fcntl(socket_.get(), F_GETFL);
  fcntl(socket_.get(), F_SETFL, flags | O_NONBLOCK);
}

void FramedSocket::shut_down() { shutdown(socket_.get(), SHUT_RDWR); }

bool FramedSocket::wait(short events, uint64_t deadline_ns) const {
  pollfd waiting{socket_.get(), events, 0};
  for (;;) {
    const int left = left_ms(deadline_ns);
    const int ready = poll(&waiting, 1, left);
    if (ready > 0) return true;
    if (ready < 0 && errno != EINTR) return false;
    if (ready == 0 && left == 0) return false;
  }
}

long FramedSocket::take(Frame& frame, size_t bytes) {
  const size_t have = frame.bytes.size();
  frame.bytes.resize(have + bytes);
  iovec part{frame.bytes.data() + have, bytes};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * kFdsMax)> control;
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  const ssize_t got = recvmsg(socket_.get(), &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  const int error = errno;
  frame.bytes.resize(have + (got > 0 ? static_cast<size_t>(got) : 0));
  if (got < 0) return error == EAGAIN || error == EWOULDBLOCK || error == EINTR ? 0 : -1;
  for (cmsghdr* part_of = CMSG_FIRSTHDR(&message); part_of != nullptr;
       part_of = CMSG_NXTHDR(&message, part_of)) {
    if (part_of->cmsg_level != SOL_SOCKET || part_of->cmsg_type != SCM_RIGHTS) continue;
    const size_t count = (part_of->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(part_of) + i * sizeof(int), sizeof(fd));
      frame.fds.emplace_back(fd);
    }
  }
  const bool cut = (message.msg_flags & MSG_CTRUNC) != 0 || frame.fds.size() > kFdsMax;
  return got == 0 || cut ? -1 : got;
}

FrameChannel::Got FramedSocket::receive(Frame& frame, int timeout_ms) {
  frame.bytes.clear();
  frame.fds.clear();
  uint64_t deadline = 0;
  size_t wanted = framing_.header_bytes;
  while (frame.bytes.size() < wanted) {
    const long got = take(frame, wanted - frame.bytes.size());
    if (got < 0) return Got::kClosed;
    if (got == 0) {
      const bool begun = !frame.bytes.empty();
      if (!begun && timeout_ms == 0) return Got::kNothing;
      if (deadline == 0) {
        const int allowed_ms = begun ? kMessageTimeoutMs : timeout_ms;
        deadline = now_ns() + static_cast<uint64_t>(allowed_ms) * 1'000'000;
      }
      if (!wait(POLLIN, deadline)) return begun ? Got::kClosed : Got::kNothing;
      continue;
    }
    if (frame.bytes.size() == static_cast<size_t>(got)) deadline = 0;  // it has begun
    if (frame.bytes.size() == framing_.header_bytes && wanted == framing_.header_bytes) {
      uint32_t bytes = 0;
      std::memcpy(&bytes, frame.bytes.data() + framing_.size_at, sizeof(bytes));
      if (bytes < framing_.header_bytes || bytes > framing_.bytes_max) return Got::kClosed;
      wanted = bytes;
    }
  }
  return Got::kFrame;
}

bool FramedSocket::send(std::span<const uint8_t> bytes, std::span<const int> fds) {
  const uint64_t deadline = now_ns() + uint64_t{kMessageTimeoutMs} * 1'000'000;
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * kFdsMax)> control{};
  if (fds.size() > kFdsMax) return false;
  size_t done = 0;
  while (done < bytes.size()) {
    iovec part{const_cast<uint8_t*>(bytes.data() + done), bytes.size() - done};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    if (done == 0 && !fds.empty()) {
      message.msg_control = control.data();
      message.msg_controllen = CMSG_SPACE(fds.size_bytes());
      cmsghdr* const rights = CMSG_FIRSTHDR(&message);
      rights->cmsg_level = SOL_SOCKET;
      rights->cmsg_type = SCM_RIGHTS;
      rights->cmsg_len = CMSG_LEN(fds.size_bytes());
      std::memcpy(CMSG_DATA(rights), fds.data(), fds.size_bytes());
    }
    const ssize_t sent = sendmsg(socket_.get(), &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent >= 0) {
      done += static_cast<size_t>(sent);
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      if (!wait(POLLOUT, deadline)) return false;
    } else if (errno != EINTR) {
      return false;
    }
  }
  return true;
}

UniqueFd listen_unix(const std::string& path) {
  const sockaddr_un address = address_of(path);
  remove_stale(path, address);
  UniqueFd fd = new_socket();
  // Before bind(), which on Linux gives the file the socket's mode: there is no moment at which
  // others can connect.
  fchmod(fd.get(), 0600);
  if (bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    cannot_serve(path, std::strerror(errno));
  }
  if (listen(fd.get(), 8) != 0) cannot_serve(path, std::strerror(errno));
  return fd;
}

UniqueFd connect_unix(const std::string& path) {
  const sockaddr_un address = address_of(path);
  UniqueFd fd = new_socket();
  if (connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    throw std::system_error(errno, std::generic_category(), path);
  }
  fcntl(fd.get(), F_SETFL, fcntl(fd.get(), F_GETFL) & ~O_NONBLOCK);
  return fd;
}

}  // namespace pynvme::base
