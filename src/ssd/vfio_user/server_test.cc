// The socket: its file, one client at a time, and clients that are slow, sudden or mad.
#include "ssd/vfio_user/server.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <stdexcept>
#include <string>

#include <gtest/gtest.h>

#include "ssd/vfio_user/test_client.h"

namespace pynvme::ssd::testing {
namespace {

class VfioUserServerTest : public ::testing::Test {
 protected:
  VfioUserServerTest() {
    char folder[] = "/tmp/pynvme-test-XXXXXX";
    folder_ = mkdtemp(folder);
    path_ = folder_ + "/ssd.sock";
  }
  ~VfioUserServerTest() override {
    unlink(path_.c_str());
    rmdir(folder_.c_str());
  }

  std::unique_ptr<VfioUserServer> serve() {
    return std::make_unique<VfioUserServer>(
        std::make_shared<Device>(TestClient::quick(), base::Clock::real()), path_);
  }
  base::UniqueFd connect() { return base::connect_unix(path_); }

  static Bytes version() { return le({{9, 2}, {1, 2}, {20, 4}, {0, 4}, {0, 4}, {0, 2}, {1, 2}}); }
  // The first bytes of an answer; fewer when the server closed.
  static Bytes exchange(int fd, const Bytes& sent) {
    EXPECT_EQ(send(fd, sent.data(), sent.size(), MSG_NOSIGNAL), static_cast<ssize_t>(sent.size()));
    Bytes answer(16);
    const ssize_t got = recv(fd, answer.data(), answer.size(), MSG_WAITALL);
    answer.resize(got > 0 ? static_cast<size_t>(got) : 0);
    Bytes rest(got == 16 ? get(answer, 4, 4) - 16 : 0);
    if (!rest.empty()) recv(fd, rest.data(), rest.size(), MSG_WAITALL);
    return answer;
  }

  std::string folder_;
  std::string path_;
};

TEST_F(VfioUserServerTest, TheSocketIsItsOwnersAndGoesWithTheServer) {
  auto server = serve();
  struct stat file {};
  ASSERT_EQ(stat(path_.c_str(), &file), 0);
  EXPECT_EQ(file.st_mode & 07777, 0600U);
  server.reset();
  EXPECT_NE(stat(path_.c_str(), &file), 0);
}

TEST_F(VfioUserServerTest, APathInUseIsRefusedAndAStaleSocketReplaced) {
  auto server = serve();
  EXPECT_THROW(serve(), std::runtime_error);
  EXPECT_EQ(exchange(connect().get(), version()).size(), 16U);  // and the first one unharmed
  server.reset();
  {  // What a killed server leaves.
    const base::UniqueFd dead = base::listen_unix(path_);
  }
  server = serve();
  EXPECT_EQ(exchange(connect().get(), version()).size(), 16U);
  server.reset();
  close(open(path_.c_str(), O_CREAT | O_WRONLY, 0600));
  EXPECT_THROW(serve(), std::runtime_error);
  EXPECT_THROW(base::listen_unix(std::string(200, 'x')), std::runtime_error);
}

TEST_F(VfioUserServerTest, ASecondClientIsToldThatItIsBusy) {
  const auto server = serve();
  const base::UniqueFd first = connect();
  EXPECT_EQ(exchange(first.get(), version())[8], 1);
  const base::UniqueFd second = connect();
  const Bytes answer = exchange(second.get(), version());
  EXPECT_EQ(answer, le({{9, 2}, {1, 2}, {16, 4}, {0x21, 4}, {EBUSY, 4}}));
  // The first one goes on.
  EXPECT_EQ(exchange(first.get(), le({{1, 2}, {13, 2}, {16, 4}, {0, 4}, {0, 4}}))[12], 0);
}

TEST_F(VfioUserServerTest, WhenAClientGoesTheNextIsTaken) {
  const auto server = serve();
  for (int i = 0; i < 5; ++i) {
    const base::UniqueFd client = connect();
    EXPECT_EQ(exchange(client.get(), version()).size(), 16U);
  }
}

TEST_F(VfioUserServerTest, BrokenFramesCloseTheConnection) {
  const auto server = serve();
  for (const uint32_t size : {0U, 15U, 0x7FFF'FFFFU, UINT32_MAX}) {
    const base::UniqueFd client = connect();
    EXPECT_TRUE(exchange(client.get(), le({{1, 2}, {1, 2}, {size, 4}, {0, 4}, {0, 4}})).empty());
  }
  const base::UniqueFd client = connect();
  EXPECT_EQ(exchange(client.get(), version()).size(), 16U);
}

TEST_F(VfioUserServerTest, EndsWithAClientConnected) {
  auto server = serve();
  const base::UniqueFd client = connect();
  EXPECT_EQ(exchange(client.get(), version()).size(), 16U);
  server.reset();
  Bytes rest(1024);
  while (recv(client.get(), rest.data(), rest.size(), 0) > 0) {
  }
}

}  // namespace
}  // namespace pynvme::ssd::testing
