// The latency model at work: order, deletion and abort of commands that are not yet due, resets
// with commands inside, arbitration, the timekeeper.
#include <algorithm>
#include <atomic>
#include <thread>

#include "ssd/test_host.h"

namespace pynvme::ssd::testing {
namespace {

Config timed() {
  Config config = TestHost::quick();
  config.latency_scale = 1;
  return config;
}

class EngineTest : public ::testing::Test {
 protected:
  bool advance_until_due(HostQueue& queue) {
    for (int i = 0; i < 10'000; ++i) {
      uint32_t dw3 = host.get<uint32_t>(queue.cq + queue.head * 16 + 12);
      if ((dw3 >> 16 & 1) == queue.phase) return true;
      host.clock.advance(1'000);
      host.device.advance();
    }
    return false;
  }
  void run_out() {
    host.clock.advance(1'000'000'000);
    host.device.advance();
  }
  Completion complete(HostQueue& queue) {
    return host.poll(queue).value_or(Completion{{~0u, ~0u, ~0u, ~0u}});
  }

  TestHost host{timed()};
  HostQueue q = host.create_queue(1);
  uint64_t data = host.page();
};

TEST_F(EngineTest, NothingCompletesBeforeItIsDue) {
  host.submit(q, read_command(data, 0, 8));
  host.device.advance();
  EXPECT_FALSE(host.poll(q));
  const uint64_t began = host.clock.now_ns();
  EXPECT_TRUE(advance_until_due(q));
  const uint64_t took = host.clock.now_ns() - began;
  EXPECT_GT(took, 10'000u);
  EXPECT_LT(took, 1'000'000u);
}

TEST_F(EngineTest, ReadDataMoveWhenTheReadIsDue) {
  std::memset(host.at(data), 7, 4096);
  ASSERT_EQ(host.status(q, write_command(data, 0, 8)), 0);
  std::memset(host.at(data), 0, 4096);
  host.submit(q, read_command(data, 0, 8));
  EXPECT_EQ(*host.at(data), 0);
  EXPECT_TRUE(advance_until_due(q));
  EXPECT_EQ(*host.at(data), 7);
}

TEST_F(EngineTest, WriteDataAreTakenWhenFetched) {
  std::memset(host.at(data), 7, 4096);
  host.submit(q, write_command(data, 0, 8));
  std::memset(host.at(data), 8, 4096);
  ASSERT_TRUE(advance_until_due(q));
  ASSERT_EQ(complete(q).status(), 0);
  ASSERT_EQ(host.status(q, read_command(data, 0, 8)), 0);
  EXPECT_EQ(*host.at(data), 7);
}

TEST_F(EngineTest, MoreThanFitInsideWaitAndAllComplete) {
  HostQueue deep = host.create_queue(2, 1024);
  for (uint16_t i = 0; i < 1000; ++i) host.place(deep, read_command(data, i * 8u, 8), i);
  host.ring_tail(deep);
  std::vector<bool> seen(1000);
  for (int i = 0; i < 1000; ++i) {
    const Completion c = host.wait(deep);
    ASSERT_EQ(c.status(), 0);
    ASSERT_FALSE(seen.at(c.cid()));
    seen[c.cid()] = true;
  }
}

TEST_F(EngineTest, CompletionsWaitForRoom) {
  HostQueue narrow{2, 2, 4, host.page(), host.page()};
  ASSERT_EQ(host.status(host.create_cq(narrow)), 0);
  HostQueue wide{2, 2, 32, host.page(), narrow.cq};
  ASSERT_EQ(host.status(host.create_sq(wide)), 0);
  for (uint16_t i = 0; i < 12; ++i) host.place(wide, Command::make(0x00, 1), i);
  host.ring_tail(wide);
  wide.depth = 4;
  int seen = 0;
  while (seen < 12) {
    run_out();
    int now = 0;
    while (host.poll(wide)) ++now;
    ASSERT_GT(now, 0);
    ASSERT_LE(now, 3);
    seen += now;
  }
  EXPECT_EQ(seen, 12);
}

TEST_F(EngineTest, AbortOfACommandThatIsNotYetDue) {
  std::memset(host.at(data), 1, 4096);
  const uint16_t cid = host.submit(q, read_command(data, 0, 8));
  host.submit(host.admin, Command::make(0x08).set(10, static_cast<uint32_t>(cid) << 16 | 1));
  const Completion aborted = complete(q);
  EXPECT_EQ(aborted.cid(), cid);
  EXPECT_EQ(aborted.status(), 0x007);
  ASSERT_TRUE(advance_until_due(host.admin));
  EXPECT_EQ(complete(host.admin).cdw0(), 0u);
  run_out();
  EXPECT_FALSE(host.poll(q));
  EXPECT_EQ(*host.at(data), 1) << "its data never came";
}

TEST_F(EngineTest, AbortOfACommandThatWaitsInItsQueue) {
  HostQueue deep = host.create_queue(2, 1024);
  for (uint16_t i = 0; i < 300; ++i) host.place(deep, read_command(data, 0, 8), i);
  host.ring_tail(deep);
  host.submit(host.admin, Command::make(0x08).set(10, 250u << 16 | 2));
  EXPECT_EQ(complete(deep).cid(), 250);
  ASSERT_TRUE(advance_until_due(host.admin));
  EXPECT_EQ(complete(host.admin).cdw0(), 0u);
  std::vector<int> seen(300);
  for (int i = 0; i < 299; ++i) ++seen.at(host.wait(deep).cid());
  EXPECT_EQ(seen[250], 0);
  EXPECT_EQ(std::count(seen.begin(), seen.end(), 1), 299);
  run_out();
  EXPECT_FALSE(host.poll(deep));
}

TEST_F(EngineTest, AbortOfWhatIsNotThere) {
  const Completion c = host.run(Command::make(0x08).set(10, 77u << 16 | 1));
  EXPECT_EQ(c.status(), 0);
  EXPECT_EQ(c.cdw0(), 1u);
  EXPECT_EQ(host.run(Command::make(0x08).set(10, 77u << 16 | 9)).cdw0(), 1u);
  EXPECT_EQ(host.run(Command::make(0x08).set(10, 77u << 16 | 999)).cdw0(), 1u);
}

TEST_F(EngineTest, AbortLimit) {
  for (int i = 0; i < 9; ++i) host.place(host.admin, Command::make(0x08).set(10, 77u << 16 | 1));
  host.ring_tail(host.admin);
  int exceeded = 0;
  for (int i = 0; i < 9; ++i) {
    const uint16_t status = host.wait(host.admin).status();
    if (status == 0x103) ++exceeded;
  }
  EXPECT_EQ(exceeded, 1) << "ACL is 7, 0's based";
}

TEST_F(EngineTest, DeletionAbortsWhatIsInside) {
  const uint16_t one = host.submit(q, read_command(data, 0, 8));
  const uint16_t two = host.submit(q, write_command(data, 0, 8));
  host.submit(host.admin, Command::make(0x00).set(10, 1));
  for (const uint16_t cid : {one, two}) {
    const auto c = host.poll(q);
    ASSERT_TRUE(c);
    EXPECT_EQ(c->cid(), cid);
    EXPECT_EQ(c->status(), 0x008);
  }
  ASSERT_TRUE(advance_until_due(host.admin));
  EXPECT_EQ(complete(host.admin).status(), 0);
  run_out();
  EXPECT_FALSE(host.poll(q));
  EXPECT_EQ(host.status(Command::make(0x04).set(10, 1)), 0);
}

TEST_F(EngineTest, ResetForgetsWhatIsInside) {
  std::memset(host.at(data), 1, 4096);
  for (int i = 0; i < 10; ++i) host.submit(q, read_command(data, 0, 8));
  host.disable();
  const std::vector<uint8_t> cq(host.at(q.cq), host.at(q.cq) + 4096);
  run_out();
  EXPECT_TRUE(std::equal(cq.begin(), cq.end(), host.at(q.cq)));
  EXPECT_EQ(*host.at(data), 1);
  host.enable();
  q = host.create_queue(1);
  EXPECT_EQ(host.status(q, Command::make(0x00, 1)), 0);
}

TEST_F(EngineTest, UnmappedMemoryIsNotTouchedWhenARreadFallsDue) {
  const uint64_t page = host.page();
  std::memset(host.at(page), 1, 4096);
  host.submit(q, read_command(page, 0, 8));
  host.device.dma_unmap(page, 4096);
  ASSERT_TRUE(advance_until_due(q));
  EXPECT_EQ(complete(q).status(), 0x004);
  EXPECT_EQ(*host.at(page), 1);
}

TEST_F(EngineTest, SleepsInD3hotAndGoesOn) {
  host.submit(q, Command::make(0x00, 1));
  host.device.config_write(0x44, 3, 2);
  run_out();
  EXPECT_NE(host.get<uint32_t>(q.cq + 12) >> 16 & 1, 1u);
  host.device.config_write(0x44, 0, 2);
  host.device.advance();
  EXPECT_TRUE(host.poll(q));
}

TEST_F(EngineTest, NonOperationalStateCostsItsExitLatency) {
  ASSERT_EQ(host.status(q, Command::make(0x00, 1)), 0);
  const auto read_ns = [&] {
    const uint64_t began = host.clock.now_ns();
    host.submit(q, read_command(data, 0, 8));
    EXPECT_TRUE(advance_until_due(q) || advance_until_due(q) || advance_until_due(q));
    EXPECT_EQ(complete(q).status(), 0);
    return host.clock.now_ns() - began;
  };
  const uint64_t usual = read_ns();
  ASSERT_EQ(host.status(Command::make(0x09).set(10, 2).set(11, 3)), 0);
  EXPECT_EQ(host.run(Command::make(0x0A).set(10, 2)).cdw0(), 3u);
  EXPECT_GT(read_ns(), usual + 500'000);
  EXPECT_EQ(host.run(Command::make(0x0A).set(10, 2)).cdw0(), 0u) << "I/O woke it";
}

TEST_F(EngineTest, WeightsDecideWhoIsFetched) {
  host.disable();
  host.enable(0x00460801);
  // Burst 1; high 8, medium 4, low 1.
  ASSERT_EQ(host.status(Command::make(0x09).set(10, 1).set(11, 7u << 24 | 3u << 16)), 0);
  std::vector<HostQueue> queues;
  for (uint16_t priority = 0; priority < 4; ++priority) {
    queues.push_back(host.create_queue(static_cast<uint16_t>(priority + 1), 1024, 1,
                                       1u | static_cast<uint32_t>(priority) << 1));
  }
  // All doorbells before anything is fetched: without bus mastering the device waits.
  host.set_command(0x0402);
  const uint32_t counts[] = {20, 500, 500, 500};
  for (unsigned i = 0; i < 4; ++i) {
    for (uint32_t n = 0; n < counts[i]; ++n) host.place(queues[i], read_command(data, n * 8, 8));
    host.ring_tail(queues[i]);
  }
  host.set_command(0x0406);
  // 128 are inside. SQ heads show from where they were fetched.
  run_out();
  std::vector<uint32_t> fetched;
  for (HostQueue& queue : queues) {
    uint32_t head = 0;
    while (const auto c = host.poll(queue, true)) head = c->sqhd();
    fetched.push_back(head);
  }
  EXPECT_EQ(fetched[0], 20u) << "urgent first, all of it";
  EXPECT_NEAR(fetched[1], fetched[2] * 2, fetched[2]);
  EXPECT_NEAR(fetched[2], fetched[3] * 4, fetched[2]);
}

TEST(Timekeeper, CompletesWhatNobodyPollsFor) {
  class Quiet : public HostPort {
   public:
    void message(uint64_t, uint32_t, uint32_t) override {}
    void pin(bool) override {}
  } port;
  const base::Clock& clock = base::Clock::real();
  auto* memory = static_cast<uint8_t*>(std::aligned_alloc(4096, 16384));
  std::memset(memory, 0, 16384);
  {
    Device device(timed(), clock);
    device.plug(port);
    device.dma_map(0x10000, memory, 16384);
    device.config_write(0x04, 0x0406, 2);
    device.bar_write(0, 0x24, 0x000F000F, 4);
    device.bar_write(0, 0x28, 0x10000, 8);
    device.bar_write(0, 0x30, 0x11000, 8);
    device.bar_write(0, 0x14, 0x00460001, 4);
    for (uint32_t i = 0; i < 3; ++i) {
      const Command get = Command::make(0x0A).set(10, 7).cid(static_cast<uint16_t>(i));
      std::memcpy(memory + i * 64, get.dw.data(), 64);
      device.bar_write(0, 0x1000, i + 1, 4);
      auto& status = *reinterpret_cast<uint64_t*>(memory + 4096 + i * 16 + 8);
      const uint64_t deadline = clock.now_ns() + 30'000'000'000;
      while ((std::atomic_ref(status).load(std::memory_order_acquire) >> 48 & 1) == 0) {
        ASSERT_LT(clock.now_ns(), deadline);
        std::this_thread::yield();
      }
    }
    device.unplug();
  }
  std::free(memory);
}

TEST(Engine, ACidInUseIsAConflict) {
  Config config = TestHost::quick();
  config.latency_scale = 1.0;
  TestHost host(config);
  HostQueue q = host.create_queue(1);
  const Command read = read_command(host.page(), 0, 1);
  for (int round = 0; round < 2; ++round) {
    host.place(q, read, uint16_t{7});
    host.place(q, read, uint16_t{7});
    host.place(q, read, uint16_t{8});
    host.ring_tail(q);
    const Completion first = host.wait(q);
    EXPECT_EQ(first.cid(), 7);
    EXPECT_EQ(first.status(), 0x003);
    EXPECT_FALSE(first.dnr());
    for (int i = 0; i < 2; ++i) EXPECT_EQ(host.wait(q).status(), 0) << "free again each time";
  }
  // The admin queue's as well, an AER's included.
  host.submit(host.admin, Command::make(0x0C), uint16_t{99});
  host.submit(host.admin, Command::make(0x0A).set(10, 7), uint16_t{99});
  EXPECT_EQ(host.wait(host.admin).status(), 0x003);
}

}  // namespace
}  // namespace pynvme::ssd::testing
