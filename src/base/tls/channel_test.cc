#include "base/tls/channel.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string>

#include <gtest/gtest.h>

#ifdef PYNVME_HAVE_OPENSSL
#include <openssl/ssl.h>
#include <openssl/x509.h>
#endif

#include "base/rng.h"

namespace pynvme::base::tls {
namespace {

const std::string kHost = "nqn.2024-01.org.example:host";
const std::string kSub = "nqn.2024-01.org.example:sub";
const std::string kKey = "NVMeTLSkey-1:01:paWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWFL193:";
const std::string kKey48 =
    "NVMeTLSkey-1:02:paWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlTaNE9w==:";

Finder finder(const PreSharedKey& key) {
  return [key](std::string_view name) {
    std::vector<Identity> found;
    for (Identity& one : identities(key, kHost, kSub)) {
      if (one.name == name) found.push_back(std::move(one));
    }
    return found;
  };
}

class TlsChannel : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!has_crypto()) GTEST_SKIP() << "built without OpenSSL";
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds_.data()), 0);
  }
  void TearDown() override {
    client_.reset();
    server_.reset();
    for (const int fd : fds_) {
      if (fd >= 0) ::close(fd);
    }
  }
  void close_server() {
    server_.reset();
    ::close(std::exchange(fds_[1], -1));
  }
  // How it ended for both.
  std::pair<Channel::Step, Channel::Step> shake() {
    auto client = Channel::Step::kWaits;
    auto server = Channel::Step::kWaits;
    for (int turn = 0; turn < 20; ++turn) {
      if (client == Channel::Step::kWaits) client = client_->handshake();
      if (server == Channel::Step::kWaits) server = server_->handshake();
    }
    return {client, server};
  }
  void connect(const PreSharedKey& key, size_t identity) {
    client_ = make_client(fds_[0], identities(key, kHost, kSub)[identity]);
    server_ = make_server(fds_[1], finder(key));
    const auto [client, server] = shake();
    ASSERT_EQ(client, Channel::Step::kDone) << client_->error();
    ASSERT_EQ(server, Channel::Step::kDone) << server_->error();
  }

  std::array<int, 2> fds_{-1, -1};
  std::unique_ptr<Channel> client_;
  std::unique_ptr<Channel> server_;
};

ssize_t send_text(Channel& channel, const std::string& text) {
  const iovec part{const_cast<char*>(text.data()), text.size()};
  return channel.send(&part, 1);
}

std::string receive_text(Channel& channel) {
  std::string text(100, '\0');
  const iovec part{text.data(), text.size()};
  const ssize_t got = channel.receive(&part, 1);
  text.resize(got < 0 ? 0 : static_cast<size_t>(got));
  return got < 0 ? "over" : text;
}

// Whichever way the host derived its key of, the target finds out.
TEST_F(TlsChannel, EveryIdentityOfEitherHash) {
  for (const std::string& key : {kKey, kKey48}) {
    for (size_t i = 0; i < 4; ++i) {
      TearDown();
      SetUp();
      connect(parse_key(key), i);
      EXPECT_EQ(send_text(*client_, "hello"), 5);
      EXPECT_EQ(receive_text(*server_), "hello");
      EXPECT_EQ(send_text(*server_, "welcome"), 7);
      EXPECT_EQ(receive_text(*client_), "welcome");
      EXPECT_EQ(receive_text(*client_), "");
    }
  }
}

#ifdef PYNVME_HAVE_OPENSSL
// A peer that does not know the key may have a certificate instead, of its own making.
TEST_F(TlsChannel, ACertificateIsNoKey) {
  EVP_PKEY* const key = EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256");
  X509* const certificate = X509_new();
  X509_set_version(certificate, X509_VERSION_3);
  X509_gmtime_adj(X509_getm_notBefore(certificate), 0);
  X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
  X509_set_pubkey(certificate, key);
  ASSERT_NE(X509_sign(certificate, key, EVP_sha256()), 0);
  SSL_CTX* const context = SSL_CTX_new(TLS_server_method());
  ASSERT_EQ(SSL_CTX_use_certificate(context, certificate), 1);
  ASSERT_EQ(SSL_CTX_use_PrivateKey(context, key), 1);
  SSL* const server = SSL_new(context);
  SSL_set_fd(server, fds_[1]);
  SSL_set_accept_state(server);

  client_ = make_client(fds_[0], identities(parse_key(kKey), kHost, kSub)[0]);
  auto step = Channel::Step::kWaits;
  for (int turn = 0; turn < 20 && step == Channel::Step::kWaits; ++turn) {
    step = client_->handshake();
    SSL_do_handshake(server);
  }
  EXPECT_EQ(step, Channel::Step::kFailed);
  EXPECT_EQ(client_->error(), "the peer does not use the pre-shared key");
  EXPECT_EQ(client_->handshake(), Channel::Step::kFailed);
  SSL_free(server);
  SSL_CTX_free(context);
  X509_free(certificate);
  EVP_PKEY_free(key);
}
#endif

TEST_F(TlsChannel, AnotherKeyIsRefused) {
  std::string retained = kKey;
  retained.replace(13, 2, "00");
  for (const size_t i : {0U, 3U}) {
    client_ = make_client(fds_[0], identities(parse_key(retained), kHost, kSub)[i]);
    server_ = make_server(fds_[1], finder(parse_key(kKey)));
    const auto [client, server] = shake();
    EXPECT_EQ(client, Channel::Step::kRefused) << client_->error();
    EXPECT_NE(client_->error().find("alert"), std::string::npos) << client_->error();
    EXPECT_EQ(server, Channel::Step::kFailed) << server_->error();
    TearDown();
    SetUp();
  }
}

TEST_F(TlsChannel, PlainTextIsNoTls) {
  server_ = make_server(fds_[1], finder(parse_key(kKey)));
  const std::array<uint8_t, 128> ic_request{0, 0, 128, 0, 128};
  ASSERT_EQ(::write(fds_[0], ic_request.data(), ic_request.size()), 128);
  EXPECT_EQ(server_->handshake(), Channel::Step::kFailed);
  EXPECT_FALSE(server_->error().empty());
}

TEST_F(TlsChannel, ATargetWithoutTls) {
  client_ = make_client(fds_[0], identities(parse_key(kKey), kHost, kSub)[0]);
  EXPECT_EQ(client_->handshake(), Channel::Step::kWaits);
  const std::array<uint8_t, 24> term{3, 0, 24, 0, 24};
  ASSERT_EQ(::write(fds_[1], term.data(), term.size()), 24);
  EXPECT_EQ(client_->handshake(), Channel::Step::kFailed);
  TearDown();
  SetUp();
  client_ = make_client(fds_[0], identities(parse_key(kKey), kHost, kSub)[0]);
  EXPECT_EQ(client_->handshake(), Channel::Step::kWaits);
  close_server();
  EXPECT_EQ(client_->handshake(), Channel::Step::kRefused);
}

// More than the socket takes at once, in pieces of all sizes, both ways.
TEST_F(TlsChannel, MuchData) {
  connect(parse_key(kKey), 0);
  Rng rng(5);
  std::vector<uint8_t> out(3'000'000);
  for (uint8_t& byte : out) byte = static_cast<uint8_t>(rng.next());
  std::vector<uint8_t> in(out.size());
  size_t sent = 0;
  size_t received = 0;
  bool waited = false;
  while (received < in.size()) {
    while (sent < out.size()) {
      const size_t first = std::min<size_t>(out.size() - sent, 50);
      const size_t second = std::min<size_t>(out.size() - sent - first, 60'000);
      const std::array<iovec, 2> parts{iovec{out.data() + sent, first},
                                       iovec{out.data() + sent + first, second}};
      const ssize_t n = client_->send(parts.data(), 2);
      ASSERT_GE(n, 0) << client_->error();
      if (n == 0) {
        EXPECT_TRUE(client_->wants_to_send());
        waited = true;
        break;
      }
      sent += static_cast<size_t>(n);
    }
    const size_t first = std::min<size_t>(in.size() - received, 24);
    const size_t second = std::min<size_t>(in.size() - received - first, 100'000);
    const std::array<iovec, 2> parts{iovec{in.data() + received, first},
                                     iovec{in.data() + received + first, second}};
    const ssize_t n = server_->receive(parts.data(), 2);
    ASSERT_GE(n, 0) << server_->error();
    received += static_cast<size_t>(n);
  }
  EXPECT_TRUE(waited);
  EXPECT_EQ(in, out);
}

TEST_F(TlsChannel, WhatWasTakenFromTheSocketIsTold) {
  connect(parse_key(kKey), 0);
  ASSERT_EQ(send_text(*client_, std::string(300, 'x')), 300);
  EXPECT_FALSE(server_->has_input());
  EXPECT_EQ(receive_text(*server_).size(), 100U);
  EXPECT_TRUE(server_->has_input());
  EXPECT_EQ(receive_text(*server_).size(), 100U);
  EXPECT_EQ(receive_text(*server_).size(), 100U);
  EXPECT_FALSE(server_->has_input());
}

TEST_F(TlsChannel, TheEndIsTold) {
  connect(parse_key(kKey), 0);
  EXPECT_EQ(send_text(*server_, "last"), 4);
  server_->end();
  EXPECT_EQ(receive_text(*client_), "last");
  errno = 1;
  EXPECT_EQ(receive_text(*client_), "over");
  EXPECT_EQ(errno, 0);
  TearDown();
  SetUp();
  connect(parse_key(kKey), 0);
  close_server();
  errno = 1;
  EXPECT_EQ(receive_text(*client_), "over");
  EXPECT_EQ(errno, 0);
}

TEST_F(TlsChannel, AFlippedBitIsSeen) {
  connect(parse_key(kKey), 0);
  ASSERT_EQ(send_text(*client_, "hello"), 5);
  std::array<uint8_t, 100> record{};
  const ssize_t size = ::read(fds_[1], record.data(), record.size());
  ASSERT_GT(size, 10);
  record[8] ^= 1;
  ASSERT_EQ(::write(fds_[0], record.data(), static_cast<size_t>(size)), size);
  EXPECT_EQ(receive_text(*server_), "over");
  EXPECT_EQ(errno, EBADMSG);
  EXPECT_FALSE(server_->error().empty());
}

}  // namespace
}  // namespace pynvme::base::tls
