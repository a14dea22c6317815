// The test writes the eventfds in the kernel's place.
#include "pcie/vfio/interrupts.h"

#include <unistd.h>

#include <cstdint>

#include <gtest/gtest.h>

namespace pynvme::pcie::vfio {
namespace {

void signal(int fd) {
  const uint64_t one = 1;
  ASSERT_EQ(write(fd, &one, sizeof(one)), static_cast<ssize_t>(sizeof(one)));
}

TEST(EventfdVectors, CountsPerVectorAndForgetsWhatWasTaken) {
  EventfdVectors vectors;
  const auto fds = vectors.prepare(3);
  ASSERT_EQ(fds.size(), 3U);
  signal(fds[1]);
  signal(fds[1]);
  EXPECT_EQ(vectors.take(0), 0U);
  EXPECT_EQ(vectors.take(1), 2U);
  EXPECT_EQ(vectors.take(1), 0U);
  EXPECT_EQ(vectors.take(3), 0U);
  EXPECT_EQ(vectors.take(5000), 0U);
}

TEST(EventfdVectors, AMaskedVectorIsPendingAndGivesOneMessageWhenUnmasked) {
  EventfdVectors vectors;
  const auto fds = vectors.prepare(1);
  vectors.mask(0, true);
  EXPECT_FALSE(vectors.pending(0));
  signal(fds[0]);
  signal(fds[0]);
  EXPECT_EQ(vectors.take(0), 0U);
  EXPECT_TRUE(vectors.pending(0));
  vectors.mask(0, false);
  EXPECT_FALSE(vectors.pending(0));
  EXPECT_EQ(vectors.take(0), 1U);
  signal(fds[0]);
  signal(fds[0]);
  EXPECT_EQ(vectors.take(0), 2U);
}

TEST(EventfdVectors, PreparedAgainNothingIsLeftOfBefore) {
  EventfdVectors vectors;
  const auto fds = vectors.prepare(2);
  signal(fds[0]);
  vectors.mask(1, true);
  signal(fds[1]);
  EXPECT_EQ(vectors.prepare(2), fds);
  EXPECT_EQ(vectors.take(0), 0U);
  EXPECT_EQ(vectors.take(1), 0U);
  EXPECT_FALSE(vectors.masked(1));
}

}  // namespace
}  // namespace pynvme::pcie::vfio
