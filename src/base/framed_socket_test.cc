#include "base/framed_socket.h"

#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace pynvme::base {
namespace {

// Four bytes: two of nothing in particular, then the size.
constexpr Framing kFraming{8, 4, 1024};

class FramedSocketTest : public ::testing::Test {
 protected:
  FramedSocketTest() {
    std::array<int, 2> ends{};
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
    peer_ = UniqueFd(ends[1]);
    socket_ = std::make_unique<FramedSocket>(UniqueFd(ends[0]), kFraming);
  }
  static std::vector<uint8_t> frame(uint32_t size, size_t bytes) {
    std::vector<uint8_t> made(bytes);
    std::memcpy(made.data() + 4, &size, 4);
    return made;
  }
  void write(const std::vector<uint8_t>& bytes) {
    ASSERT_EQ(::write(peer_.get(), bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
  }

  UniqueFd peer_;
  std::unique_ptr<FramedSocket> socket_;
  Frame frame_;
};

TEST_F(FramedSocketTest, FramesComeWholeHoweverTheyAreCut) {
  EXPECT_EQ(socket_->receive(frame_, 0), FrameChannel::Got::kNothing);
  auto two = frame(20, 20);
  two.insert(two.end(), two.begin(), two.end());
  write(two);
  EXPECT_EQ(socket_->receive(frame_, 0), FrameChannel::Got::kFrame);
  EXPECT_EQ(frame_.bytes.size(), 20U);
  EXPECT_EQ(socket_->receive(frame_, 0), FrameChannel::Got::kFrame);
  EXPECT_EQ(socket_->receive(frame_, 0), FrameChannel::Got::kNothing);
  std::thread slow([this] {
    for (const uint8_t byte : frame(12, 12)) EXPECT_EQ(::write(peer_.get(), &byte, 1), 1);
  });
  EXPECT_EQ(socket_->receive(frame_, 10'000), FrameChannel::Got::kFrame);
  slow.join();
  EXPECT_EQ(frame_.bytes.size(), 12U);
}

TEST_F(FramedSocketTest, SizesOutOfBoundsCloseIt) {
  write(frame(7, 8));
  EXPECT_EQ(socket_->receive(frame_, 0), FrameChannel::Got::kClosed);
}

TEST_F(FramedSocketTest, SizesBeyondTheMostCloseIt) {
  write(frame(1025, 8));
  EXPECT_EQ(socket_->receive(frame_, 0), FrameChannel::Got::kClosed);
}

TEST_F(FramedSocketTest, AnEndInTheMiddleClosesIt) {
  write(frame(20, 10));
  peer_.reset();
  EXPECT_EQ(socket_->receive(frame_, 0), FrameChannel::Got::kClosed);
}

TEST_F(FramedSocketTest, DescriptorsComeWithTheirFrame) {
  FramedSocket other(std::move(peer_), kFraming);
  const std::array<int, 2> fds{0, 1};
  EXPECT_TRUE(other.send(frame(8, 8), fds));
  EXPECT_TRUE(other.send(frame(8, 8), {}));
  EXPECT_EQ(socket_->receive(frame_, 0), FrameChannel::Got::kFrame);
  EXPECT_EQ(frame_.fds.size(), 2U);
  EXPECT_EQ(socket_->receive(frame_, 0), FrameChannel::Got::kFrame);
  EXPECT_TRUE(frame_.fds.empty());
}

TEST_F(FramedSocketTest, ShuttingDownEndsAWait) {
  std::thread waiting(
      [this] { EXPECT_EQ(socket_->receive(frame_, 60'000), FrameChannel::Got::kClosed); });
  socket_->shut_down();
  waiting.join();
  EXPECT_FALSE(socket_->send(frame(8, 8), {}));
}

TEST(UnixSockets, AServerThatTakesNobodyIsNotWaitedFor) {
  char folder[] = "/tmp/pynvme-test-XXXXXX";
  const std::string path = std::string(mkdtemp(folder)) + "/socket";
  const UniqueFd listener = listen_unix(path);
  std::vector<UniqueFd> waiting;
  int error = 0;
  while (error == 0 && waiting.size() < 64) {
    try {
      waiting.push_back(connect_unix(path));
    } catch (const std::system_error& full) {
      error = full.code().value();
    }
  }
  EXPECT_EQ(error, EAGAIN);
  EXPECT_THROW(listen_unix(path), std::runtime_error);
  unlink(path.c_str());
  rmdir(folder);
}

}  // namespace
}  // namespace pynvme::base
