// On a file in memory in the place of a device.
#include "pcie/vfio/bar_window.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>

#include <gtest/gtest.h>

#include "base/unique_fd.h"

namespace pynvme::pcie::vfio {
namespace {

class BarWindowTest : public testing::Test {
 protected:
  BarWindowTest() : file_(memfd_create("bar", MFD_CLOEXEC)) {
    EXPECT_EQ(ftruncate(file_.get(), 0x10000), 0);
  }
  void put(uint64_t offset, uint32_t value) {
    EXPECT_EQ(pwrite(file_.get(), &value, 4, static_cast<off_t>(offset)), 4);
  }
  uint32_t get(uint64_t offset) {
    uint32_t value = 0;
    EXPECT_EQ(pread(file_.get(), &value, 4, static_cast<off_t>(offset)), 4);
    return value;
  }

  base::UniqueFd file_;
};

TEST_F(BarWindowTest, ReadsAndWritesTheFileAtItsOffset) {
  put(0x8010, 0x12345678);
  BarWindow bar(file_.get(), 0x8000, 0x4000, {{0, 0x4000}});
  EXPECT_EQ(bar.read(0x10, 4), 0x12345678U);
  bar.write(0x18, 0xAABBCCDD11223344, 8);
  EXPECT_EQ(get(0x8018), 0x11223344U);
  EXPECT_EQ(get(0x801C), 0xAABBCCDDU);
}

TEST_F(BarWindowTest, CoversOnlyTheAreas) {
  const BarWindow bar(file_.get(), 0, 0x4000, {{0, 0x1000}, {0x3000, 0x1000}});
  EXPECT_TRUE(bar.covers(0xFFC, 4));
  EXPECT_FALSE(bar.covers(0xFFC, 8));
  EXPECT_FALSE(bar.covers(0x2000, 4));
  EXPECT_TRUE(bar.covers(0x3000, 0x1000));
  EXPECT_FALSE(bar.covers(0x4000, 4));
  EXPECT_FALSE(bar.covers(UINT64_MAX - 3, 4));
}

TEST_F(BarWindowTest, HiddenItReadsAllOnesAndWritesReachNobody) {
  put(0x1000, 5);
  BarWindow bar(file_.get(), 0, 0x2000, {{0, 0x2000}});
  auto* const doorbell = reinterpret_cast<volatile uint32_t*>(bar.at(0x1000));
  bar.hide();
  EXPECT_EQ(bar.read(0x1000, 4), UINT32_MAX);
  EXPECT_EQ(bar.read(0x1000, 8), UINT64_MAX);
  bar.write(0x1000, 7, 4);
  *doorbell = 8;  // by the plain pointer that a queue holds
  EXPECT_EQ(get(0x1000), 5U);
  bar.show();
  EXPECT_EQ(bar.read(0x1000, 4), 5U);
  *doorbell = 9;
  EXPECT_EQ(get(0x1000), 9U);
}

TEST_F(BarWindowTest, AnotherFileTakesThePlaceOfTheFirst) {
  BarWindow bar(file_.get(), 0, 0x2000, {{0, 0x2000}});
  auto* const doorbell = reinterpret_cast<volatile uint32_t*>(bar.at(0x1000));
  bar.hide();
  file_ = base::UniqueFd(memfd_create("bar again", MFD_CLOEXEC));
  ASSERT_EQ(ftruncate(file_.get(), 0x10000), 0);
  put(0x10, 6);
  bar.set_file(file_.get());
  bar.show();
  EXPECT_EQ(bar.read(0x10, 4), 6U);
  *doorbell = 10;  // the pointer from before
  EXPECT_EQ(get(0x1000), 10U);
}

}  // namespace
}  // namespace pynvme::pcie::vfio
