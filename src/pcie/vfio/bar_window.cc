// Mappings change by MAP_FIXED over what is there, in one step for every other thread.
#include "pcie/vfio/bar_window.h"

#include <sys/mman.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <string>
#include <utility>

#include "base/log.h"

namespace pynvme::pcie::vfio {
namespace {

constexpr uint64_t kPage = 4096;

uint64_t whole_pages(uint64_t size) { return (size + kPage - 1) / kPage * kPage; }

}  // namespace

BarWindow::BarWindow(int fd, uint64_t fd_offset, uint64_t size, std::vector<Area> areas)
    : fd_(fd), fd_offset_(fd_offset), size_(whole_pages(size)), areas_(std::move(areas)) {
  void* const base =
      mmap(nullptr, size_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (base == MAP_FAILED) {
    throw std::runtime_error(std::string("no address space for a BAR: ") + std::strerror(errno));
  }
  base_ = static_cast<uint8_t*>(base);
  try {
    show();
  } catch (...) {
    munmap(base, size_);
    throw;
  }
}

BarWindow::~BarWindow() { munmap(const_cast<uint8_t*>(base_), size_); }

bool BarWindow::covers(uint64_t offset, uint64_t size) const {
  for (const Area& area : areas_) {
    if (offset >= area.offset && size <= area.size && offset - area.offset <= area.size - size) {
      return true;
    }
  }
  return false;
}

uint64_t BarWindow::read(uint64_t offset, unsigned size) const {
  const uint64_t value = size == 8 ? *reinterpret_cast<const volatile uint64_t*>(at(offset))
                                   : *reinterpret_cast<const volatile uint32_t*>(at(offset));
  // Asked for after the access: it may have met the memory that hide() puts there.
  if (hidden()) return size == 8 ? UINT64_MAX : UINT32_MAX;
  return value;
}

void BarWindow::write(uint64_t offset, uint64_t value, unsigned size) {
  if (hidden()) return;
  if (size == 8) {
    *reinterpret_cast<volatile uint64_t*>(at(offset)) = value;
  } else {
    *reinterpret_cast<volatile uint32_t*>(at(offset)) = static_cast<uint32_t>(value);
  }
}

void BarWindow::hide() {
  hidden_.store(true, std::memory_order_release);
  for (const Area& area : areas_) {
    void* const mapped =
        mmap(const_cast<uint8_t*>(at(area.offset)), whole_pages(area.size), PROT_READ | PROT_WRITE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
    if (mapped == MAP_FAILED) {  // the old mapping stays
      base::log(base::LogLevel::kError, "a BAR cannot be hidden: %s", std::strerror(errno));
    }
  }
}

void BarWindow::show() {
  for (const Area& area : areas_) {
    void* const mapped =
        mmap(const_cast<uint8_t*>(at(area.offset)), whole_pages(area.size), PROT_READ | PROT_WRITE,
             MAP_SHARED | MAP_FIXED, fd_, static_cast<off_t>(fd_offset_ + area.offset));
    if (mapped == MAP_FAILED) {
      throw std::runtime_error(std::string("a BAR cannot be mapped: ") + std::strerror(errno));
    }
  }
  hidden_.store(false, std::memory_order_release);
}

}  // namespace pynvme::pcie::vfio
