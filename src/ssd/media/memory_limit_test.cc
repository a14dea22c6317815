#include "ssd/media/memory_limit.h"

#include <gtest/gtest.h>

namespace pynvme::ssd {
namespace {

TEST(MemoryLimit, FindsANumberByItsWholeKey) {
  const char* const text =
      "MemTotal:       24000 kB\nMemAvailable:    1234 kB\nMem: none\ncache 77\n";
  EXPECT_EQ(number_after(text, "MemAvailable", 5), 1234);
  EXPECT_EQ(number_after(text, "cache", 5), 77);
  EXPECT_EQ(number_after(text, "MemAvail", 5), 5);
  EXPECT_EQ(number_after(text, "Available", 5), 5);
  EXPECT_EQ(number_after(text, "Mem", 5), 5);
  EXPECT_EQ(number_after("", "Mem", 5), 5);
}

TEST(MemoryLimit, ThisMachineHasSome) {
  EXPECT_GT(available_memory_bytes(), 0);
  EXPECT_LT(available_memory_bytes(), 1ULL << 50);
}

}  // namespace
}  // namespace pynvme::ssd
