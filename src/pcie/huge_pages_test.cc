#include "pcie/huge_pages.h"

#include <vector>

#include <gtest/gtest.h>

namespace pynvme::pcie {
namespace {

using Runs = std::vector<std::vector<size_t>>;

TEST(HugePages, ContiguousRunsAreInPhysicalOrder) {
  const size_t page = 0x200000;
  EXPECT_EQ(contiguous_runs({0x600000, 0x200000, 0x400000, 0x1000000}, page),
            (Runs{{1, 2, 0}, {3}}));
  EXPECT_EQ(contiguous_runs({0x800000, 0x400000}, page), (Runs{{1}, {0}}));
  EXPECT_EQ(contiguous_runs({}, page), Runs{});
}

}  // namespace
}  // namespace pynvme::pcie
