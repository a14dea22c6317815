// PRPs worked out by hand from NVMe Base 2.0 §4.1.1.
#include "driver/prp.h"

#include <vector>

#include <gtest/gtest.h>

#include "driver/errors.h"

namespace pynvme::driver {
namespace {

constexpr uint64_t kList = 0x9'0000'0000;

struct Built {
  explicit Built(uint64_t iova, size_t size)
      : memory(prp_list_pages(iova, size) * kPrpsPerPage, 0xDEAD),
        prp(build_prp(iova, size, {memory.data(), kList, prp_list_pages(iova, size)})) {}
  std::vector<uint64_t> memory;
  PrpPair prp;
};

TEST(PrpTest, NothingToTransferHasNoPointers) {
  const Built built(0x1000, 0);
  EXPECT_EQ(built.prp.prp1, 0U);
  EXPECT_EQ(built.prp.prp2, 0U);
}

TEST(PrpTest, OneAndTwoPagesNeedNoList) {
  struct Case {
    uint64_t iova;
    size_t size;
    uint64_t prp2;
  };
  for (const Case c :
       {Case{0x1'0000'0000, 512, 0}, Case{0x1'0000'0000, 4096, 0}, Case{0x1'0000'0E00, 512, 0},
        Case{0x1'0000'0E04, 512, 0x1'0000'1000}, Case{0x1'0000'0FFC, 8, 0x1'0000'1000},
        Case{0x1'0000'0000, 4100, 0x1'0000'1000}, Case{0x1'0000'0000, 8192, 0x1'0000'1000},
        Case{0x1'0000'0010, 8176, 0x1'0000'1000}}) {
    EXPECT_EQ(prp_list_pages(c.iova, c.size), 0U);
    const Built built(c.iova, c.size);
    EXPECT_EQ(built.prp.prp1, c.iova);
    EXPECT_EQ(built.prp.prp2, c.prp2) << std::hex << c.iova << " " << c.size;
  }
}

TEST(PrpTest, ThreePagesNeedAList) {
  const Built built(0x1'0000'0010, 8192);  // one byte run over two page ends
  EXPECT_EQ(built.prp.prp1, 0x1'0000'0010U);
  EXPECT_EQ(built.prp.prp2, kList);
  EXPECT_EQ(built.memory[0], 0x1'0000'1000U);
  EXPECT_EQ(built.memory[1], 0x1'0000'2000U);
  EXPECT_EQ(built.memory[2], 0xDEADU);
}

TEST(PrpTest, AFullListPageHasNoLink) {
  // 513 pages: PRP1 and 512 entries.
  const Built built(0x1'0000'0000, 513 * 4096);
  ASSERT_EQ(built.memory.size(), 512U);
  EXPECT_EQ(built.memory[0], 0x1'0000'1000U);
  EXPECT_EQ(built.memory[511], 0x1'0000'0000U + 512 * 4096);
}

TEST(PrpTest, OneEntryMoreGoesToAChainedPage) {
  // 514 pages: PRP1, 511 entries, a link, 2 entries.
  const Built built(0x1'0000'0000, 513 * 4096 + 4);
  ASSERT_EQ(built.memory.size(), 1024U);
  EXPECT_EQ(built.memory[510], 0x1'0000'0000U + 511 * 4096);
  EXPECT_EQ(built.memory[511], kList + 4096);
  EXPECT_EQ(built.memory[512], 0x1'0000'0000U + 512 * 4096);
  EXPECT_EQ(built.memory[513], 0x1'0000'0000U + 513 * 4096);
  EXPECT_EQ(built.memory[514], 0xDEADU);
}

// Follows the pointers as a controller does.
std::vector<uint64_t> walk(const Built& built, uint64_t iova, size_t size) {
  std::vector<uint64_t> pages{built.prp.prp1};
  size_t left = size - std::min<size_t>(size, 4096 - iova % 4096);
  if (left == 0) return pages;
  if (left <= 4096) {
    pages.push_back(built.prp.prp2);
    return pages;
  }
  size_t at = 0;
  while (left != 0) {
    const bool link = at % 512 == 511 && left > 4096;
    if (link) {
      EXPECT_EQ(built.memory[at], kList + (at + 1) * 8);
    } else {
      pages.push_back(built.memory[at]);
      left -= std::min<size_t>(left, 4096);
    }
    ++at;
  }
  EXPECT_EQ((at + 511) / 512 * 512, built.memory.size());
  return pages;
}

TEST(PrpTest, AControllerFindsEveryPageOfAnyTransfer) {
  for (const uint64_t offset : {0U, 4U, 512U, 2048U, 4092U}) {
    const uint64_t iova = 0x2'0000'0000 + offset;
    for (const size_t pages :
         {1U, 2U, 3U, 32U, 511U, 512U, 513U, 514U, 1023U, 1024U, 1025U, 1536U}) {
      for (const size_t extra : {0U, 4U, 4092U}) {
        const size_t size = pages * 4096 - offset + extra;
        const Built built(iova, size);
        const auto found = walk(built, iova, size);
        ASSERT_EQ(found.size(), (offset + size + 4095) / 4096);
        for (size_t i = 1; i < found.size(); ++i) {
          ASSERT_EQ(found[i], 0x2'0000'0000 + i * 4096) << offset << " " << size;
        }
      }
    }
  }
}

TEST(PrpTest, RefusesAnOddAddressAndAShortList) {
  EXPECT_THROW(build_prp(0x1002, 512, {}), InvalidArgument);
  uint64_t page[kPrpsPerPage];
  EXPECT_THROW(build_prp(0x1000, 3 * 4096, {}), InvalidArgument);
  EXPECT_THROW(build_prp(0x1000, 514 * 4096, {page, kList, 1}), InvalidArgument);
}

TEST(PrpTableTest, PicksByLength) {
  PrpTable table(0x1'0000'0000, 131072, 131072, 4);
  const uint64_t base = 0x1'0000'0000 + 2 * 131072;
  EXPECT_EQ(table.get(2, 512).prp1, base);
  EXPECT_EQ(table.get(2, 4096).prp2, 0U);
  EXPECT_EQ(table.get(2, 4608).prp2, base + 4096);
  EXPECT_EQ(table.get(2, 8192).prp2, base + 4096);
  const uint64_t list = table.get(2, 12288).prp2;
  EXPECT_EQ(list % 4096, 0U);
  EXPECT_EQ(table.get(2, 131072).prp2, list);
  EXPECT_NE(table.get(1, 131072).prp2, list);
}

TEST(PrpTableTest, ChainsWhereOnePageIsNotEnough) {
  constexpr size_t kBytes = 600 * 4096;
  PrpTable table(0x1'0000'0000, kBytes, kBytes, 2);
  const PrpPair large = table.get(1, kBytes);
  EXPECT_EQ(large.prp1, 0x1'0000'0000U + kBytes);
  EXPECT_EQ(table.get(1, 513 * 4096).prp2, large.prp2);
  EXPECT_EQ(table.get(1, 8192).prp2, 0x1'0000'0000U + kBytes + 4096);
}

TEST(PrpTableTest, WantsPageAlignedBuffers) {
  EXPECT_THROW(PrpTable(0x1'0000'0200, 4096, 4096, 1), InvalidArgument);
  EXPECT_THROW(PrpTable(0x1'0000'0000, 512, 512, 2), InvalidArgument);
}

}  // namespace
}  // namespace pynvme::driver
