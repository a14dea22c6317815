// The parser on pieces of any size, and the server with hosts that come and go in other threads.
// What each PDU and command is answered with is in tests/system.
#include "ssd/tcp/connection.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <thread>

#include <gtest/gtest.h>

#include "ssd/tcp/server.h"
#include "ssd/tcp/test_pdus.h"

namespace pynvme::ssd::tcp {
namespace {

using testing::Bytes;
using testing::operator+;

TargetOptions any_port() {
  TargetOptions options;
  options.port = 0;
  return options;
}

Config small() { return Config::parse("capacity=16MiB,latency=0,queues=4"); }

// A session of one host: handshake, Connect, enable, Identify, an unknown opcode, Property Get.
Bytes session(const std::string& nqn) {
  using testing::Sqe;
  return testing::ic_request() + testing::connect(nqn, 0, 0xFFFF) + testing::enable() +
         testing::capsule(Sqe{0x06, 3, 0, 0x5A, 4096, {1}}.bytes()) +
         testing::capsule(Sqe{0x55, 4}.bytes()) +
         testing::capsule(Sqe{0x7F, 5, 4, 0, 0, {0, 0x1C}}.bytes());
}

TEST(Connection, AnswersTheSameWhateverThePiecesAre) {
  base::Clock clock = base::Clock::manual(1);
  std::vector<Bytes> outputs;
  for (const size_t piece : {1, 7, 71, 4096, 1 << 20}) {
    Server server(small(), any_port(), clock);
    Connection connection(server, -1, 1);
    const Bytes input = session(server.nqn());
    for (size_t at = 0; at < input.size(); at += piece) {
      connection.feed(input.data() + at, std::min(piece, input.size() - at));
    }
    outputs.push_back(connection.take_output());
    EXPECT_TRUE(testing::well_formed(outputs.back()));
    connection.close();
  }
  // ICResp, five completions, Identify's data.
  EXPECT_EQ(outputs[0].size(), 128u + 5 * 24 + 24 + 4096);
  for (const Bytes& output : outputs) EXPECT_EQ(output, outputs[0]);
}

TEST(Connection, DataOfATransferComeInPiecesToo) {
  base::Clock clock = base::Clock::manual(1);
  Server server(small(), any_port(), clock);
  Connection admin(server, -1, 1);
  const Bytes opening = session(server.nqn());
  admin.feed(opening.data(), opening.size());
  Connection io(server, -1, 1);
  const Bytes joining = testing::ic_request() +
                        testing::connect(server.nqn(), 1, admin.controller()->cntlid()) +
                        testing::capsule(testing::Sqe{0x01, 9, 1, 0x5A, 512}.bytes());
  io.feed(joining.data(), joining.size());
  const Bytes asked = io.take_output();
  ASSERT_EQ(asked.size(), 128u + 24 + 24);
  Bytes data(24 + 512, 0xA5);
  const uint8_t head[] = {6, 4, 24, 24, 0x18, 2, 0, 0, 9, 0};
  std::memcpy(data.data(), head, sizeof head);
  std::memcpy(data.data() + 10, asked.data() + 128 + 24 + 10, 2);  // TTAG
  std::memset(data.data() + 12, 0, 12);
  data[17] = 2;  // DATAL 512
  for (const uint8_t byte : data) io.feed(&byte, 1);
  const Bytes done = io.take_output();
  ASSERT_EQ(done.size(), 24u);
  EXPECT_EQ(done[0], 5);
  EXPECT_EQ(done[20], 9);
  EXPECT_EQ(done[22] | done[23], 0);
  const Bytes read = testing::capsule(testing::Sqe{0x02, 10, 1, 0x5A, 512}.bytes());
  io.feed(read.data(), read.size());
  const Bytes back = io.take_output();
  ASSERT_EQ(back.size(), 24u + 512 + 24);
  EXPECT_EQ(Bytes(back.begin() + 24, back.begin() + 24 + 512), Bytes(512, 0xA5));
  admin.close();
  EXPECT_TRUE(io.dead());
}

class Socket {
 public:
  explicit Socket(uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  }
  ~Socket() { ::close(fd_); }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;

  Bytes exchange(const Bytes& out, size_t answer) {
    EXPECT_EQ(::send(fd_, out.data(), out.size(), MSG_NOSIGNAL), static_cast<ssize_t>(out.size()));
    Bytes in(answer);
    size_t got = 0;
    while (got < answer) {
      const ssize_t n = ::recv(fd_, in.data() + got, answer - got, 0);
      if (n <= 0) break;
      got += static_cast<size_t>(n);
    }
    in.resize(got);
    return in;
  }

 private:
  int fd_;
};

TEST(Server, HostsComeAndGoWhileOthersLook) {
  Server server(small(), any_port(), base::Clock::real());
  server.start();
  std::vector<std::thread> hosts;
  for (int i = 0; i < 3; ++i) {
    hosts.emplace_back([&server] {
      for (int round = 0; round < 20; ++round) {
        Socket socket(server.port());
        const Bytes answer = socket.exchange(session(server.nqn()), 128 + 5 * 24 + 24 + 4096);
        EXPECT_EQ(answer.size(), 128u + 5 * 24 + 24 + 4096);
      }
    });
  }
  base::WireFault never;
  never.qid = 99;
  for (int i = 0; i < 100; ++i) {
    server.wire_faults().add(never);
    EXPECT_LE(server.counts().connections, 60u);
    server.wire_faults().clear();
  }
  for (std::thread& host : hosts) host.join();
  EXPECT_EQ(server.counts().accepted, 60u);
  server.stop();
}

}  // namespace
}  // namespace pynvme::ssd::tcp
