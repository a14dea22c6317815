#include "base/tls/channel.h"

#include <utility>

#include "base/crypto.h"

#ifndef PYNVME_HAVE_OPENSSL

namespace pynvme::base::tls {

std::unique_ptr<Channel> make_client(int, const Identity&) {
  require_crypto("TLS");
  return nullptr;
}

std::unique_ptr<Channel> make_server(int, Finder) {
  require_crypto("TLS");
  return nullptr;
}

}  // namespace pynvme::base::tls

#else

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include "base/tls/client_hello.h"

namespace pynvme::base::tls {
namespace {

constexpr size_t kRecordBytes = SSL3_RT_MAX_PLAIN_LENGTH;
// Several records a system call.
constexpr size_t kReadAheadBytes = 4 * SSL3_RT_MAX_PACKET_SIZE;
constexpr uint8_t kAes128[] = {0x13, 0x01};
constexpr uint8_t kAes256[] = {0x13, 0x02};

[[noreturn]] void refuse(const char* what) {
  throw CryptoError(std::string("OpenSSL: ") + what + " failed");
}

const char* suite(Hash hash) {
  return hash == Hash::kSha256 ? "TLS_AES_128_GCM_SHA256" : "TLS_AES_256_GCM_SHA384";
}

class OpenSslChannel final : public Channel {
 public:
  OpenSslChannel(int fd, bool server, Identity identity, Finder find);
  ~OpenSslChannel() override { SSL_free(ssl_); }
  OpenSslChannel(const OpenSslChannel&) = delete;
  OpenSslChannel& operator=(const OpenSslChannel&) = delete;

  Step handshake() noexcept override;
  ssize_t receive(const iovec* parts, int count) noexcept override;
  ssize_t send(const iovec* parts, int count) noexcept override;
  bool has_input() const noexcept override { return SSL_has_pending(ssl_) == 1; }
  bool wants_to_send() const noexcept override { return retry_bytes_ != 0 || SSL_want_write(ssl_); }
  void end() noexcept override;
  const std::string& error() const noexcept override { return error_; }

 private:
  enum class Outcome : uint8_t { kLater, kClosed, kBroken };

  static OpenSslChannel& of(const SSL* ssl) {
    return *static_cast<OpenSslChannel*>(SSL_get_app_data(ssl));
  }
  static SSL_CTX* context(bool server);
  static BIO_METHOD* socket_method();
  static int bio_read(BIO* bio, char* data, int bytes);
  static int bio_write(BIO* bio, const char* data, int bytes);
  static long bio_control(BIO* bio, int command, long, void*);
  static int offer(SSL* ssl, const EVP_MD*, const unsigned char** name, size_t* name_bytes,
                   SSL_SESSION** session);
  static int find(SSL* ssl, const unsigned char* name, size_t name_bytes, SSL_SESSION** session);
  static void seen(int write, int, int type, const void* data, size_t bytes, SSL* ssl, void*);
  static int hello(SSL* ssl, int*, void*);

  SSL_SESSION* session() const noexcept;
  void choose(std::span<const uint8_t> extension);
  Outcome outcome(int result) noexcept;

  const int fd_;
  SSL* ssl_ = nullptr;
  Identity identity_;  // offered, or chosen
  Finder find_;
  std::vector<uint8_t> hello_;   // the first that came
  std::vector<uint8_t> staged_;  // plain text of the record that is being sent
  size_t retry_bytes_ = 0;       // of it that SSL_write() has to be given again
  int errno_ = 0;                // of the socket
  bool eof_ = false;
  bool open_ = false;    // the handshake is over
  bool broken_ = false;  // nothing may be sent any more
  std::string error_;
};

int OpenSslChannel::bio_read(BIO* bio, char* data, int bytes) {
  auto& self = *static_cast<OpenSslChannel*>(BIO_get_data(bio));
  BIO_clear_retry_flags(bio);
  const ssize_t got = ::recv(self.fd_, data, static_cast<size_t>(bytes), MSG_DONTWAIT);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
    BIO_set_retry_read(bio);
  } else if (got < 0) {
    self.errno_ = errno;
  }
  self.eof_ = got == 0;
  return static_cast<int>(got);
}

// Without SIGPIPE, which OpenSSL's own socket BIO would raise.
int OpenSslChannel::bio_write(BIO* bio, const char* data, int bytes) {
  auto& self = *static_cast<OpenSslChannel*>(BIO_get_data(bio));
  BIO_clear_retry_flags(bio);
  const ssize_t sent =
      ::send(self.fd_, data, static_cast<size_t>(bytes), MSG_DONTWAIT | MSG_NOSIGNAL);
  if (sent < 0 && (errno == EAGAIN || errno == EINTR)) {
    BIO_set_retry_write(bio);
  } else if (sent < 0) {
    self.errno_ = errno;
  }
  return static_cast<int>(sent);
}

long OpenSslChannel::bio_control(BIO* bio, int command, long, void*) {
  if (command == BIO_CTRL_EOF) return static_cast<OpenSslChannel*>(BIO_get_data(bio))->eof_ ? 1 : 0;
  return command == BIO_CTRL_FLUSH ? 1 : 0;
}

BIO_METHOD* OpenSslChannel::socket_method() {
  static BIO_METHOD* const method = [] {
    BIO_METHOD* const made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "pynvme");
    if (made == nullptr || BIO_meth_set_read(made, bio_read) != 1 ||
        BIO_meth_set_write(made, bio_write) != 1 || BIO_meth_set_ctrl(made, bio_control) != 1) {
      refuse("BIO_meth_new");
    }
    return made;
  }();
  return method;
}

SSL_CTX* OpenSslChannel::context(bool server) {
  const auto make = [](const SSL_METHOD* method) {
    SSL_CTX* const made = SSL_CTX_new(method);
    if (made == nullptr || SSL_CTX_set_min_proto_version(made, TLS1_3_VERSION) != 1 ||
        SSL_CTX_set_max_proto_version(made, TLS1_3_VERSION) != 1) {
      refuse("SSL_CTX_new");
    }
    // A connection that ends without close_notify: PDUs have lengths of their own.
    SSL_CTX_set_options(made, SSL_OP_NO_TICKET | SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_num_tickets(made, 0);
    SSL_CTX_set_session_cache_mode(made, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_mode(made, SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_read_ahead(made, 1);
    SSL_CTX_set_default_read_buffer_len(made, kReadAheadBytes);
    SSL_CTX_set_psk_use_session_callback(made, offer);
    SSL_CTX_set_psk_find_session_callback(made, find);
    return made;
  };
  if (!server) {
    static SSL_CTX* const client = make(TLS_client_method());
    return client;
  }
  static SSL_CTX* const served = [&] {
    SSL_CTX* const made = make(TLS_server_method());
    SSL_CTX_set_msg_callback(made, seen);
    SSL_CTX_set_client_hello_cb(made, hello, nullptr);
    return made;
  }();
  return served;
}

OpenSslChannel::OpenSslChannel(int fd, bool server, Identity identity, Finder find)
    : fd_(fd), identity_(std::move(identity)), find_(std::move(find)), staged_(kRecordBytes) {
  ERR_clear_error();
  ssl_ = SSL_new(context(server));
  BIO* const bio = ssl_ == nullptr ? nullptr : BIO_new(socket_method());
  if (bio == nullptr || (!server && SSL_set_ciphersuites(ssl_, suite(identity_.hash)) != 1)) {
    SSL_free(ssl_);
    refuse("SSL_new");
  }
  BIO_set_data(bio, this);
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl_, bio, bio);
  SSL_set_app_data(ssl_, this);
  if (server) {
    SSL_set_accept_state(ssl_);
  } else {
    SSL_set_connect_state(ssl_);
  }
}

// A session that never was: how OpenSSL is given an external PSK with its hash.
SSL_SESSION* OpenSslChannel::session() const noexcept {
  SSL_SESSION* const made = SSL_SESSION_new();
  if (made == nullptr) return nullptr;
  const bool sha256 = identity_.hash == Hash::kSha256;
  if (SSL_SESSION_set1_master_key(made, identity_.psk.data(), identity_.psk.size()) == 1 &&
      SSL_SESSION_set_cipher(made, SSL_CIPHER_find(ssl_, sha256 ? kAes128 : kAes256)) == 1 &&
      SSL_SESSION_set_protocol_version(made, TLS1_3_VERSION) == 1) {
    return made;
  }
  SSL_SESSION_free(made);
  return nullptr;
}

int OpenSslChannel::offer(SSL* ssl, const EVP_MD*, const unsigned char** name, size_t* name_bytes,
                          SSL_SESSION** session) {
  const OpenSslChannel& self = of(ssl);
  *session = self.session();
  *name = reinterpret_cast<const unsigned char*>(self.identity_.name.data());
  *name_bytes = self.identity_.name.size();
  return *session == nullptr ? 0 : 1;
}

int OpenSslChannel::find(SSL* ssl, const unsigned char* name, size_t name_bytes,
                         SSL_SESSION** session) {
  const OpenSslChannel& self = of(ssl);
  *session = nullptr;
  const std::string_view wanted(reinterpret_cast<const char*>(name), name_bytes);
  if (self.identity_.name.empty() || wanted != self.identity_.name) return 1;
  *session = self.session();
  return *session == nullptr ? 0 : 1;
}

void OpenSslChannel::seen(int write, int, int type, const void* data, size_t bytes, SSL* ssl,
                          void*) {
  OpenSslChannel& self = of(ssl);
  if (write != 0 || type != SSL3_RT_HANDSHAKE || !self.hello_.empty() || self.open_) return;
  const auto* const from = static_cast<const uint8_t*>(data);
  self.hello_.assign(from, from + bytes);
}

// Before the cipher suite is chosen, for it has to have the key's hash.
int OpenSslChannel::hello(SSL* ssl, int*, void*) {
  OpenSslChannel& self = of(ssl);
  const unsigned char* data = nullptr;
  size_t bytes = 0;
  if (self.identity_.name.empty() &&
      SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_psk, &data, &bytes) == 1) {
    try {
      self.choose({data, bytes});
    } catch (const std::exception& error) {
      self.error_ = error.what();
      return SSL_CLIENT_HELLO_ERROR;
    }
  }
  return SSL_CLIENT_HELLO_SUCCESS;
}

void OpenSslChannel::choose(std::span<const uint8_t> extension) {
  const auto offers = parse_offers(extension);
  if (!offers || hello_.size() < offers->binders_bytes) return;
  const std::span<const uint8_t> covered(hello_.data(), hello_.size() - offers->binders_bytes);
  for (const Offer& offer : offers->keys) {
    std::vector<Identity> known = find_(offer.name);
    if (known.empty()) continue;
    const auto meant = std::ranges::find_if(known, [&](const Identity& one) {
      return same_secret(binder_of(one, covered), offer.binder);
    });
    // Where it is none of them, OpenSSL says so to the peer.
    identity_ = std::move(meant == known.end() ? known.front() : *meant);
    SSL_set_ciphersuites(ssl_, suite(identity_.hash));
    return;
  }
}

OpenSslChannel::Outcome OpenSslChannel::outcome(int result) noexcept {
  const int why = SSL_get_error(ssl_, result);
  if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE) return Outcome::kLater;
  if (why == SSL_ERROR_ZERO_RETURN) return Outcome::kClosed;
  broken_ = true;
  if (why == SSL_ERROR_SYSCALL) return eof_ ? Outcome::kClosed : Outcome::kBroken;
  const int reason = ERR_GET_REASON(ERR_peek_error());
  errno_ = EBADMSG;
  if (reason > SSL_AD_REASON_OFFSET) {
    error_ = std::string("the alert \"") +
             SSL_alert_desc_string_long(reason - SSL_AD_REASON_OFFSET) + "\" came";
    return Outcome::kClosed;
  }
  if (error_.empty()) {
    const char* const text = ERR_reason_error_string(ERR_peek_error());
    error_ = text == nullptr ? "TLS failed" : text;
  }
  return Outcome::kBroken;
}

Channel::Step OpenSslChannel::handshake() noexcept {
  if (open_) return Step::kDone;
  if (broken_) return Step::kFailed;
  ERR_clear_error();
  const int result = SSL_do_handshake(ssl_);
  if (result == 1) {
    // A certificate would do as well, for OpenSSL.
    if (SSL_session_reused(ssl_) != 1) {
      broken_ = true;
      error_ = "the peer does not use the pre-shared key";
      return Step::kFailed;
    }
    open_ = true;
    hello_.clear();
    return Step::kDone;
  }
  switch (outcome(result)) {
    case Outcome::kLater:
      return Step::kWaits;
    case Outcome::kClosed:
      if (error_.empty()) error_ = "the peer ended the connection";
      return Step::kRefused;
    case Outcome::kBroken:
      break;
  }
  if (error_.empty()) error_ = std::strerror(errno_);
  return errno_ == ECONNRESET || errno_ == EPIPE ? Step::kRefused : Step::kFailed;
}

ssize_t OpenSslChannel::receive(const iovec* parts, int count) noexcept {
  ssize_t total = 0;
  for (int i = 0; i < count; ++i) {
    auto* const to = static_cast<uint8_t*>(parts[i].iov_base);
    for (size_t at = 0; at < parts[i].iov_len;) {
      size_t got = 0;
      ERR_clear_error();
      const int result = SSL_read_ex(ssl_, to + at, parts[i].iov_len - at, &got);
      if (result == 1) {
        at += got;
        total += static_cast<ssize_t>(got);
        continue;
      }
      const Outcome what = outcome(result);
      // An end is told by the next call, when what came before it is done with.
      if (total != 0 || what == Outcome::kLater) return total;
      errno = what == Outcome::kClosed && error_.empty() ? 0 : errno_;
      return -1;
    }
  }
  return total;
}

ssize_t OpenSslChannel::send(const iovec* parts, int count) noexcept {
  if (retry_bytes_ == 0) {
    // One record, of whatever there is: headers and data would be one each otherwise.
    for (int i = 0; i < count && retry_bytes_ < kRecordBytes; ++i) {
      const size_t bytes = std::min(parts[i].iov_len, kRecordBytes - retry_bytes_);
      if (bytes != 0) std::memcpy(staged_.data() + retry_bytes_, parts[i].iov_base, bytes);
      retry_bytes_ += bytes;
    }
    if (retry_bytes_ == 0) return 0;
  }
  size_t sent = 0;
  ERR_clear_error();
  const int result = SSL_write_ex(ssl_, staged_.data(), retry_bytes_, &sent);
  if (result == 1) {
    retry_bytes_ = 0;
    return static_cast<ssize_t>(sent);
  }
  const Outcome what = outcome(result);
  if (what == Outcome::kLater) return 0;
  errno = what == Outcome::kClosed && error_.empty() ? EPIPE : errno_;
  return -1;
}

void OpenSslChannel::end() noexcept {
  // Not in the middle of a record, nor after an error (SSL_shutdown(3)).
  if (!open_ || broken_ || retry_bytes_ != 0) return;
  ERR_clear_error();
  SSL_shutdown(ssl_);
}

}  // namespace

std::unique_ptr<Channel> make_client(int fd, const Identity& identity) {
  return std::make_unique<OpenSslChannel>(fd, false, identity, nullptr);
}

std::unique_ptr<Channel> make_server(int fd, Finder find) {
  return std::make_unique<OpenSslChannel>(fd, true, Identity(), std::move(find));
}

}  // namespace pynvme::base::tls

#endif
