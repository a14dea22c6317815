// The socket of a connection, and TLS between it and the PDUs where the target has a key (NVMe TCP
// Transport 1.1 §3.6.1).
#include <sys/socket.h>
#include <sys/uio.h>

#include <cerrno>
#include <cstring>
#include <string_view>

#include "base/log.h"
#include "ssd/tcp/connection.h"
#include "ssd/tcp/server.h"

namespace pynvme::ssd::tcp {

void Connection::begin_tls() {
  tls_ = base::tls::make_server(fd_, [this](std::string_view name) {
    auto known = server_.keys_called(name);
    if (!known.empty()) tls_hostnqn_ = base::tls::names_in(name).hostnqn;
    return known;
  });
  shaking_hands_ = true;
}

// False: it is not over yet, or it was in vain.
bool Connection::shake_hands() {
  using Step = base::tls::Channel::Step;
  const Step step = tls_->handshake();
  blocked_ = step == Step::kWaits && tls_->wants_to_send();
  if (step == Step::kDone) {
    shaking_hands_ = false;
    return true;
  }
  if (step != Step::kWaits) {
    base::log(base::LogLevel::kWarning, "NVMe/TCP target: a TLS handshake failed: %s",
              tls_->error().c_str());
    close();
  }
  return false;
}

// A key is bound to its host; it does not open the door to another one.
bool Connection::is_of_its_host(const spec::fabrics::ConnectData& data) const {
  return tls_ == nullptr ||
         std::string_view(data.hostnqn, strnlen(data.hostnqn, sizeof data.hostnqn)) == tls_hostnqn_;
}

// As readv() does.
ssize_t Connection::read_some(const iovec* parts, int count) {
  if (tls_ == nullptr) [[likely]]
    return ::readv(fd_, parts, count);
  const ssize_t got = tls_->receive(parts, count);
  if (got > 0) return got;
  if (got < 0) return errno == 0 ? 0 : -1;
  errno = EAGAIN;
  return -1;
}

// As sendmsg() does, without a signal.
ssize_t Connection::write_some(const iovec* parts, size_t count) {
  if (tls_ == nullptr) [[likely]] {
    msghdr message{};
    message.msg_iov = const_cast<iovec*>(parts);
    message.msg_iovlen = count;
    return ::sendmsg(fd_, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
  }
  const ssize_t sent = tls_->send(parts, static_cast<int>(count));
  if (sent != 0) return sent;
  errno = EAGAIN;
  return -1;
}

}  // namespace pynvme::ssd::tcp
