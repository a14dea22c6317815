#include "base/guarded_mapping.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <system_error>

#include <gtest/gtest.h>

#include "base/unique_fd.h"

namespace pynvme::base {
namespace {

UniqueFd file_of(off_t bytes) {
  UniqueFd fd(memfd_create("test", MFD_CLOEXEC));
  EXPECT_EQ(ftruncate(fd.get(), bytes), 0);
  return fd;
}

TEST(GuardedMapping, IsTheFile) {
  const UniqueFd fd = file_of(8192);
  const GuardedMapping mapping(fd.get(), 4096, 4096, true);
  mapping.data()[5] = 0x5A;
  uint8_t byte = 0;
  EXPECT_EQ(pread(fd.get(), &byte, 1, 4096 + 5), 1);
  EXPECT_EQ(byte, 0x5A);
  EXPECT_FALSE(mapping.broken());
}

TEST(GuardedMapping, StoresToAReadOnlyOneStayHere) {
  const UniqueFd fd = file_of(4096);
  const GuardedMapping mapping(fd.get(), 0, 4096, false);
  mapping.data()[0] = 1;
  uint8_t byte = 0xFF;
  EXPECT_EQ(pread(fd.get(), &byte, 1, 0), 1);
  EXPECT_EQ(byte, 0);
}

TEST(GuardedMapping, RefusesWhatTheFileDoesNotHave) {
  const UniqueFd fd = file_of(8192);
  EXPECT_THROW(GuardedMapping(fd.get(), 0, 12288, true), std::system_error);
  EXPECT_THROW(GuardedMapping(fd.get(), 8192, 4096, true), std::system_error);
  EXPECT_THROW(GuardedMapping(fd.get(), UINT64_MAX - 4095, 4096, true), std::system_error);
  EXPECT_THROW(GuardedMapping(fd.get(), 0, UINT64_MAX - 4095, true), std::system_error);
  EXPECT_THROW(GuardedMapping(fd.get(), 0, 100, true), std::system_error);
  EXPECT_THROW(GuardedMapping(fd.get(), 0, 0, true), std::system_error);
  EXPECT_THROW(GuardedMapping(-1, 0, 4096, true), std::system_error);
  const UniqueFd device(open("/dev/null", O_RDWR));
  EXPECT_THROW(GuardedMapping(device.get(), 0, 4096, true), std::system_error);
}

TEST(GuardedMapping, PagesThatAreTakenAwayReadZeroAndTell) {
  const UniqueFd fd = file_of(16384);
  const GuardedMapping whole(fd.get(), 0, 4096, true);
  const GuardedMapping mapping(fd.get(), 4096, 12288, true);
  mapping.data()[8192] = 7;
  ASSERT_EQ(ftruncate(fd.get(), 4096), 0);
  EXPECT_EQ(*static_cast<volatile uint8_t*>(mapping.data() + 8192), 0);
  EXPECT_TRUE(mapping.broken());
  EXPECT_TRUE(GuardedMapping::any_broken());
  mapping.data()[0] = 1;
  EXPECT_EQ(mapping.data()[0], 1);
  EXPECT_FALSE(whole.broken());
}

using GuardedMappingDeathTest = ::testing::Test;

TEST(GuardedMappingDeathTest, AFaultElsewhereStillEndsTheProcess) {
  const UniqueFd fd = file_of(4096);
  const GuardedMapping mapping(fd.get(), 0, 4096, true);
  auto* const other =
      static_cast<uint8_t*>(mmap(nullptr, 4096, PROT_READ, MAP_SHARED, fd.get(), 0));
  ASSERT_NE(other, MAP_FAILED);
  ASSERT_EQ(ftruncate(fd.get(), 0), 0);
  EXPECT_DEATH(static_cast<void>(*static_cast<volatile uint8_t*>(other)), "");
  munmap(other, 4096);
}

}  // namespace
}  // namespace pynvme::base
