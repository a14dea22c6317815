// The trace against what a host did, from the device's own side.
#include "ssd/frontend/trace.h"

#include <algorithm>

#include "ssd/test_host.h"

namespace pynvme::ssd::testing {
namespace {

Config traced(uint32_t events) {
  Config config = TestHost::quick();
  config.trace_events = events;
  return config;
}

std::vector<TraceEvent> of_queue(const TestHost& host, uint32_t qid) {
  std::vector<TraceEvent> events = host.device.trace(0);
  std::erase_if(events, [&](const TraceEvent& event) {
    return event.queue != qid || event.kind > TraceKind::kPosted;
  });
  return events;
}

TEST(TraceTest, IsOffUnlessAskedFor) {
  TestHost host{TestHost::quick()};
  HostQueue q = host.create_queue(1);
  ASSERT_EQ(host.status(q, read_command(host.page(), 0, 1)), 0);
  EXPECT_TRUE(host.device.trace(0).empty());
}

TEST(TraceTest, DoorbellFetchCompletionInOrder) {
  for (const double latency : {0.0, 1.0}) {
    Config config = traced(1000);
    config.latency_scale = latency;
    TestHost host{config};
    HostQueue q = host.create_queue(1);
    host.submit(q, read_command(host.page(), 0x1234, 1).cid(77));
    host.wait(q);
    const auto events = of_queue(host, 1);
    ASSERT_GE(events.size(), 3u);
    EXPECT_EQ(events[0].kind, TraceKind::kTail);
    EXPECT_EQ(events[0].value, 1u);
    EXPECT_EQ(events[1].kind, TraceKind::kFetched);
    EXPECT_EQ(events[1].value, 0u);
    EXPECT_EQ(events[1].dwords[10], 0x1234u);
    EXPECT_EQ(events[2].kind, TraceKind::kPosted);
    EXPECT_EQ(events[2].dwords[3] >> 16 & 1, 1u);  // the phase that the host sees
    EXPECT_EQ(events[2].dwords[3] & 0xFFFF, events[1].dwords[0] >> 16);
    for (size_t i = 1; i < events.size(); ++i) {
      EXPECT_GT(events[i].sequence, events[i - 1].sequence);
      EXPECT_GE(events[i].time_ns, events[i - 1].time_ns);
    }
  }
}

TEST(TraceTest, BothHalvesOfAFusedPairAreFetched) {
  for (const double latency : {0.0, 1.0}) {
    Config config = traced(1000);
    config.latency_scale = latency;
    TestHost host{config};
    HostQueue q = host.create_queue(1);
    const uint64_t data = host.page();
    host.place(q, Command::make(5, 1).prp(data).nlb(1).fuse(1), 1);
    host.place(q, write_command(data, 0, 1).fuse(2), 2);
    host.ring_tail(q);
    host.wait(q);
    host.wait(q);
    unsigned fetched = 0;
    for (const TraceEvent& event : of_queue(host, 1)) fetched += event.kind == TraceKind::kFetched;
    EXPECT_EQ(fetched, 2u);
  }
}

TEST(TraceTest, KeepsTheLastOnes) {
  TestHost host{traced(4)};
  HostQueue q = host.create_queue(1);
  for (int i = 0; i < 5; ++i) ASSERT_EQ(host.status(q, read_command(host.page(), 0, 1)), 0);
  const auto events = host.device.trace(0);
  ASSERT_EQ(events.size(), 4u);
  EXPECT_EQ(events[3].sequence, events[0].sequence + 3);
  const auto last = host.device.trace(1);
  ASSERT_EQ(last.size(), 1u);
  EXPECT_EQ(last[0].sequence, events[3].sequence);
}

TEST(TraceTest, ResetsAndPowerAreSeen) {
  TestHost host{traced(100)};
  host.device.power_off();
  host.device.power_on();
  const auto events = host.device.trace(0);
  const auto has = [&](TraceKind kind) {
    return std::any_of(events.begin(), events.end(),
                       [&](const TraceEvent& event) { return event.kind == kind; });
  };
  EXPECT_TRUE(has(TraceKind::kEnabled));
  EXPECT_TRUE(has(TraceKind::kPowerOff));
  EXPECT_TRUE(has(TraceKind::kPowerOn));
}

}  // namespace
}  // namespace pynvme::ssd::testing
