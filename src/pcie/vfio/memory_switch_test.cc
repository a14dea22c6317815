#include "pcie/vfio/memory_switch.h"

#include <map>

#include <gtest/gtest.h>

namespace pynvme::pcie::vfio {
namespace {

constexpr uint16_t kPm = 0x60;

class MemorySwitchTest : public testing::Test {
 protected:
  bool after(uint16_t offset, uint32_t value, unsigned size) {
    return memory_reachable([this](uint16_t at, unsigned) { return bytes_[at]; }, kPm, offset,
                            value, size);
  }
  std::map<uint16_t, uint32_t> bytes_{{0x04, 0x06}, {0x64, 0x08}};
};

TEST_F(MemorySwitchTest, TheCommandRegister) {
  EXPECT_TRUE(after(0, 0, 0));
  EXPECT_FALSE(after(0x04, 0x0404, 2));
  EXPECT_TRUE(after(0x04, 0x0406, 2));
  EXPECT_FALSE(after(0x04, 0, 4));
  EXPECT_TRUE(after(0x05, 0, 1));  // the upper byte alone
  bytes_[0x04] = 0;
  EXPECT_FALSE(after(0, 0, 0));
  EXPECT_TRUE(after(0x04, 2, 1));
}

TEST_F(MemorySwitchTest, ThePowerState) {
  EXPECT_FALSE(after(0x64, 0x0B, 2));
  EXPECT_TRUE(after(0x64, 0x0A, 2));  // D2
  bytes_[0x64] = 0x0B;
  EXPECT_FALSE(after(0x04, 0x06, 2));
  EXPECT_TRUE(after(0x64, 0x08, 1));
}

TEST_F(MemorySwitchTest, WhichWritesMayChangeIt) {
  EXPECT_TRUE(switches_memory(kPm, 0x04, 1));
  EXPECT_TRUE(switches_memory(kPm, 0x64, 4));
  EXPECT_FALSE(switches_memory(kPm, 0x05, 1));
  EXPECT_FALSE(switches_memory(kPm, 0x65, 1));
  EXPECT_FALSE(switches_memory(0, 0x64, 4));
}

}  // namespace
}  // namespace pynvme::pcie::vfio
