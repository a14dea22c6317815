// The trace against what a host did, from the device's own side.
#include "ssd/frontend/trace.h"

#include <algorithm>
#include <tuple>
#include <vector>

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

using Piece = std::tuple<TraceKind, uint64_t, uint32_t, bool>;

std::vector<TraceEvent> since(const TestHost& host, uint64_t sequence) {
  std::vector<TraceEvent> events = host.device.trace(0);
  std::erase_if(events, [=](const TraceEvent& event) { return event.sequence <= sequence; });
  return events;
}
uint64_t last(const TestHost& host) { return host.device.trace(1).at(0).sequence; }

// What was read and written in host memory since then.
std::vector<Piece> pieces(const TestHost& host, uint64_t sequence) {
  std::vector<Piece> pieces;
  for (const TraceEvent& event : since(host, sequence)) {
    if (event.kind == TraceKind::kData || event.kind == TraceKind::kPrpList) {
      pieces.emplace_back(event.kind, event.address, event.bytes, event.to_host);
    }
  }
  return pieces;
}

TEST(TraceTest, PiecesAreThoseOfThePrps) {
  TestHost host(traced(1000));
  HostQueue q = host.create_queue(3);
  const uint64_t pages = host.page(8);
  uint64_t before = last(host);
  // Contiguous pages stay what they are: two PRPs.
  const uint16_t cid = host.submit(q, write_command(pages + 0x204, 0, 8, pages + 4096));
  host.wait(q);
  EXPECT_EQ(pieces(host, before),
            (std::vector{Piece{TraceKind::kData, pages + 0x204, 4096 - 0x204, false},
                         Piece{TraceKind::kData, pages + 4096, 0x204, false}}));
  for (const TraceEvent& event : since(host, before)) {
    if (event.kind != TraceKind::kData) continue;
    EXPECT_EQ(event.queue, 3U);
    EXPECT_EQ(event.cid, cid);
  }

  // A list whose first page has room for one entry and the pointer to the next page.
  const uint64_t list = host.page();
  const uint64_t more = host.page();
  host.put<uint64_t>(list + 4096 - 16, pages + 3 * 4096);
  host.put<uint64_t>(list + 4096 - 8, more);
  host.put<uint64_t>(more, pages + 2 * 4096);
  host.put<uint64_t>(more + 8, pages + 5 * 4096);
  before = last(host);
  host.run(q, read_command(pages, 0, 25, list + 4096 - 16));
  EXPECT_EQ(pieces(host, before),
            (std::vector{Piece{TraceKind::kData, pages, 4096, true},
                         Piece{TraceKind::kPrpList, list + 4096 - 16, 16, false},
                         Piece{TraceKind::kData, pages + 3 * 4096, 4096, true},
                         Piece{TraceKind::kPrpList, more, 16, false},
                         Piece{TraceKind::kData, pages + 2 * 4096, 4096, true},
                         Piece{TraceKind::kData, pages + 5 * 4096, 512, true}}));

  // What is refused moves nothing.
  before = last(host);
  EXPECT_EQ(host.status(q, write_command(pages + 0x200, 0, 8, pages + 4096 + 4)), 0x013);
  EXPECT_EQ(host.status(q, write_command(pages, 1U << 30, 8)), 0x080);
  EXPECT_TRUE(pieces(host, before).empty());
}

TEST(TraceTest, AReadEndsWhereABlockIsBad) {
  for (const double latency : {0.0, 1.0}) {
    Config config = traced(1000);
    config.latency_scale = latency;
    TestHost host(config);
    HostQueue q = host.create_queue(1);
    const uint64_t buffer = host.page();
    EXPECT_EQ(host.status(q, Command::make(0x04, 1).slba(3).nlb(1)), 0);
    const uint64_t before = last(host);
    EXPECT_EQ(host.status(q, read_command(buffer, 1, 4)), 0x281);
    EXPECT_EQ(pieces(host, before), (std::vector{Piece{TraceKind::kData, buffer, 1024, true}}));
  }
}

TEST(TraceTest, DataOfAdminCommandsCompareAndRanges) {
  TestHost host(traced(1000));
  HostQueue q = host.create_queue(1);
  const uint64_t buffer = host.page();
  const auto moved = [&](HostQueue& queue, const Command& command) {
    const uint64_t before = last(host);
    host.run(queue, command);
    return pieces(host, before);
  };
  const auto piece = [&](uint32_t bytes, bool to_host) {
    return std::vector{Piece{TraceKind::kData, buffer, bytes, to_host}};
  };
  EXPECT_EQ(moved(host.admin, Command::make(0x06).prp(buffer).set(10, 1)), piece(4096, true));
  EXPECT_EQ(moved(host.admin, Command::make(0x09).prp(buffer).set(10, 0x81).set(11, 1)),
            piece(16, false));
  EXPECT_EQ(moved(q, Command::make(0x05, 1).prp(buffer).slba(0).nlb(2)), piece(1024, false));
  std::fill_n(host.at(buffer), 4096, uint8_t{0});
  EXPECT_EQ(moved(q, Command::make(0x09, 1).prp(buffer).set(10, 1)), piece(32, false));
}

TEST(TraceTest, APairIsFetchedBeforeItsDataMove) {
  TestHost host(traced(1000));
  HostQueue q = host.create_queue(1);
  const uint64_t data = host.page();
  const uint64_t before = last(host);
  host.place(q, Command::make(5, 1).prp(data).nlb(1).fuse(1), 1);
  host.place(q, write_command(data, 0, 1).fuse(2), 2);
  host.ring_tail(q);
  std::vector<TraceKind> kinds;
  for (const TraceEvent& event : since(host, before)) kinds.push_back(event.kind);
  kinds.resize(5);
  EXPECT_EQ(kinds, (std::vector{TraceKind::kTail, TraceKind::kFetched, TraceKind::kFetched,
                                TraceKind::kData, TraceKind::kData}));
}

TEST(TraceTest, RegistersThatTheHostWrote) {
  TestHost host(traced(100));
  const uint64_t before = last(host);
  host.set_reg32(0x14, 0x00460000);
  const auto events = since(host, before);
  ASSERT_EQ(events.size(), 2U);
  EXPECT_EQ(events[0].kind, TraceKind::kRegister);
  EXPECT_EQ(events[0].address, 0x14U);
  EXPECT_EQ(events[0].value, 0x00460000U);
  EXPECT_EQ(events[1].kind, TraceKind::kControllerReset);
}

}  // namespace
}  // namespace pynvme::ssd::testing
