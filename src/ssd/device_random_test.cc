// The hostile host with random bytes: many short lives and some long ones, each from its seed.
#include <vector>

#include <gtest/gtest.h>

#include "base/rng.h"
#include "ssd/test_fuzz.h"

namespace pynvme::ssd::testing {
namespace {

void live(uint64_t seed, size_t bytes) {
  base::Rng rng(seed);
  std::vector<uint8_t> data(bytes);
  for (uint8_t& byte : data) byte = static_cast<uint8_t>(rng.next() >> 32);
  HostileHost host(data.data(), data.size());
  EXPECT_TRUE(host.run()) << "seed " << seed << ", " << bytes << " bytes";
}

TEST(DeviceRandom, ShortLives) {
  for (uint64_t seed = 0; seed < 64; ++seed) live(seed, 2'000);
}

TEST(DeviceRandom, LongLives) {
  for (uint64_t seed = 1'000; seed < 1'008; ++seed) live(seed, 100'000);
}

}  // namespace
}  // namespace pynvme::ssd::testing
