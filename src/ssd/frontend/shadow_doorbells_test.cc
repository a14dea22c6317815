// Doorbell Buffer Config from the host's side.
#include "ssd/test_host.h"

namespace pynvme::ssd::testing {
namespace {

class ShadowTest : public ::testing::Test {
 protected:
  uint32_t shadow(uint32_t index) { return host.get<uint32_t>(doorbells + 4ULL * index); }
  uint32_t event_index(uint32_t index) { return host.get<uint32_t>(events + 4ULL * index); }
  void set_shadow(uint32_t index, uint32_t value) { host.put(doorbells + 4ULL * index, value); }
  uint16_t configure() { return host.status(Command::make(0x7C).prp(doorbells, events)); }

  TestHost host;
  uint64_t doorbells = host.page();
  uint64_t events = host.page();
  uint64_t data = host.page();
};

TEST_F(ShadowTest, Checks) {
  EXPECT_EQ(host.status(Command::make(0x7C).prp(doorbells + 4, events)), 0x002);
  EXPECT_EQ(host.status(Command::make(0x7C).prp(doorbells, events + 2048)), 0x002);
  EXPECT_EQ(host.status(Command::make(0x7C).prp(0x5000, events)), 0x004);
  EXPECT_EQ(configure(), 0);
}

TEST_F(ShadowTest, TailsAndHeadsComeFromTheShadow) {
  HostQueue q = host.create_queue(1, 8);
  ASSERT_EQ(configure(), 0);
  for (uint32_t i = 0; i < 20; ++i) {
    const uint32_t old = q.tail;
    host.place(q, read_command(data, i, 1));
    set_shadow(2, q.tail);
    // The host's rule: ring when EventIdx lies in [old, new).
    ASSERT_EQ(event_index(2), old);
    host.ring_tail(q);
    ASSERT_TRUE(host.poll(q, /*quiet=*/true));
    EXPECT_EQ(event_index(2), q.tail);
    set_shadow(3, q.head);
  }
}

TEST_F(ShadowTest, FoundWithoutARing) {
  HostQueue q = host.create_queue(1, 8);
  ASSERT_EQ(configure(), 0);
  host.place(q, read_command(data, 0, 1));
  host.place(q, read_command(data, 1, 1));
  set_shadow(2, q.tail);
  host.clock.advance(2'000'000);
  host.device.advance();
  EXPECT_TRUE(host.poll(q, true));
  EXPECT_TRUE(host.poll(q, true));
  EXPECT_EQ(event_index(2), 2u);
}

TEST_F(ShadowTest, QueuesThatAreRungTheOldWayGoOn) {
  HostQueue q = host.create_queue(1, 8);
  ASSERT_EQ(host.status(q, read_command(data, 0, 1)), 0);
  ASSERT_EQ(configure(), 0);
  for (uint32_t i = 0; i < 20; ++i) EXPECT_EQ(host.status(q, read_command(data, i, 1)), 0);
  // And with the shadow from here on.
  host.place(q, read_command(data, 0, 1));
  set_shadow(2, q.tail);
  host.ring_tail(q);
  EXPECT_TRUE(host.poll(q));
}

TEST_F(ShadowTest, WrongValuesAreToldOnce) {
  host.create_queue(1, 8);
  ASSERT_EQ(configure(), 0);
  host.submit(host.admin, Command::make(0x0C));
  set_shadow(2, 99);
  host.clock.advance(2'000'000);
  host.device.advance();
  const auto event = host.poll(host.admin);
  ASSERT_TRUE(event);
  EXPECT_EQ(event->cdw0(), 0x01'01'00u) << "Invalid Doorbell Write Value";
}

TEST_F(ShadowTest, EndsWithAReset) {
  ASSERT_EQ(configure(), 0);
  host.disable();
  host.enable();
  HostQueue q = host.create_queue(1, 8);
  host.place(q, read_command(data, 0, 1));
  set_shadow(2, q.tail);
  host.clock.advance(2'000'000);
  host.device.advance();
  EXPECT_FALSE(host.poll(q));
  host.ring_tail(q);
  EXPECT_TRUE(host.poll(q));
}

TEST_F(ShadowTest, WithLatencies) {
  Config config = TestHost::quick();
  config.latency_scale = 1;
  TestHost slow(config);
  const uint64_t page = slow.page(3);
  HostQueue q = slow.create_queue(1, 8);
  ASSERT_EQ(slow.status(Command::make(0x7C).prp(page, page + 4096)), 0);
  slow.place(q, read_command(page + 8192, 0, 1));
  slow.put<uint32_t>(page + 8, q.tail);
  slow.ring_tail(q);
  EXPECT_EQ(slow.wait(q).status(), 0);
  EXPECT_EQ(slow.get<uint32_t>(page + 4096 + 8), q.tail);
}

}  // namespace
}  // namespace pynvme::ssd::testing
