// Interrupt vectors as eventfds. VFIO sets MSI and MSI-X up itself and masks no vector of them for
// its user, so a masked vector is one whose eventfd is left unread: what arrives meanwhile is
// pending, and counts as one message when it is unmasked, as with PCI 3.0 §6.8.2's pending bit.
#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

namespace pynvme::pcie::vfio {

class EventfdVectors {
 public:
  static constexpr unsigned kMax = 2048;  // of an MSI-X table

  EventfdVectors() : vectors_(kMax) {}
  ~EventfdVectors();
  EventfdVectors(const EventfdVectors&) = delete;
  EventfdVectors& operator=(const EventfdVectors&) = delete;

  // Eventfds for the vectors 0 to count - 1, all unmasked, nothing counted. Fewer when they
  // would take more than half of the process's file descriptors; never none, that throws
  // std::runtime_error.
  std::vector<int> prepare(unsigned count);

  // Any thread; only the first `count` vectors of prepare() ever have anything.
  uint64_t take(unsigned vector);
  void mask(unsigned vector, bool masked);
  bool masked(unsigned vector) const;
  bool pending(unsigned vector) const;

 private:
  // A descriptor once made stays until the end: another thread may be reading it.
  struct Vector {
    std::atomic<int> fd{-1};
    std::atomic<bool> masked{false};
    std::atomic<bool> was_masked{false};
  };
  static bool pending_now(int fd);

  std::vector<Vector> vectors_;
};

}  // namespace pynvme::pcie::vfio
