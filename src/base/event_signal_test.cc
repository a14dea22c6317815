#include "base/event_signal.h"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>

#include <gtest/gtest.h>

namespace pynvme::base {
namespace {

uint64_t taken(const UniqueFd& event) {
  uint64_t count = 0;
  return read(event.get(), &count, sizeof(count)) == sizeof(count) ? count : 0;
}

TEST(EventSignal, CountsEachSignal) {
  const UniqueFd event(eventfd(0, EFD_CLOEXEC));
  EventSignal signal;
  for (int i = 0; i < 1000; ++i) signal.signal(event.get());
  EXPECT_EQ(taken(event), 1000U);
  signal.signal(event.get());
  EXPECT_EQ(taken(event), 1U);
  EXPECT_EQ(fcntl(event.get(), F_GETFL) & O_NONBLOCK, 0);  // as its owner made it
}

TEST(EventSignal, DoesNotWaitForRoom) {
  const UniqueFd event(eventfd(0, EFD_CLOEXEC));
  const uint64_t full = UINT64_MAX - 1;
  ASSERT_EQ(write(event.get(), &full, sizeof(full)), static_cast<ssize_t>(sizeof(full)));
  EventSignal signal;
  for (int i = 0; i < 1000; ++i) signal.signal(event.get());
  EXPECT_GE(taken(event), full);
}

TEST(EventSignal, KnowsAnEventfd) {
  const UniqueFd event(eventfd(0, EFD_CLOEXEC));
  std::array<int, 2> ends{};
  ASSERT_EQ(pipe2(ends.data(), O_CLOEXEC), 0);
  const UniqueFd out(ends[0]);
  const UniqueFd in(ends[1]);
  EXPECT_TRUE(is_eventfd(event.get()));
  EXPECT_FALSE(is_eventfd(in.get()));
  EXPECT_FALSE(is_eventfd(-1));
  EventSignal().signal(in.get());  // in vain
}

}  // namespace
}  // namespace pynvme::base
