#include "pcie/vfio/interrupts.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <string>

namespace pynvme::pcie::vfio {

EventfdVectors::~EventfdVectors() {
  for (const auto& vector : vectors_) {
    if (vector.fd >= 0) close(vector.fd);
  }
}

std::vector<int> EventfdVectors::prepare(unsigned count) {
  // Descriptors of the process are for its files, too.
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY) {
    count = static_cast<unsigned>(std::min<rlim_t>(count, std::max<rlim_t>(limit.rlim_cur / 2, 1)));
  }
  std::vector<int> fds;
  for (unsigned i = 0; i < std::min(count, kMax); ++i) {
    auto& vector = vectors_[i];
    if (vector.fd < 0) {
      const int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
      if (fd < 0) break;
      vector.fd = fd;
    }
    vector.masked = false;
    vector.was_masked = false;
    take(i);
    fds.push_back(vector.fd);
  }
  if (fds.empty()) throw std::runtime_error(std::string("no eventfd: ") + std::strerror(errno));
  return fds;
}

uint64_t EventfdVectors::take(unsigned vector) {
  if (vector >= vectors_.size()) return 0;
  auto& one = vectors_[vector];
  const int fd = one.fd.load(std::memory_order_acquire);
  uint64_t count = 0;
  if (fd < 0 || one.masked.load(std::memory_order_acquire)) return 0;
  if (read(fd, &count, sizeof(count)) != sizeof(count)) return 0;
  // However many came while it was masked, the pending bit is one bit.
  if (one.was_masked.exchange(false)) return 1;
  return count;
}

void EventfdVectors::mask(unsigned vector, bool masked) {
  if (vector >= vectors_.size()) return;
  auto& one = vectors_[vector];
  if (one.masked.exchange(masked) && !masked) one.was_masked = pending_now(one.fd);
}

bool EventfdVectors::masked(unsigned vector) const {
  return vector < vectors_.size() && vectors_[vector].masked;
}

bool EventfdVectors::pending(unsigned vector) const {
  return masked(vector) && pending_now(vectors_[vector].fd);
}

bool EventfdVectors::pending_now(int fd) {
  pollfd one{fd, POLLIN, 0};
  return fd >= 0 && poll(&one, 1, 0) == 1;
}

}  // namespace pynvme::pcie::vfio
