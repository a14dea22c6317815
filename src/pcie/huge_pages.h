// Memory for devices without an IOMMU: huge pages, which the kernel does not move, sorted by their
// physical addresses into pieces that are contiguous for the process and for the device alike.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace pynvme::pcie {

struct FilePiece {
  int fd;
  uint64_t offset;
  size_t size;
};

struct PhysicalRun {
  uint8_t* data;
  size_t size;
  uint64_t address;  // physical
  std::vector<FilePiece> pieces;
};

// The environment allows devices without an IOMMU (PYNVME_ALLOW_NO_IOMMU=1).
bool huge_pages_wanted();
// Bytes that are free of the kernel's pool of 2 MiB pages.
size_t huge_pages_free();
// "this process has no huge pages ...", and what to do.
std::string huge_pages_missing();

// Takes about `bytes` from the pool, more until one run has `run_bytes`. Throws std::runtime_error.
std::vector<PhysicalRun> take_huge_pages(size_t bytes, size_t run_bytes);

// Which pages, by their physical addresses, lie one behind another: each run lists indices of
// `addresses`.
std::vector<std::vector<size_t>> contiguous_runs(const std::vector<uint64_t>& addresses,
                                                 size_t page_size);

}  // namespace pynvme::pcie
