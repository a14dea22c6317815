// A BAR mapped into the process: one piece of address space as long as the BAR, with device memory
// where the kernel lets it be mapped. It can be hidden, so that accesses by plain pointers go into
// ordinary memory instead: the kernel answers an access to a device that is asleep, has its memory
// space off, or is gone with SIGBUS.
#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

#include "pcie/vfio/capability.h"

namespace pynvme::pcie::vfio {

class BarWindow {
 public:
  // Of a file whose bytes from `fd_offset` on are the BAR. Throws std::runtime_error.
  BarWindow(int fd, uint64_t fd_offset, uint64_t size, std::vector<Area> areas);
  ~BarWindow();
  BarWindow(const BarWindow&) = delete;
  BarWindow& operator=(const BarWindow&) = delete;

  // Whether [offset, offset + size) is mapped as a whole.
  bool covers(uint64_t offset, uint64_t size) const;
  // Valid where covered; stays valid while hidden.
  volatile uint8_t* at(uint64_t offset) const { return base_ + offset; }

  // Covered, naturally aligned, 4 or 8 bytes; all ones while hidden.
  uint64_t read(uint64_t offset, unsigned size) const;
  void write(uint64_t offset, uint64_t value, unsigned size);

  void hide();
  void show();  // throws std::runtime_error
  // The device is back under another file. Only while hidden; show() comes next.
  void set_file(int fd) { fd_ = fd; }
  bool hidden() const { return hidden_.load(std::memory_order_acquire); }

 private:
  int fd_;
  const uint64_t fd_offset_;
  const uint64_t size_;
  const std::vector<Area> areas_;
  volatile uint8_t* base_ = nullptr;
  std::atomic<bool> hidden_{true};
};

}  // namespace pynvme::pcie::vfio
