// The loop: sockets, controllers' timers, and who belongs to whom.
#include "ssd/tcp/server.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <optional>
#include <stdexcept>
#include <tuple>
#include <utility>

#include "ssd/faults/fault_text.h"
#include "ssd/tcp/io_controller.h"

namespace pynvme::ssd::tcp {
namespace {

constexpr size_t kEventsMax = 64;
constexpr int kBacklog = 256;
// Dynamic identifiers end below those that have a meaning (NVMe Base 2.0 §3.1.2).
constexpr uint16_t kCntlidLast = 0xFFEF;
constexpr uint32_t kTransferBytesMax = 1 << 20;

std::runtime_error failed(const std::string& what) {
  return std::runtime_error(what + ": " + std::strerror(errno));
}

// Of "192.0.2.1:4420" or "[2001:db8::1]:4420".
std::optional<std::pair<std::string, uint16_t>> advertised(std::string_view text) {
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  std::string_view address = text.substr(0, colon);
  if (address.size() > 2 && address.front() == '[' && address.back() == ']') {
    address = address.substr(1, address.size() - 2);
  } else if (address.find(':') != std::string_view::npos) {
    return std::nullopt;
  }
  const std::string_view digits = text.substr(colon + 1);
  uint16_t port = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (address.empty() || error != std::errc() || end != digits.data() + digits.size() ||
      port == 0) {
    return std::nullopt;
  }
  return std::pair{std::string(address), port};
}

TargetOptions checked(TargetOptions options) {
  const auto refuse = [](const std::string& what) { throw std::invalid_argument(what); };
  if (options.in_capsule_bytes % 16 != 0 || options.in_capsule_bytes > kTransferBytesMax) {
    refuse("in-capsule data: " + std::to_string(options.in_capsule_bytes) +
           " bytes; a multiple of 16 up to 1048576 is possible");
  }
  if (options.h2c_bytes_max % 4 != 0 || options.h2c_bytes_max < spec::tcp::kMaxH2cDataMin ||
      options.h2c_bytes_max > kTransferBytesMax) {
    refuse("MAXH2CDATA: " + std::to_string(options.h2c_bytes_max) +
           " bytes; a multiple of 4 from 4096 to 1048576 is possible");
  }
  if (options.r2t_bytes_max % 4 != 0 || options.c2h_bytes_max % 4 != 0) {
    refuse("bytes of an R2T or a C2HData PDU: a multiple of 4 is possible");
  }
  if (options.cpda > spec::tcp::kDataAlignmentMax) {
    refuse("CPDA: " + std::to_string(options.cpda) + "; 0 to 31 is possible");
  }
  if (options.nqn.size() > spec::fabrics::kNqnBytesMax) {
    refuse("subsystem NQN: longer than 223 bytes");
  }
  if (!options.advertise.empty() && !advertised(options.advertise)) {
    refuse("advertise: " + options.advertise + "; ADDRESS:PORT is possible");
  }
  return options;
}

}  // namespace

Server::Server(const Config& config, TargetOptions options, const base::Clock& clock)
    : options_(checked(std::move(options))),
      clock_(clock),
      subsystem_(config, clock, options_.nqn),
      events_(kEventsMax * sizeof(epoll_event)) {
  try {
    listen();
  } catch (...) {
    for (const int fd : {listener_, epoll_, wake_, spare_}) {
      if (fd >= 0) ::close(fd);
    }
    throw;
  }
}

Server::~Server() {
  stop();
  for (const auto& connection : connections_) connection->close();
  connections_.clear();
  for (const int fd : {listener_, epoll_, wake_, spare_}) {
    if (fd >= 0) ::close(fd);
  }
}

void Server::listen() {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE;
  addrinfo* found = nullptr;
  const std::string port = std::to_string(options_.port);
  if (const int error = ::getaddrinfo(options_.address.c_str(), port.c_str(), &hints, &found);
      error != 0) {
    throw std::runtime_error("listening on " + options_.address + ": " + ::gai_strerror(error));
  }
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> addresses(found, ::freeaddrinfo);
  listener_ = ::socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (listener_ < 0) throw failed("socket");
  const int on = 1;
  ::setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (::bind(listener_, found->ai_addr, found->ai_addrlen) != 0 ||
      ::listen(listener_, kBacklog) != 0) {
    throw failed("listening on " + options_.address + " port " + port);
  }
  sockaddr_storage name{};
  socklen_t bytes = sizeof name;
  if (::getsockname(listener_, reinterpret_cast<sockaddr*>(&name), &bytes) != 0) {
    throw failed("getsockname");
  }
  port_ = ntohs(name.ss_family == AF_INET6 ? reinterpret_cast<sockaddr_in6&>(name).sin6_port
                                           : reinterpret_cast<sockaddr_in&>(name).sin_port);
  epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
  wake_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (epoll_ < 0 || wake_ < 0) throw failed("epoll");
  spare_ = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  for (int* const fd : {&listener_, &wake_}) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.ptr = fd;
    if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, *fd, &event) != 0) throw failed("epoll");
  }
}

void Server::start() {
  thread_ = std::thread([this] { run(); });
}

void Server::stop() {
  stopping_ = true;
  const uint64_t one = 1;
  if (wake_ >= 0) [[maybe_unused]]
    const ssize_t n = ::write(wake_, &one, sizeof one);
  if (thread_.joinable()) thread_.join();
}

int Server::wait(uint64_t timeout_ns) {
  auto* const events = reinterpret_cast<epoll_event*>(events_.data());
  if (timeout_ns == 0) return ::epoll_wait(epoll_, events, kEventsMax, 0);
#ifdef SYS_epoll_pwait2
  const timespec timeout{static_cast<time_t>(timeout_ns / 1'000'000'000),
                         static_cast<long>(timeout_ns % 1'000'000'000)};
  const long n = ::syscall(SYS_epoll_pwait2, epoll_, events, kEventsMax,
                           timeout_ns == UINT64_MAX ? nullptr : &timeout, nullptr, 0);
  if (n >= 0 || errno != ENOSYS) return static_cast<int>(n);
#endif
  // A kernel before 5.11: late by a millisecond at most.
  const int ms = timeout_ns == UINT64_MAX
                     ? -1
                     : static_cast<int>(std::min<uint64_t>(timeout_ns / 1'000'000 + 1, 60'000));
  return ::epoll_wait(epoll_, events, kEventsMax, ms);
}

void Server::run() {
  const uint64_t spin_ns = options_.spin_us * 1'000ULL;
  uint64_t busy_ns = now();
  uint64_t timeout_ns = 0;
  while (!stopping_.load(std::memory_order_relaxed)) {
    const int n = wait(timeout_ns);
    const auto* const events = reinterpret_cast<const epoll_event*>(events_.data());
    for (int i = 0; i < n; ++i) {
      void* const of = events[i].data.ptr;
      const uint32_t what = events[i].events;
      if (of == &listener_) {
        accept_all();
      } else if (of != &wake_) {
        auto& connection = *static_cast<Connection*>(of);
        if (connection.dead()) continue;
        if ((what & EPOLLIN) != 0) {
          connection.on_readable();
        } else if ((what & (EPOLLHUP | EPOLLERR | EPOLLRDHUP)) != 0) {
          connection.close();
        }
        if ((what & EPOLLOUT) != 0 && !connection.dead()) connection.on_writable();
      }
    }
    const uint64_t now_ns = now();
    turn(now_ns);
    if (n > 0) busy_ns = now_ns;
    const uint64_t due = next_due();
    if (now_ns - busy_ns < spin_ns || due <= now_ns) {
      timeout_ns = 0;
    } else {
      timeout_ns = due == UINT64_MAX ? UINT64_MAX : due - now_ns;
    }
  }
}

void Server::accept_all() {
  for (;;) {
    const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
      if ((errno != EMFILE && errno != ENFILE) || spare_ < 0) return;
      // Whoever waits is turned away: nobody would take him, and the loop would spin.
      ::close(spare_);
      const int refused = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (refused >= 0) ::close(refused);
      spare_ = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
      if (refused < 0) return;
      continue;
    }
    if (connections_.size() >= options_.connections_max || subsystem_.faults().vanished()) {
      ::close(fd);
      continue;
    }
    const int on = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    connections_.push_back(std::make_unique<Connection>(*this, fd, now()));
    Connection& connection = *connections_.back();
    epoll_event event{};
    event.events = connection.events_watched = EPOLLIN | EPOLLRDHUP;
    event.data.ptr = &connection;
    if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) != 0) connection.close();
    accepted_.fetch_add(1, std::memory_order_relaxed);
    connection_count_ = static_cast<uint32_t>(connections_.size());
  }
}

// What nobody on the network asked for just now: timers, completions that are due, the dead.
void Server::turn(uint64_t now_ns) {
  subsystem_.advance(now_ns);
  if (subsystem_.faults().vanished()) [[unlikely]] {
    for (const auto& connection : connections_) connection->reset();
  }
  std::vector<Connection*> expired;
  for (const auto& [cntlid, associated] : associations_) {
    if (!associated.controller->advance(now_ns)) expired.push_back(associated.admin);
  }
  // The association ends with its timer (NVMe Base 2.0 §3.9.4).
  for (Connection* const admin : expired) admin->close();
  bool any_dead = false;
  for (const auto& connection : connections_) {
    connection->serve(now_ns);
    if (connection->dead()) {
      any_dead = true;
    } else {
      watch(*connection);
    }
  }
  if (!any_dead) return;
  std::erase_if(connections_, [](const auto& connection) { return connection->dead(); });
  connection_count_ = static_cast<uint32_t>(connections_.size());
}

void Server::watch(Connection& connection) {
  const uint32_t wanted = connection.events_wanted() | EPOLLRDHUP;
  if (wanted == connection.events_watched) return;
  epoll_event event{};
  event.events = connection.events_watched = wanted;
  event.data.ptr = &connection;
  ::epoll_ctl(epoll_, EPOLL_CTL_MOD, connection.fd(), &event);
}

uint64_t Server::next_due() const {
  uint64_t due = subsystem_.next_due();
  for (const auto& [cntlid, associated] : associations_) {
    due = std::min(due, associated.controller->next_due());
  }
  for (const auto& connection : connections_) due = std::min(due, connection->next_due());
  return due;
}

bool Server::allows(std::string_view hostnqn) const {
  return (options_.hosts.empty() && options_.dhchap.empty()) || keys_of(hostnqn) != nullptr ||
         std::ranges::find(options_.hosts, hostnqn) != options_.hosts.end();
}

const DhchapKeys* Server::keys_of(std::string_view hostnqn) const {
  const auto found = std::ranges::find(options_.dhchap, hostnqn, &DhchapKeys::hostnqn);
  return found == options_.dhchap.end() ? nullptr : &*found;
}

uint16_t Server::next_cntlid() {
  // Each one is as old as can be before it comes again: a host that is late does not meet the
  // controller of another one.
  for (uint32_t tried = 0; tried < kCntlidLast; ++tried) {
    last_cntlid_ = last_cntlid_ >= kCntlidLast ? 1 : static_cast<uint16_t>(last_cntlid_ + 1);
    if (!associations_.contains(last_cntlid_)) return last_cntlid_;
  }
  return 0;
}

Place Server::place_of(const Connection& connection) const {
  Place place;
  place.nqn = subsystem_.nqn();
  place.address = options_.address;
  place.port = port_;
  if (const auto told = advertised(options_.advertise)) {
    std::tie(place.address, place.port) = *told;
  } else {
    // Where this host has reached us, which with several interfaces is the one address that works.
    sockaddr_storage name{};
    socklen_t bytes = sizeof name;
    char text[INET6_ADDRSTRLEN] = {};
    if (::getsockname(connection.fd(), reinterpret_cast<sockaddr*>(&name), &bytes) == 0) {
      const void* const address =
          name.ss_family == AF_INET6
              ? static_cast<const void*>(&reinterpret_cast<sockaddr_in6&>(name).sin6_addr)
              : &reinterpret_cast<sockaddr_in&>(name).sin_addr;
      if (::inet_ntop(name.ss_family, address, text, sizeof text) != nullptr) place.address = text;
    }
  }
  place.tls = options_.tls_key != nullptr;
  place.ipv6 = place.address.find(':') != std::string::npos;
  return place;
}

std::vector<base::tls::Identity> Server::keys_called(std::string_view identity) const {
  const base::tls::Names names = base::tls::names_in(identity);
  // A host that may not connect is not told so by a refused handshake: Connect tells it.
  if (names.subnqn != subsystem_.nqn() && names.subnqn != spec::fabrics::kDiscoveryNqn) return {};
  auto known = base::tls::identities(*options_.tls_key, names.hostnqn, names.subnqn);
  std::erase_if(known, [&](const base::tls::Identity& one) { return one.name != identity; });
  return known;
}

Controller* Server::associate(Connection& admin, Association association, bool discovery) {
  association.cntlid = next_cntlid();
  if (association.cntlid == 0) return nullptr;
  Associated associated;
  associated.admin = &admin;
  const uint16_t cntlid = association.cntlid;
  if (discovery) {
    std::vector<Place> places;
    // A host is told of what it may connect to.
    if (allows(association.hostnqn)) places.push_back(place_of(admin));
    associated.controller = std::make_unique<DiscoveryController>(
        subsystem_.config(), std::move(association), clock_, places);
  } else {
    associated.controller = std::make_unique<IoController>(subsystem_, std::move(association),
                                                           options_.in_capsule_bytes);
  }
  Controller* const controller = associated.controller.get();
  associations_.emplace(cntlid, std::move(associated));
  controller_count_ = static_cast<uint32_t>(associations_.size());
  return controller;
}

Controller* Server::find(uint16_t cntlid) {
  const auto found = associations_.find(cntlid);
  return found == associations_.end() ? nullptr : found->second.controller.get();
}

bool Server::has_queue(uint16_t cntlid, uint16_t qid) const {
  const auto found = associations_.find(cntlid);
  return found != associations_.end() &&
         std::ranges::any_of(found->second.io,
                             [&](const Connection* io) { return io->qid() == qid; });
}

void Server::join(Connection& io) { associations_.at(io.controller()->cntlid()).io.push_back(&io); }

void Server::detach(Connection& connection) {
  const auto found = associations_.find(connection.controller()->cntlid());
  // The admin queue went first, and takes all others with it.
  if (found == associations_.end()) return;
  if (connection.qid() != 0) {
    found->second.controller->close_queue(connection.qid());
    std::erase(found->second.io, &connection);
    return;
  }
  const Associated gone = std::move(found->second);
  associations_.erase(found);
  for (Connection* const io : gone.io) io->close();
  controller_count_ = static_cast<uint32_t>(associations_.size());
}

void Server::queues_gone(Connection& admin) {
  Associated& associated = associations_.at(admin.controller()->cntlid());
  const std::vector<Connection*> io = std::exchange(associated.io, {});
  for (Connection* const connection : io) connection->close();
  admin.forget_commands();
}

uint64_t Server::plant_fault(std::string_view match, std::string_view action) {
  Fault fault = parse_fault(match, action);
  const auto refuse = [](const char* why) { throw std::invalid_argument(why); };
  if (fault.action == FaultAction::kPhase) {
    refuse("action: phase: completions on a fabric have no phase bit");
  }
  if (fault.action == FaultAction::kDma) {
    refuse("action: dma: on a fabric the SSD does not reach the host's memory");
  }
  if (fault.action == FaultAction::kMistag && (fault.number("sqid") || fault.number("sqhd"))) {
    refuse("action: mistag: sqid and sqhd are the transport's on a fabric; cid is possible");
  }
  return subsystem_.faults().add(std::move(fault));
}

Server::Counts Server::counts() const {
  return {connection_count_.load(), controller_count_.load(), accepted_.load(),
          wire_faults_.left()};
}

}  // namespace pynvme::ssd::tcp
