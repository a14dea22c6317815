// Pages come from hugetlbfs through a memfd; /proc/self/pagemap tells where they are, to root only.
#include "pcie/huge_pages.h"

#include <fcntl.h>
#include <linux/memfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <numeric>
#include <stdexcept>
#include <string_view>

namespace pynvme::pcie {
namespace {

constexpr size_t kHugePage = 2ULL << 20;
constexpr size_t kSmallPage = 4096;
constexpr const char* kPool = "/sys/kernel/mm/hugepages/hugepages-2048kB/";
constexpr uint64_t kPagePresent = 1ULL << 63;
constexpr uint64_t kPageFrameMask = (1ULL << 55) - 1;  // Documentation/admin-guide/mm/pagemap.rst

size_t pool(const char* what) {
  std::ifstream file(std::string(kPool) + what);
  size_t pages = 0;
  file >> pages;
  return file ? pages : 0;
}

uint64_t physical_address(const void* memory) {
  const int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
  uint64_t entry = 0;
  const auto at = reinterpret_cast<uintptr_t>(memory) / kSmallPage * sizeof(entry);
  const bool read =
      fd >= 0 && pread(fd, &entry, sizeof(entry), static_cast<off_t>(at)) == sizeof(entry);
  if (fd >= 0) close(fd);
  // The kernel shows frame 0 to those who may not know.
  if (!read || (entry & kPagePresent) == 0 || (entry & kPageFrameMask) == 0) {
    throw std::runtime_error(
        "no DMA memory: physical addresses are told to root only (/proc/self/pagemap, "
        "CAP_SYS_ADMIN), and a device without an IOMMU needs them");
  }
  return (entry & kPageFrameMask) * kSmallPage;
}

// Huge pages mapped in any order, and their physical addresses.
struct Taken {
  int fd = -1;
  size_t count = 0;
  uint8_t* data = nullptr;
  std::vector<uint64_t> addresses;
};

Taken take(size_t count) {
  Taken taken;
  taken.count = count;
  const size_t size = count * kHugePage;
  taken.fd = memfd_create("pynvme-dma-huge", MFD_CLOEXEC | MFD_HUGETLB | MFD_HUGE_2MB);
  void* data = MAP_FAILED;
  if (taken.fd >= 0 && ftruncate(taken.fd, static_cast<off_t>(size)) == 0) {
    // The mapping reserves the pages, so touching them cannot fail.
    data = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, taken.fd, 0);
  }
  if (data == MAP_FAILED) {
    const int error = errno;
    if (taken.fd >= 0) close(taken.fd);
    throw std::runtime_error("no DMA memory: " + std::to_string(count) +
                             " huge pages are not to be had (" + std::strerror(error) + "), " +
                             huge_pages_missing());
  }
  taken.data = static_cast<uint8_t*>(data);
  try {
    for (size_t i = 0; i < count; ++i) {
      auto* const page = taken.data + i * kHugePage;
      *static_cast<volatile uint8_t*>(page) = 0;
      taken.addresses.push_back(physical_address(page));
    }
  } catch (...) {
    munmap(data, size);
    close(taken.fd);
    throw;
  }
  return taken;
}

// Maps the pages once more, in their physical order.
PhysicalRun arrange(const Taken& taken, const std::vector<size_t>& pages) {
  PhysicalRun run{nullptr, pages.size() * kHugePage, taken.addresses[pages.front()], {}};
  // Aligned to a huge page, as a hugetlb mapping has to be.
  void* const space = mmap(nullptr, run.size + kHugePage, PROT_NONE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (space == MAP_FAILED) throw std::runtime_error("no address space for DMA memory");
  const auto begin = (reinterpret_cast<uintptr_t>(space) + kHugePage - 1) / kHugePage * kHugePage;
  run.data = static_cast<uint8_t*>(space) + (begin - reinterpret_cast<uintptr_t>(space));
  for (size_t i = 0; i < pages.size(); ++i) {
    const uint64_t offset = pages[i] * kHugePage;
    if (mmap(run.data + i * kHugePage, kHugePage, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
             taken.fd, static_cast<off_t>(offset)) == MAP_FAILED) {
      throw std::runtime_error(std::string("huge pages cannot be put in order: ") +
                               std::strerror(errno));
    }
    if (!run.pieces.empty() && run.pieces.back().offset + run.pieces.back().size == offset) {
      run.pieces.back().size += kHugePage;
    } else {
      run.pieces.push_back({taken.fd, offset, kHugePage});
    }
  }
  return run;
}

}  // namespace

bool huge_pages_wanted() {
  const char* const value = std::getenv("PYNVME_ALLOW_NO_IOMMU");
  return value != nullptr && std::string_view(value) == "1";
}

size_t huge_pages_free() { return pool("free_hugepages") * kHugePage; }

std::string huge_pages_missing() {
  return "this process has no huge pages to give it: " + std::to_string(pool("free_hugepages")) +
         " of " + std::to_string(pool("nr_hugepages")) +
         " pages of 2 MiB are free. Reserve 64 (`echo 64 | "
         "sudo tee " +
         kPool + "nr_hugepages`), and set PYNVME_ALLOW_NO_IOMMU=1 before python starts";
}

std::vector<std::vector<size_t>> contiguous_runs(const std::vector<uint64_t>& addresses,
                                                 size_t page_size) {
  std::vector<size_t> order(addresses.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(),
            [&](size_t a, size_t b) { return addresses[a] < addresses[b]; });
  std::vector<std::vector<size_t>> runs;
  for (const size_t page : order) {
    if (runs.empty() || addresses[runs.back().back()] + page_size != addresses[page]) {
      runs.emplace_back();
    }
    runs.back().push_back(page);
  }
  return runs;
}

std::vector<PhysicalRun> take_huge_pages(size_t bytes, size_t run_bytes) {
  size_t count = (std::max(bytes, run_bytes) + kHugePage - 1) / kHugePage;
  const size_t needed = (run_bytes + kHugePage - 1) / kHugePage;
  count = std::max(std::min(count, huge_pages_free() / kHugePage), needed);
  while (true) {
    const Taken taken = take(count);
    const auto runs = contiguous_runs(taken.addresses, kHugePage);
    size_t longest = 0;
    for (const auto& run : runs) longest = std::max(longest, run.size());
    std::vector<PhysicalRun> arranged;
    if (longest >= needed) {
      for (const auto& run : runs) arranged.push_back(arrange(taken, run));
    }
    munmap(taken.data, taken.count * kHugePage);
    if (!arranged.empty()) return arranged;
    close(taken.fd);
    const size_t all = huge_pages_free() / kHugePage;
    if (count >= all) {
      throw std::runtime_error(
          "no DMA memory: of " + std::to_string(count) + " huge pages at most " +
          std::to_string(longest * kHugePage >> 20) + " MiB lie together, and " +
          std::to_string(run_bytes) +
          " bytes are needed in one piece. Reserve huge pages right after the machine starts "
          "(kernel command line: hugepages=512), or use smaller buffers and queues");
    }
    count = std::min(all, count * 2);
  }
}

}  // namespace pynvme::pcie
