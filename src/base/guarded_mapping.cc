// The signal handler finds the mapping in a table of atomics, takes no lock, and puts anonymous
// memory in the mapping's place (the whole of it: huge pages cannot be replaced by halves).
#include "base/guarded_mapping.h"

#include <sys/mman.h>
#include <sys/stat.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <mutex>
#include <system_error>

namespace pynvme::base {
namespace {

constexpr uint64_t kPage = 4096;

struct Slot {
  std::atomic<uint8_t*> begin{nullptr};  // null: free
  std::atomic<uint8_t*> end{nullptr};
  std::atomic<bool> broken{false};
};
// As many as a process may map files before it runs into other limits.
std::array<Slot, 16384> slots;
std::atomic<unsigned> slots_used{0};
std::atomic<bool> broken_once{false};
std::mutex mutex;
struct sigaction before;

void on_bus_error(int signal, siginfo_t* info, void* context) {
  const int saved_errno = errno;
  const auto* const address = static_cast<const uint8_t*>(info->si_addr);
  const unsigned used = slots_used.load(std::memory_order_acquire);
  for (unsigned i = 0; i < used; ++i) {
    Slot& slot = slots[i];
    uint8_t* const begin = slot.begin.load(std::memory_order_acquire);
    uint8_t* const end = slot.end.load(std::memory_order_acquire);
    if (begin == nullptr || address < begin || address >= end) continue;
    void* const zeroes = mmap(begin, static_cast<size_t>(end - begin), PROT_READ | PROT_WRITE,
                              MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (zeroes == MAP_FAILED) break;
    slot.broken.store(true, std::memory_order_release);
    broken_once.store(true, std::memory_order_release);
    errno = saved_errno;
    return;
  }
  errno = saved_errno;
  if ((before.sa_flags & SA_SIGINFO) != 0 && before.sa_sigaction != nullptr) {
    before.sa_sigaction(signal, info, context);
  } else if (before.sa_handler != SIG_DFL && before.sa_handler != SIG_IGN) {
    before.sa_handler(signal);
  } else {
    // The instruction faults again, and the process ends as it would have.
    std::signal(SIGBUS, SIG_DFL);
  }
}

void watch_bus_errors() {
  static bool watching = false;
  if (watching) return;
  struct sigaction action {};
  action.sa_sigaction = on_bus_error;
  action.sa_flags = SA_SIGINFO | SA_NODEFER;
  sigemptyset(&action.sa_mask);
  if (sigaction(SIGBUS, &action, &before) != 0) {
    throw std::system_error(errno, std::generic_category(), "sigaction(SIGBUS)");
  }
  watching = true;
}

[[noreturn]] void refuse(int error, const char* why) {
  throw std::system_error(error, std::generic_category(), why);
}

}  // namespace

GuardedMapping::GuardedMapping(int fd, uint64_t offset, uint64_t size, bool writable, void* place)
    : size_(size), placed_(place != nullptr) {
  struct stat file {};
  if (fstat(fd, &file) != 0) refuse(errno, "fstat of a file to map");
  if (!S_ISREG(file.st_mode)) refuse(EINVAL, "what is to be mapped is no regular file");
  const auto bytes = static_cast<uint64_t>(file.st_size);
  if (size == 0 || (offset | size) % kPage != 0 || size > bytes || offset > bytes - size) {
    refuse(EINVAL, "a file to map does not have the range, or it is not of whole pages");
  }
  const std::lock_guard guard(mutex);
  watch_bus_errors();
  while (slot_ < slots.size() && slots[slot_].begin.load(std::memory_order_relaxed) != nullptr)
    ++slot_;
  if (slot_ == slots.size()) refuse(ENOSPC, "too many mappings");
  const int kind = (writable ? MAP_SHARED : MAP_PRIVATE) | (placed_ ? MAP_FIXED : 0);
  void* const mapped =
      mmap(place, size, PROT_READ | PROT_WRITE, kind, fd, static_cast<off_t>(offset));
  if (mapped == MAP_FAILED) refuse(errno, "mmap");
  data_ = static_cast<uint8_t*>(mapped);
  Slot& slot = slots[slot_];
  slot.broken.store(false, std::memory_order_relaxed);
  slot.end.store(data_ + size, std::memory_order_relaxed);
  slot.begin.store(data_, std::memory_order_release);
  if (slot_ >= slots_used.load(std::memory_order_relaxed)) {
    slots_used.store(slot_ + 1, std::memory_order_release);
  }
}

GuardedMapping::~GuardedMapping() {
  const std::lock_guard guard(mutex);
  slots[slot_].begin.store(nullptr, std::memory_order_release);
  if (placed_) {
    static_cast<void>(
        mmap(data_, size_, PROT_READ | PROT_WRITE, MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  } else {
    munmap(data_, size_);
  }
}

bool GuardedMapping::any_broken() noexcept { return broken_once.load(std::memory_order_acquire); }

bool GuardedMapping::broken() const noexcept {
  return slots[slot_].broken.load(std::memory_order_acquire);
}

}  // namespace pynvme::base
