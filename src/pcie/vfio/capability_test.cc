// Answers of the kernel written out as bytes, and such as no kernel gives.
#include "pcie/vfio/capability.h"

#include <cstdint>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace pynvme::pcie::vfio {
namespace {

// Little-endian words of 32 bits.
std::vector<uint8_t> words(const std::vector<uint32_t>& values) {
  std::vector<uint8_t> bytes;
  for (const uint32_t value : values) {
    for (int shift = 0; shift < 32; shift += 8)
      bytes.push_back(static_cast<uint8_t>(value >> shift));
  }
  return bytes;
}

// struct vfio_region_info: argsz, flags, index, cap_offset, size, offset.
std::vector<uint32_t> region(uint32_t flags, uint32_t cap_offset, uint32_t size) {
  return {0x20, flags, 0, cap_offset, size, 0, 0, 0};
}
// struct vfio_iommu_type1_info: argsz, flags, iova_pgsizes, cap_offset, padding.
std::vector<uint32_t> iommu(uint32_t flags, uint32_t cap_offset) {
  return {0x18, flags, 0x1000, 0, cap_offset, 0};
}
std::vector<uint8_t> joined(std::vector<uint32_t> head, const std::vector<uint32_t>& tail) {
  head.insert(head.end(), tail.begin(), tail.end());
  return words(head);
}

TEST(VfioRegion, WithoutCapabilitiesAllOfItIsMappable) {
  EXPECT_EQ(mappable_areas(words(region(7, 0, 0x4000))), (std::vector<Area>{{0, 0x4000}}));
}

TEST(VfioRegion, WithoutTheFlagNothingIs) {
  EXPECT_TRUE(mappable_areas(words(region(3, 0, 0x4000))).empty());
  EXPECT_TRUE(mappable_areas({}).empty());
}

TEST(VfioRegion, SparseAreasBehindAnotherCapability) {
  // MSIX_MAPPABLE (id 3) at 20h, then SPARSE_MMAP (id 1) at 28h with two areas.
  const auto info = joined(region(15, 0x20, 0x8000), {0x0001'0003, 0x28,     //
                                                      0x0001'0001, 0, 2, 0,  //
                                                      0x1000, 0, 0x1000, 0,  //
                                                      0x4000, 0, 0x4000, 0});
  EXPECT_EQ(mappable_areas(info), (std::vector<Area>{{0x1000, 0x1000}, {0x4000, 0x4000}}));
}

TEST(VfioRegion, AreasThatLeaveTheRegionOrTheAnswerAreDropped) {
  const auto info = joined(region(15, 0x20, 0x2000), {0x0001'0001, 0, 3, 0,    //
                                                      0x1000, 0, 0x2000, 0,    // ends behind it
                                                      0x1000, 0, 0x1000, 0});  // the third: missing
  EXPECT_EQ(mappable_areas(info), (std::vector<Area>{{0x1000, 0x1000}}));
}

TEST(VfioRegion, AChainThatLoopsOrLeavesTheAnswerEnds) {
  EXPECT_EQ(mappable_areas(joined(region(15, 0x20, 0x2000), {0x0001'0009, 0x20})),
            (std::vector<Area>{{0, 0x2000}}));
  EXPECT_EQ(mappable_areas(joined(region(15, 0x20, 0x2000), {0x0001'0009, 0xFFFF'FFF0})),
            (std::vector<Area>{{0, 0x2000}}));
}

TEST(VfioIommu, RangesAndMappingsLeft) {
  // IOVA_RANGE (id 1) at 18h with two ranges, DMA_AVAIL (id 3) at 48h.
  const auto info = joined(iommu(3, 0x18), {0x0001'0001, 0x48, 2, 0,            //
                                            0, 0, 0xFEDF'FFFF, 0,               //
                                            0xFEF0'0000, 0, 0xFFFF'FFFF, 0x7F,  //
                                            0x0001'0003, 0, 65535});
  EXPECT_EQ(iova_ranges(info),
            (std::vector<IovaRange>{{0, 0xFEDF'FFFF}, {0xFEF0'0000, 0x7F'FFFF'FFFF}}));
  EXPECT_EQ(dma_mappings_left(info), 65535U);
}

TEST(VfioIommu, AnOldKernelSaysNothing) {
  const auto info = words(iommu(1, 0));
  EXPECT_TRUE(iova_ranges(info).empty());
  EXPECT_FALSE(dma_mappings_left(info));
  EXPECT_FALSE(dma_mappings_left({}));
}

TEST(VfioHotReset, NamesWhoIsResetToo) {
  // argsz, flags, count; then group, and segment, bus, devfn.
  const auto info = words({0x1C, 0, 2, 12, 0x0001'0000, 13, 0x0A02'0001});
  EXPECT_EQ(hot_reset_dependents(info),
            (std::vector<Dependent>{{"0000:01:00.0", 12}, {"0001:02:01.2", 13}}));
  EXPECT_TRUE(hot_reset_dependents(words({0x0C, 0, 5})).empty());
}

TEST(VfioAreas, TheMsixTableIsCutOutByPages) {
  const std::vector<Area> all{{0, 0x5000}};
  EXPECT_EQ(without_pages(all, {0x2100, 0x410}),
            (std::vector<Area>{{0, 0x2000}, {0x3000, 0x2000}}));
  EXPECT_EQ(without_pages(all, {0x4000, 0x1000}), (std::vector<Area>{{0, 0x4000}}));
  EXPECT_EQ(without_pages(all, {0, 0x10}), (std::vector<Area>{{0x1000, 0x4000}}));
  EXPECT_EQ(without_pages(all, {0, 0}), all);
  EXPECT_EQ(without_pages({{0, 0x1000}, {0x3000, 0x1000}}, {0x1000, 0x1000}),
            (std::vector<Area>{{0, 0x1000}, {0x3000, 0x1000}}));
}

}  // namespace
}  // namespace pynvme::pcie::vfio
