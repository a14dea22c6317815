// What VFIO answers besides its fixed structures: the chains of capabilities behind region and
// IOMMU information, and the list of functions that a hot reset takes along. From bytes only.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace pynvme::pcie::vfio {

// A piece of a region: [offset, offset + size).
struct Area {
  uint64_t offset = 0;
  uint64_t size = 0;
  bool operator==(const Area&) const = default;
};

// Device addresses that may be mapped, both ends inclusive.
struct IovaRange {
  uint64_t first = 0;
  uint64_t last = 0;
  bool operator==(const IovaRange&) const = default;
};

// A function that a hot reset would reset, too.
struct Dependent {
  std::string name;    // "0000:01:00.1"
  uint32_t group = 0;  // IOMMU group, or an identifier of the iommufd
  bool operator==(const Dependent&) const = default;
};

// Each takes the whole structure as the ioctl filled it in, from argsz on. A chain that leaves the
// structure or loops ends there.
//
// Where a region may be mapped: its sparse areas, or all of it. Empty without the MMAP flag.
std::vector<Area> mappable_areas(std::span<const uint8_t> region_info);
// Nothing where the kernel says nothing: then all addresses are taken as good.
std::vector<IovaRange> iova_ranges(std::span<const uint8_t> iommu_info);
std::optional<uint32_t> dma_mappings_left(std::span<const uint8_t> iommu_info);
std::vector<Dependent> hot_reset_dependents(std::span<const uint8_t> hot_reset_info);

// `areas` without the pages that `hole` touches.
std::vector<Area> without_pages(const std::vector<Area>& areas, const Area& hole);

}  // namespace pynvme::pcie::vfio
