#include "ioworker/live.h"

#include <thread>

#include <gtest/gtest.h>

namespace pynvme::ioworker {
namespace {

TEST(Live, NothingWasPublished) { EXPECT_EQ(Live().read().elapsed_ns, 0U); }

TEST(Live, ReadersGetWhatBelongsTogether) {
  Live live;
  constexpr uint64_t kLast = 100'000;
  std::thread writer([&live] {
    for (uint64_t i = 1; i <= kLast; ++i) {
      LiveFigures figures;
      figures.elapsed_ns = i;
      figures.io_count_read = 2 * i;
      figures.poll_gap_max_ns = 3 * i;
      live.publish(figures);
    }
  });
  uint64_t seen = 0;
  while (seen != kLast) {
    const LiveFigures figures = live.read();
    ASSERT_GE(figures.elapsed_ns, seen);
    ASSERT_EQ(figures.io_count_read, 2 * figures.elapsed_ns);
    ASSERT_EQ(figures.poll_gap_max_ns, 3 * figures.elapsed_ns);
    seen = figures.elapsed_ns;
  }
  writer.join();
}

}  // namespace
}  // namespace pynvme::ioworker
