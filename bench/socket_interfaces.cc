// Which way of using sockets is the fastest for NVMe/TCP: the traffic of 4 KiB reads over loopback,
// without NVMe around it, client and server on a CPU each. docs/performance.md has the result.
// usage: pynvme_socket_interfaces [SECONDS [ROUNDS]]
#include <liburing.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <system_error>
#include <vector>

namespace {

constexpr size_t kCapsule = 72;                // CapsuleCmd: a command without data
constexpr size_t kHeader = 24;                 // C2HData, with the success flag
constexpr size_t kData = 4096;                 // of one read
constexpr size_t kResponse = kHeader + kData;  // NVMe/TCP 1.0 §3.6.2
constexpr size_t kRoom = 256 << 10;
constexpr size_t kBatchMax = 128;

using Bytes = std::span<const uint8_t>;

// One end of the connection.
class Socket {
 public:
  explicit Socket(int fd) : fd_(fd) {}
  virtual ~Socket() { close(fd_); }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;

  // What came, until the next call; nothing, or the end, which over() tells.
  virtual Bytes receive() = 0;
  // All of the parts, before it returns or while receive() is called.
  virtual void send(std::vector<iovec>& parts) = 0;
  // PDUs that go with one call.
  virtual size_t batch() const { return kBatchMax; }
  bool over() const { return over_; }

 protected:
  Bytes received(ssize_t bytes) {
    if (bytes > 0) return {buffer_.get(), static_cast<size_t>(bytes)};
    over_ = true;
    return {};
  }
  const int fd_;
  std::unique_ptr<uint8_t[]> buffer_ = std::make_unique<uint8_t[]>(kRoom);

 private:
  bool over_ = false;
};

class Polled : public Socket {
 public:
  using Socket::Socket;
  Bytes receive() override {
    const ssize_t bytes = recv(fd_, buffer_.get(), room(), MSG_DONTWAIT);
    if (bytes < 0 && errno == EAGAIN) return {};
    return received(bytes);
  }
  void send(std::vector<iovec>& parts) override {
    msghdr message{};
    message.msg_iov = parts.data();
    message.msg_iovlen = parts.size();
    while (message.msg_iovlen > 0) {
      ssize_t bytes = sendmsg(fd_, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
      if (bytes < 0 && errno != EAGAIN) return;  // receive() will tell
      while (bytes > 0) {
        iovec& part = *message.msg_iov;
        const size_t taken = std::min(static_cast<size_t>(bytes), part.iov_len);
        part.iov_base = static_cast<uint8_t*>(part.iov_base) + taken;
        part.iov_len -= taken;
        bytes -= static_cast<ssize_t>(taken);
        if (part.iov_len > 0) break;
        ++message.msg_iov;
        --message.msg_iovlen;
      }
    }
  }

 protected:
  virtual size_t room() const { return kRoom; }
};

// Sleeps while there is nothing.
class Sleeping final : public Polled {
 public:
  using Polled::Polled;
  Bytes receive() override {
    pollfd one{fd_, POLLIN, 0};
    poll(&one, 1, -1);
    return Polled::receive();
  }
};

// A call for each PDU that goes, and about one for each that comes.
class OneByOne final : public Polled {
 public:
  using Polled::Polled;
  size_t batch() const override { return 1; }

 protected:
  size_t room() const override { return kResponse; }
};

class BusyPolled final : public Polled {
 public:
  explicit BusyPolled(int fd) : Polled(fd) {
    const int us = 50;
    setsockopt(fd, SOL_SOCKET, SO_BUSY_POLL, &us, sizeof(us));
  }
};

// A receive is always posted; what is to be sent goes to the kernel with the next look at the
// completions, so that a batch there and back is one system call.
class Ring final : public Socket {
 public:
  explicit Ring(int fd) : Socket(fd) {
    io_uring_params parameters{};
    parameters.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN;
    const int error = io_uring_queue_init_params(64, &ring_, &parameters);
    if (error != 0) throw std::system_error(-error, std::generic_category(), "io_uring");
    io_uring_register_files(&ring_, &fd_, 1);
  }
  ~Ring() override { io_uring_queue_exit(&ring_); }

  Bytes receive() override {
    if (!receiving_) {
      io_uring_sqe* const sqe = submission(kReceive);
      io_uring_prep_recv(sqe, 0, buffer_.get(), kRoom, 0);
      submit(sqe, kReceive);
      receiving_ = true;
      got_ = 0;
    }
    io_uring_submit_and_get_events(&ring_);
    reap();
    return receiving_ ? Bytes() : received(got_);
  }
  void send(std::vector<iovec>& parts) override {
    while (sending_) {  // one at a time, so that their order is kept
      io_uring_submit_and_wait(&ring_, 1);
      reap();
    }
    parts_ = parts;
    message_ = {};
    message_.msg_iov = parts_.data();
    message_.msg_iovlen = parts_.size();
    io_uring_sqe* const sqe = submission(kSend);
    io_uring_prep_sendmsg(sqe, 0, &message_, MSG_NOSIGNAL | MSG_WAITALL);
    submit(sqe, kSend);
    sending_ = true;
  }

 private:
  static constexpr uint64_t kReceive = 1;
  static constexpr uint64_t kSend = 2;
  io_uring_sqe* submission(uint64_t what) {
    io_uring_sqe* const sqe = io_uring_get_sqe(&ring_);
    if (sqe == nullptr) throw std::runtime_error("io_uring: no room for " + std::to_string(what));
    return sqe;
  }
  static void submit(io_uring_sqe* sqe, uint64_t what) {
    sqe->flags |= IOSQE_FIXED_FILE;
    io_uring_sqe_set_data64(sqe, what);
  }
  void reap() {
    io_uring_cqe* cqe = nullptr;
    while (io_uring_peek_cqe(&ring_, &cqe) == 0) {
      if (cqe->user_data == kReceive) {
        receiving_ = false;
        got_ = cqe->res;
      } else {
        sending_ = false;
      }
      io_uring_cqe_seen(&ring_, cqe);
    }
  }
  io_uring ring_{};
  std::vector<iovec> parts_;
  msghdr message_{};
  ssize_t got_ = 0;
  bool receiving_ = false;
  bool sending_ = false;
};

template <typename Kind>
std::unique_ptr<Socket> make(int fd) {
  return std::make_unique<Kind>(fd);
}

struct Interface {
  const char* name;
  std::unique_ptr<Socket> (*make)(int fd);
};
constexpr Interface kInterfaces[] = {
    {"a call for each PDU", make<OneByOne>},
    {"batches, asleep when idle", make<Sleeping>},
    {"batches", make<Polled>},
    {"batches, SO_BUSY_POLL", make<BusyPolled>},
    {"batches, io_uring", make<Ring>},
};

void pin(int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  sched_setaffinity(0, sizeof(set), &set);
}

// Sends `count` PDUs in batches; `add` puts the parts of one behind the others.
template <typename Add>
void send_all(Socket& socket, std::vector<iovec>& parts, uint64_t count, const Add& add) {
  while (count > 0) {
    parts.clear();
    const uint64_t batch = std::min<uint64_t>(count, socket.batch());
    for (uint64_t i = 0; i < batch; ++i) add();
    socket.send(parts);
    count -= batch;
  }
}

void serve(Socket& socket) {
  constexpr size_t kBlocks = 16 << 10;  // 64 MiB
  std::vector<uint8_t> media(kBlocks * kData, 0x5A);
  std::array<uint8_t, kHeader> header{};
  std::vector<iovec> parts;
  uint64_t bytes = 0;
  uint64_t answered = 0;
  uint64_t random = 1;
  while (!socket.over()) {
    bytes += socket.receive().size();
    const uint64_t count = bytes / kCapsule - answered;
    send_all(socket, parts, count, [&] {
      random = random * 6364136223846793005U + 1442695040888963407U;
      parts.push_back({header.data(), kHeader});
      parts.push_back({media.data() + (random >> 40) % kBlocks * kData, kData});
    });
    answered += count;
  }
}

double iops(Socket& socket, uint32_t depth, double seconds) {
  std::array<uint8_t, kCapsule> capsule{};
  std::vector<uint8_t> memory(kRoom);
  std::vector<iovec> parts;
  const auto add = [&] { parts.push_back({capsule.data(), kCapsule}); };
  uint64_t bytes = 0;
  uint64_t done = 0;
  send_all(socket, parts, depth, add);
  const auto start = std::chrono::steady_clock::now();
  while (!socket.over()) {
    const Bytes got = socket.receive();
    if (got.empty()) continue;
    std::memcpy(memory.data(), got.data(), got.size());
    bytes += got.size();
    const uint64_t count = bytes / kResponse - done;
    done += count;
    const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - start;
    if (passed.count() >= seconds) return static_cast<double>(done) / passed.count();
    send_all(socket, parts, count, add);
  }
  throw std::runtime_error("the server is gone");
}

void tune(int fd) {
  const int on = 1;
  const int size = 4 << 20;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
  setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
}

[[noreturn]] void fail(const char* what) {
  throw std::system_error(errno, std::generic_category(), what);
}

double measure(const Interface& interface, uint32_t depth, double seconds) {
  const int listener = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  auto* const name = reinterpret_cast<sockaddr*>(&address);
  if (bind(listener, name, size) != 0 || listen(listener, 1) != 0) fail("listen");
  if (getsockname(listener, name, &size) != 0) fail("getsockname");
  const pid_t child = fork();
  if (child < 0) fail("fork");
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    pin(1);
    const int fd = accept(listener, nullptr, nullptr);
    tune(fd);
    serve(*interface.make(fd));
    _exit(0);
  }
  pin(0);
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  if (connect(fd, name, size) != 0) fail("connect");
  tune(fd);
  close(listener);
  const double result = iops(*interface.make(fd), depth, seconds);
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  return result;
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

}  // namespace

int main(int argc, char** argv) {
  const double seconds = argc > 1 ? std::atof(argv[1]) : 0.5;
  const int rounds = argc > 2 ? std::atoi(argv[2]) : 5;
  if (seconds <= 0 || rounds < 1) {
    std::fprintf(stderr, "usage: pynvme_socket_interfaces [SECONDS [ROUNDS]]\n");
    return 2;
  }
  for (const uint32_t depth : {1, 32, 128}) {
    std::vector<double> results[std::size(kInterfaces)];
    for (int round = 0; round < rounds; ++round) {
      for (size_t i = 0; i < std::size(kInterfaces); ++i) {
        results[i].push_back(measure(kInterfaces[i], depth, seconds));
      }
    }
    for (size_t i = 0; i < std::size(kInterfaces); ++i) {
      std::printf("depth %3u  %-26s %8.0f IO/s\n", depth, kInterfaces[i].name, median(results[i]));
    }
  }
  return 0;
}
