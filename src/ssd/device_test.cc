// The device as a whole: start, identify, write and read.
#include "ssd/device.h"

#include <algorithm>

#include "ssd/test_host.h"

namespace pynvme::ssd::testing {
namespace {

TEST(Device, StartsAndIdentifies) {
  TestHost host;
  EXPECT_EQ(host.reg32(0x1C), 1u);
  const uint64_t buffer = host.page();
  EXPECT_EQ(host.status(Command::make(0x06).prp(buffer).set(10, 1)), 0x000);
  EXPECT_EQ(std::string(reinterpret_cast<char*>(host.at(buffer + 4)), 10), "PYNVME0001");
  EXPECT_EQ(host.get<uint32_t>(buffer + 516), 16u);
}

TEST(Device, ReadsWhatWasWritten) {
  TestHost host;
  HostQueue q = host.create_queue(1);
  const uint64_t out = host.page();
  const uint64_t in = host.page();
  for (unsigned i = 0; i < 4096; ++i) host.at(out)[i] = static_cast<uint8_t>(i * 7);
  EXPECT_EQ(host.status(q, write_command(out, 100, 8)), 0x000);
  EXPECT_EQ(host.status(q, read_command(in, 100, 8)), 0x000);
  EXPECT_TRUE(std::equal(host.at(out), host.at(out) + 4096, host.at(in)));
}

}  // namespace
}  // namespace pynvme::ssd::testing
