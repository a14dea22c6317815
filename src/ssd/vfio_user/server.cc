// The two threads. How long the serving one pauses is a trade of idle CPU time against the latency
// of the first command after a while: kNaps.
#include "ssd/vfio_user/server.h"

#include <immintrin.h>
#include <poll.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <ctime>
#include <exception>
#include <stdexcept>
#include <utility>

#include "base/clock.h"
#include "base/log.h"
#include "spec/vfio_user.h"
#include "ssd/vfio_user/session.h"

namespace pynvme::ssd {
namespace {

namespace vfu = spec::vfu;

// While there is work the socket, which costs a system call, is looked at only so often.
constexpr uint64_t kSocketEveryNs = 20'000;
// Nothing was stored to a doorbell for so long: the thread yields, then naps ever longer.
constexpr uint64_t kSpinNs = 100'000;
constexpr uint64_t kYieldNs = 1'000'000;
struct Nap {
  uint64_t idle_ns;
  long nap_ns;
};
constexpr Nap kNaps[] = {{20'000'000, 50'000}, {200'000'000, 250'000}, {2'000'000'000, 1'000'000}};
constexpr long kLongestNapNs = 5'000'000;
// A client that comes while the one before it is still being cleaned up waits so long.
constexpr auto kTakeOver = std::chrono::milliseconds(500);
constexpr int kTurnAwayMs = 2000;

long nap_ns(uint64_t idle_ns) {
  for (const Nap& nap : kNaps) {
    if (idle_ns < nap.idle_ns) return nap.nap_ns;
  }
  return kLongestNapNs;
}

bool peer_has_left(int fd) {
  pollfd one{fd, POLLRDHUP, 0};
  return poll(&one, 1, 0) > 0;
}

uint64_t inode_of(const std::string& path) {
  struct stat file {};
  return lstat(path.c_str(), &file) == 0 ? file.st_ino : 0;
}

}  // namespace

VfioUserServer::VfioUserServer(std::shared_ptr<Device> device, std::string path)
    : device_(std::move(device)),
      path_(std::move(path)),
      listener_(base::listen_unix(path_)),
      inode_(inode_of(path_)),
      stop_event_(eventfd(0, EFD_CLOEXEC)) {
  if (!stop_event_) {
    unlink(path_.c_str());
    throw std::runtime_error(std::string("eventfd: ") + std::strerror(errno));
  }
  acceptor_ = std::thread([this] { accept_clients(); });
  worker_ = std::thread([this] { serve_clients(); });
}

VfioUserServer::~VfioUserServer() {
  {
    const std::lock_guard guard(mutex_);
    stopping_ = true;
    if (client_ != nullptr) client_->shut_down();
    changed_.notify_all();
  }
  const uint64_t one = 1;
  [[maybe_unused]] const auto written = write(stop_event_.get(), &one, sizeof(one));
  acceptor_.join();
  worker_.join();
  // Not one that another server has put there since.
  if (inode_of(path_) == inode_) unlink(path_.c_str());
}

void VfioUserServer::accept_clients() {
  while (!stopping_) {
    pollfd waiting[] = {{listener_.get(), POLLIN, 0}, {stop_event_.get(), POLLIN, 0}};
    if (poll(waiting, 2, -1) <= 0 || waiting[0].revents == 0) continue;
    base::UniqueFd client(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!client) {
      // Out of descriptors, most likely: it waits in the backlog.
      const timespec pause{0, 10'000'000};
      nanosleep(&pause, nullptr);
      continue;
    }
    std::unique_lock lock(mutex_);
    const auto free = [this] { return stopping_ || (client_ == nullptr && !next_client_); };
    // One that has left is still being cleaned up, and one that is about to be served may leave at
    // once: both take as long as the worker's thread takes.
    const auto leaving = [this] { return next_client_ || peer_has_left(client_->fd()); };
    bool is_free = changed_.wait_for(lock, kTakeOver, free);
    while (!is_free && leaving()) is_free = changed_.wait_for(lock, kTakeOver, free);
    if (is_free) {
      next_client_ = std::move(client);
      changed_.notify_all();
    } else {
      lock.unlock();
      turn_away(std::move(client));
    }
  }
}

// Its first message is answered with EBUSY, so that it can tell why.
void VfioUserServer::turn_away(base::UniqueFd client) {
  base::log(base::LogLevel::kWarning, "a second client was turned away: one is served at a time");
  base::FramedSocket socket(std::move(client), vfio_user_framing());
  base::Frame frame;
  if (socket.receive(frame, kTurnAwayMs) != base::FrameChannel::Got::kFrame) return;
  vfu::Header header;
  std::memcpy(&header, frame.bytes.data(), sizeof(header));
  header.message_bytes = sizeof(header);
  header.flags = vfu::Header::kTypeReply | vfu::Header::kError;
  header.error = EBUSY;
  uint8_t bytes[sizeof(header)];
  std::memcpy(bytes, &header, sizeof(header));
  socket.send(bytes, {});
}

void VfioUserServer::serve_clients() {
  for (uint64_t number = 1;; ++number) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return stopping_ || next_client_; });
    if (stopping_) return;
    base::FramedSocket socket(std::move(next_client_), vfio_user_framing());
    client_ = &socket;
    lock.unlock();
    try {
      serve_client(socket, number);
    } catch (const std::exception& error) {
      base::log(base::LogLevel::kError, "client %llu: %s", static_cast<unsigned long long>(number),
                error.what());
    }
    lock.lock();
    client_ = nullptr;
    changed_.notify_all();
  }
}

void VfioUserServer::serve_client(base::FramedSocket& socket, uint64_t number) {
  const auto client = static_cast<unsigned long long>(number);
  const base::Clock& clock = base::Clock::real();
  base::log(base::LogLevel::kInfo, "client %llu is connected", client);
  VfioUserSession session(*device_, socket);
  uint64_t active_ns = clock.now_ns();
  uint64_t socket_ns = 0;
  while (!stopping_.load(std::memory_order_relaxed)) {
    const bool busy = session.poll_doorbells();
    const uint64_t now = clock.now_ns();
    if (busy) active_ns = now;
    const uint64_t idle_ns = now - active_ns;
    if (busy || idle_ns < kYieldNs) {
      if (!busy) {
        if (idle_ns < kSpinNs) {
          _mm_pause();
        } else {
          sched_yield();
        }
      }
      if (now - socket_ns < kSocketEveryNs) continue;
      socket_ns = now;
    } else {
      pollfd waiting{socket.fd(), POLLIN, 0};
      const timespec nap{0, nap_ns(idle_ns)};
      if (ppoll(&waiting, 1, &nap, nullptr) <= 0 && session.poll_doorbells()) {
        active_ns = clock.now_ns();
        continue;
      }
    }
    const auto served = session.serve(0);
    if (served == VfioUserSession::Served::kOver) break;
    if (served == VfioUserSession::Served::kMessage) active_ns = clock.now_ns();
  }
  base::log(base::LogLevel::kInfo, "client %llu has gone%s%s", client,
            session.end().empty() ? "" : ": ", session.end().c_str());
}

}  // namespace pynvme::ssd
