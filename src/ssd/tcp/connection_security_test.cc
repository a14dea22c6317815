// A host with TLS on a target with a key, PDU by PDU.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "base/tls/channel.h"
#include "ssd/tcp/server.h"
#include "ssd/tcp/test_pdus.h"

namespace pynvme::ssd::tcp {
namespace {

using testing::Bytes;

const std::string kKey = "NVMeTLSkey-1:01:paWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWFL193:";
constexpr int kWaitMs = 20'000;

class TlsHost {
 public:
  TlsHost(uint16_t port, const base::tls::Identity& identity)
      : fd_(::socket(AF_INET, SOCK_STREAM, 0)), tls_(base::tls::make_client(fd_, identity)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    base::tls::Channel::Step step;
    while ((step = tls_->handshake()) == base::tls::Channel::Step::kWaits && waits()) {
    }
    EXPECT_EQ(step, base::tls::Channel::Step::kDone) << tls_->error();
  }
  ~TlsHost() {
    tls_.reset();
    ::close(fd_);
  }
  TlsHost(const TlsHost&) = delete;
  TlsHost& operator=(const TlsHost&) = delete;

  Bytes exchange(Bytes out, size_t answer) {
    const iovec whole{out.data(), out.size()};
    EXPECT_EQ(tls_->send(&whole, 1), static_cast<ssize_t>(out.size()));
    Bytes in(answer);
    for (size_t got = 0; got < answer;) {
      const iovec rest{in.data() + got, answer - got};
      const ssize_t n = tls_->receive(&rest, 1);
      if (n < 0 || (n == 0 && !waits()))
        return Bytes(in.begin(), in.begin() + static_cast<ptrdiff_t>(got));
      got += static_cast<size_t>(n);
    }
    return in;
  }

 private:
  bool waits() const {
    pollfd one{fd_, POLLIN, 0};
    return ::poll(&one, 1, kWaitMs) == 1;
  }

  int fd_;
  std::unique_ptr<base::tls::Channel> tls_;
};

// A key is bound to its host: it opens the door to no other one (Connect Invalid Host).
TEST(TargetWithKey, ConnectNamesTheHostOfTheKey) {
  if (!base::has_crypto()) GTEST_SKIP() << "built without OpenSSL";
  TargetOptions options;
  options.port = 0;
  options.tls_key = std::make_shared<base::tls::PreSharedKey>(base::tls::parse_key(kKey));
  Server server(Config::parse("capacity=16MiB,latency=0"), options, base::Clock::real());
  server.start();
  // testing::connect() says that it is "nqn.host".
  for (const auto& [hostnqn, status] : {std::pair{"nqn.host", 0}, {"nqn.another", 0x184}}) {
    for (const auto& identity : base::tls::identities(*options.tls_key, hostnqn, server.nqn())) {
      TlsHost host(server.port(), identity);
      ASSERT_EQ(host.exchange(testing::ic_request(), 128).size(), 128U);
      const Bytes response = host.exchange(testing::connect(server.nqn(), 0, 0xFFFF), 24);
      ASSERT_EQ(response.size(), 24U);
      uint16_t field;
      std::memcpy(&field, response.data() + 8 + 14, sizeof field);
      EXPECT_EQ(field >> 1 & 0x7FF, status) << identity.name;
    }
  }
  server.stop();
}

}  // namespace
}  // namespace pynvme::ssd::tcp
