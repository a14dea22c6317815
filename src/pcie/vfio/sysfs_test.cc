// Directory trees as the kernel lays them out.
#include "pcie/vfio/sysfs.h"

#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace pynvme::pcie::vfio {
namespace {

namespace fs = std::filesystem;

class SysfsTest : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/pynvme-sysfs-XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    root_ = name;
    fs::create_directories(root_ / "devices/0000:01:00.0");
  }
  void TearDown() override { fs::remove_all(root_); }

  void link(const std::string& name, const std::string& target) {
    fs::create_directories(root_ / target);
    fs::create_directory_symlink(root_ / target, root_ / "devices/0000:01:00.0" / name);
  }
  void write(const std::string& name, const std::string& text) {
    std::ofstream(root_ / name) << text;
  }
  std::optional<SysfsFunction> read() {
    return read_sysfs_function("0000:01:00.0", (root_ / "devices").string());
  }

  fs::path root_;
};

TEST_F(SysfsTest, AFunctionWithDriverAndGroup) {
  link("driver", "drivers/vfio-pci");
  link("iommu_group", "groups/12");
  fs::create_directories(root_ / "groups/12/devices/0000:01:00.1");
  fs::create_directories(root_ / "groups/12/devices/0000:01:00.0");
  fs::create_directories(root_ / "devices/0000:01:00.0/vfio-dev/vfio3");
  const auto function = read();
  ASSERT_TRUE(function);
  EXPECT_EQ(function->driver, "vfio-pci");
  EXPECT_EQ(function->group, "12");
  EXPECT_FALSE(function->no_iommu);
  EXPECT_EQ(function->group_members, (std::vector<std::string>{"0000:01:00.0", "0000:01:00.1"}));
  EXPECT_EQ(function->vfio_device, "vfio3");
  EXPECT_EQ(function->uio_device, "");
}

TEST_F(SysfsTest, AGroupMadeUpByVfioIsKnownByItsName) {
  link("iommu_group", "groups/0");
  write("groups/0/name", "vfio-noiommu\n");
  const auto function = read();
  ASSERT_TRUE(function);
  EXPECT_TRUE(function->no_iommu);
  EXPECT_EQ(function->driver, "");
}

TEST_F(SysfsTest, WhatIsNotThereIsNothing) {
  EXPECT_FALSE(read_sysfs_function("0000:02:00.0", (root_ / "devices").string()));
}

TEST(SysfsText, BarSizes) {
  const std::string resource =
      "0x00000000febf0000 0x00000000febf3fff 0x0000000000140204\n"
      "0x0000000000000000 0x0000000000000000 0x0000000000000000\n"
      "0x000000000000c000 0x000000000000c0ff 0x0000000000040101\n"
      "0x0000000000000000 0x0000000000000000 0x0000000000000000\n"
      "0x0000000800000000 0x0000000800ffffff 0x000000000014220c\n";
  EXPECT_EQ(parse_bar_sizes(resource), (std::vector<uint64_t>{0x4000, 0, 0, 0, 0x1000000, 0}));
  EXPECT_EQ(parse_bar_sizes(""), std::vector<uint64_t>(6, 0));
}

}  // namespace
}  // namespace pynvme::pcie::vfio
