#include "ssd/frontend/host_memory.h"

#include <stdexcept>

#include <gtest/gtest.h>

namespace pynvme::ssd {
namespace {

constexpr auto kRead = DmaAccess::kRead;
constexpr auto kWrite = DmaAccess::kWrite;

class HostMemoryTest : public testing::Test {
 protected:
  uint8_t* at(DmaAccess access, uint64_t iova, uint64_t size = 16) {
    return memory_.translate(access, iova, size, hint_);
  }

  alignas(4096) uint8_t bytes_[4 * 4096] = {};
  HostMemory memory_;
  uint32_t hint_ = 0;
};

TEST_F(HostMemoryTest, EachAccessNeedsItsRight) {
  memory_.map(0x10000, bytes_, 4096, {.read = true, .write = false});
  memory_.map(0x20000, bytes_ + 4096, 4096, {.read = false, .write = true});
  memory_.map(0x30000, bytes_ + 8192, 4096, {.read = false, .write = false});
  memory_.map(0x40000, bytes_ + 12288, 4096);
  EXPECT_EQ(at(kRead, 0x10010), bytes_ + 16);
  EXPECT_EQ(at(kWrite, 0x10010), nullptr);
  EXPECT_EQ(at(kRead, 0x20000), nullptr);
  EXPECT_EQ(at(kWrite, 0x20000), bytes_ + 4096);
  EXPECT_EQ(at(kRead, 0x30000), nullptr);
  EXPECT_EQ(at(kWrite, 0x30000), nullptr);
  // The hint of one access serves the other one as well, or does no harm.
  EXPECT_EQ(at(kRead, 0x40000, 4096), bytes_ + 12288);
  EXPECT_EQ(at(kWrite, 0x40000, 4096), bytes_ + 12288);
  EXPECT_EQ(at(kWrite, 0x40000, 4097), nullptr);
}

TEST_F(HostMemoryTest, NothingIsMappedTwiceWhateverItAllows) {
  memory_.map(0x10000, bytes_, 8192, {.read = true, .write = false});
  EXPECT_THROW(memory_.map(0x11000, bytes_, 4096, {.read = false, .write = true}),
               std::invalid_argument);
  EXPECT_THROW(memory_.map(0xF000, bytes_, 8192, {.read = false, .write = true}),
               std::invalid_argument);
  memory_.unmap(0x11000, 4096);
  EXPECT_EQ(at(kRead, 0x10000), bytes_);
  EXPECT_EQ(at(kRead, 0x11000), nullptr);
  memory_.map(0x11000, bytes_ + 4096, 4096, {.read = false, .write = true});
  EXPECT_EQ(at(kWrite, 0x11000), bytes_ + 4096);
  memory_.unmap(0, UINT64_MAX);
  EXPECT_EQ(at(kRead, 0x10000), nullptr);
  EXPECT_EQ(at(kWrite, 0x11000), nullptr);
}

}  // namespace
}  // namespace pynvme::ssd
