// Every offset is checked against the bytes that are there: the kernel is trusted, the arithmetic
// is not.
#include "pcie/vfio/capability.h"

#include <linux/vfio.h>

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <cstring>

namespace pynvme::pcie::vfio {
namespace {

constexpr uint64_t kPage = 4096;
constexpr size_t kMaxCapabilities = 64;

// False when it is not all there.
template <typename T>
bool read(std::span<const uint8_t> bytes, size_t offset, T* value) {
  if (offset > bytes.size() || bytes.size() - offset < sizeof(T)) return false;
  std::memcpy(value, bytes.data() + offset, sizeof(T));
  return true;
}

// The capability from its header on; empty when it is not in the chain.
std::span<const uint8_t> find(std::span<const uint8_t> info, uint32_t first, uint16_t id) {
  uint32_t offset = first;
  for (size_t count = 0; offset != 0 && count < kMaxCapabilities; ++count) {
    vfio_info_cap_header header{};
    if (!read(info, offset, &header)) break;
    if (header.id == id) return info.subspan(offset);
    offset = header.next;
  }
  return {};
}

std::span<const uint8_t> find_in_iommu_info(std::span<const uint8_t> info, uint16_t id) {
  vfio_iommu_type1_info fixed{};
  if (!read(info, 0, &fixed) || (fixed.flags & VFIO_IOMMU_INFO_CAPS) == 0) return {};
  return find(info, fixed.cap_offset, id);
}

}  // namespace

std::vector<Area> mappable_areas(std::span<const uint8_t> region_info) {
  vfio_region_info fixed{};
  if (!read(region_info, 0, &fixed) || (fixed.flags & VFIO_REGION_INFO_FLAG_MMAP) == 0) return {};
  std::span<const uint8_t> sparse;
  if ((fixed.flags & VFIO_REGION_INFO_FLAG_CAPS) != 0) {
    sparse = find(region_info, fixed.cap_offset, VFIO_REGION_INFO_CAP_SPARSE_MMAP);
  }
  vfio_region_info_cap_sparse_mmap head;
  if (!read(sparse, 0, &head)) return {{0, fixed.size}};
  std::vector<Area> areas;
  for (uint32_t i = 0; i < head.nr_areas; ++i) {
    vfio_region_sparse_mmap_area area{};
    if (!read(sparse, sizeof(head) + i * sizeof(area), &area)) break;
    if (area.size == 0 || area.size > fixed.size || area.offset > fixed.size - area.size) continue;
    areas.push_back({area.offset, area.size});
  }
  return areas;
}

std::vector<IovaRange> iova_ranges(std::span<const uint8_t> iommu_info) {
  const auto bytes = find_in_iommu_info(iommu_info, VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE);
  vfio_iommu_type1_info_cap_iova_range head;
  std::vector<IovaRange> ranges;
  if (!read(bytes, 0, &head)) return ranges;
  for (uint32_t i = 0; i < head.nr_iovas; ++i) {
    vfio_iova_range range{};
    if (!read(bytes, sizeof(head) + i * sizeof(range), &range)) break;
    ranges.push_back({range.start, range.end});
  }
  return ranges;
}

std::optional<uint32_t> dma_mappings_left(std::span<const uint8_t> iommu_info) {
  vfio_iommu_type1_info_dma_avail capability{};
  const auto bytes = find_in_iommu_info(iommu_info, VFIO_IOMMU_TYPE1_INFO_DMA_AVAIL);
  if (!read(bytes, 0, &capability)) return std::nullopt;
  return capability.avail;
}

std::vector<Dependent> hot_reset_dependents(std::span<const uint8_t> hot_reset_info) {
  vfio_pci_hot_reset_info head;
  std::vector<Dependent> found;
  if (!read(hot_reset_info, 0, &head)) return found;
  for (uint32_t i = 0; i < head.count; ++i) {
    vfio_pci_dependent_device device{};
    if (!read(hot_reset_info, sizeof(head) + i * sizeof(device), &device)) break;
    char name[32];
    std::snprintf(name, sizeof(name), "%04x:%02x:%02x.%x", device.segment, device.bus,
                  device.devfn >> 3, device.devfn & 7);
    found.push_back({name, device.group_id});
  }
  return found;
}

std::vector<Area> without_pages(const std::vector<Area>& areas, const Area& hole) {
  if (hole.size == 0) return areas;
  const uint64_t begin = hole.offset / kPage * kPage;
  const uint64_t end = (hole.offset + hole.size + kPage - 1) / kPage * kPage;
  std::vector<Area> left;
  for (const Area& area : areas) {
    const uint64_t area_end = area.offset + area.size;
    if (area.offset < begin) {
      left.push_back({area.offset, std::min(area_end, begin) - area.offset});
    }
    if (area_end > end) {
      const uint64_t from = std::max(area.offset, end);
      left.push_back({from, area_end - from});
    }
  }
  return left;
}

}  // namespace pynvme::pcie::vfio
