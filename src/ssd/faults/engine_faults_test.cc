// Completions that are late, lost, doubled or not what they should be, and a controller that stops;
// in both ways of working.
#include <string>
#include <string_view>
#include <vector>

#include "ssd/faults/fault_text.h"
#include "ssd/faults/faults.h"
#include "ssd/test_host.h"

namespace pynvme::ssd::testing {
namespace {

Config config_of(double latency) {
  Config config = TestHost::quick();
  config.latency_scale = latency;
  return config;
}

class EngineFaultsTest : public ::testing::TestWithParam<double> {
 protected:
  uint64_t plant(std::string_view match, std::string_view action) {
    return host.device.faults().add(parse_fault(match, action));
  }
  FaultState state(uint64_t id) { return *host.device.faults().state(id); }
  uint16_t submit(HostQueue& queue) { return host.submit(queue, read_command(data, 0, 8)); }
  uint16_t submit() { return submit(q); }
  void pass(uint64_t us) {
    for (uint64_t step = 0; step < 10; ++step) {
      host.clock.advance(us * 100);
      host.device.advance();
    }
  }
  // Those that come within 100 ms.
  std::vector<Completion> completions(HostQueue& queue) {
    pass(100'000);
    std::vector<Completion> all;
    while (const auto c = host.poll(queue)) all.push_back(*c);
    return all;
  }

  TestHost host{config_of(GetParam())};
  HostQueue q = host.create_queue(1);
  uint64_t data = host.page();
};

INSTANTIATE_TEST_SUITE_P(DirectAndTimed, EngineFaultsTest, ::testing::Values(0.0, 1.0));

TEST_P(EngineFaultsTest, Delay) {
  const uint64_t id = plant("nth=2", "delay:us=50000");
  submit();
  const uint16_t late = submit();
  submit();
  pass(40'000);
  for (int i = 0; i < 2; ++i) {
    const auto c = host.poll(q);
    ASSERT_TRUE(c);
    EXPECT_NE(c->cid(), late);
  }
  EXPECT_FALSE(host.poll(q));
  const auto rest = completions(q);
  ASSERT_EQ(rest.size(), 1u);
  EXPECT_EQ(rest[0].cid(), late);
  EXPECT_EQ(rest[0].status(), 0);
  EXPECT_EQ(state(id).firings[0].cid, late);
  EXPECT_EQ(state(id).firings[0].text, "completed 50000 us late");
}

TEST_P(EngineFaultsTest, ADelayedCommandCanBeAborted) {
  plant("count=1", "delay:us=50000000");
  const uint16_t cid = submit();
  pass(100'000);
  EXPECT_EQ(host.run(Command::make(0x08).set(10, static_cast<uint32_t>(cid) << 16 | 1)).cdw0(), 0u);
  const auto all = completions(q);
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].status(), 0x007);
}

TEST_P(EngineFaultsTest, DeletionAndResetEndDelays) {
  plant("count=1", "delay:us=50000000");
  const uint16_t cid = submit();
  pass(100'000);
  ASSERT_EQ(host.status(Command::make(0x00).set(10, 1)), 0);
  const auto all = completions(q);
  ASSERT_EQ(all.size(), 1u) << "before its queue goes";
  EXPECT_EQ(all[0].cid(), cid);
  plant("count=1", "delay:us=1000000");
  HostQueue two = host.create_queue(2);
  submit(two);
  pass(100'000);
  host.disable();
  host.enable();
  HostQueue again = host.create_queue(2);
  pass(2'000'000);
  EXPECT_FALSE(host.poll(again));
}

TEST_P(EngineFaultsTest, Swallow) {
  const uint64_t id = plant("nth=2", "swallow");
  submit();
  const uint16_t lost = submit();
  submit();
  const auto all = completions(q);
  ASSERT_EQ(all.size(), 2u);
  for (const Completion& c : all) EXPECT_NE(c.cid(), lost);
  EXPECT_EQ(state(id).firings[0].cid, lost);
  // Its room is free again.
  for (int i = 0; i < 300; ++i) EXPECT_EQ(host.status(q, read_command(data, 0, 8)), 0);
}

TEST_P(EngineFaultsTest, Duplicate) {
  plant("count=1", "duplicate:times=2");
  const uint16_t cid = submit();
  const auto all = completions(q);
  ASSERT_EQ(all.size(), 3u);
  for (const Completion& c : all) EXPECT_EQ(c.cid(), cid);
}

TEST_P(EngineFaultsTest, DuplicatesWaitForRoom) {
  HostQueue small = host.create_queue(2, 2);
  plant("queue=2,count=1", "duplicate");
  const uint16_t cid = submit(small);
  pass(100'000);
  // One fits at a time: the other one comes as soon as the first was taken.
  std::vector<Completion> all = completions(small);
  for (const Completion& later : completions(small)) all.push_back(later);
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].cid(), cid);
  EXPECT_EQ(all[1].cid(), cid);
  EXPECT_EQ(completions(small).size(), 0u);
}

TEST_P(EngineFaultsTest, Mistag) {
  const auto one = [&](std::string_view action) {
    plant("count=1", action);
    submit();
    const auto all = completions(q);
    EXPECT_EQ(all.size(), 1u);
    return all.empty() ? Completion{} : all[0];
  };
  EXPECT_EQ(one("mistag:cid=77").cid(), 77);
  EXPECT_EQ(one("mistag:sqid=9").sqid(), 9);
  EXPECT_EQ(one("mistag:sqhd=5000").sqhd(), 5000);
  const Completion away = one("mistag");
  EXPECT_EQ(away.cid() & 0x8000, 0x8000);
  EXPECT_EQ(away.sqid(), 1);
  plant("count=1", "mistag:cid=+3");
  const uint16_t cid = submit();
  EXPECT_EQ(completions(q).at(0).cid(), cid + 3);
}

TEST_P(EngineFaultsTest, Status) {
  plant("read,count=1", "status:sct=2,sc=0x81,more=1");
  Completion c = host.run(q, read_command(data, 0, 8));
  EXPECT_EQ(c.status(), 0x281);
  EXPECT_TRUE(c.more());
  EXPECT_FALSE(c.dnr());
  plant("read,count=1", "status:sc=0");
  EXPECT_EQ(host.status(q, read_command(data, ~0ull, 8)), 0) << "an error that is none";
  plant("queue=admin,count=1", "status:sct=1,sc=2,dnr=1");
  c = host.run(Command::make(0x0A).set(10, 7));
  EXPECT_EQ(c.status(), 0x102);
  EXPECT_TRUE(c.dnr());
}

TEST_P(EngineFaultsTest, StatusWithAndWithoutTheCommand) {
  std::memset(host.at(data), 7, 4096);
  plant("write,count=1", "status");
  EXPECT_EQ(host.status(q, write_command(data, 0, 8)), 0x006);
  plant("write,lba=8,count=1", "status:execute=0,sct=2,sc=0x80");
  EXPECT_EQ(host.status(q, write_command(data, 8, 8)), 0x280);
  ASSERT_EQ(host.status(q, read_command(data, 0, 8)), 0);
  EXPECT_EQ(*host.at(data), 7);
  ASSERT_EQ(host.status(q, read_command(data, 8, 8)), 0);
  EXPECT_EQ(*host.at(data), 0);
  plant("identify,count=1", "status:execute=0");
  EXPECT_EQ(host.status(Command::make(0x06).prp(data).set(10, 1)), 0x006);
  EXPECT_EQ(*host.at(data), 0);
  plant("identify,count=1", "drop");
  EXPECT_EQ(host.status(Command::make(0x06).prp(data).set(10, 1)), 0);
  EXPECT_EQ(*host.at(data), 0);
}

TEST_P(EngineFaultsTest, Phase) {
  plant("count=1", "phase");
  submit();
  submit();
  EXPECT_EQ(completions(q).size(), 0u);
  EXPECT_EQ(host.get<uint32_t>(q.cq + 12) >> 16 & 1, 0u);
  EXPECT_EQ(host.get<uint32_t>(q.cq + 16 + 12) >> 16 & 1, 1u) << "the one behind it is there";
}

TEST_P(EngineFaultsTest, StaleCompletion) {
  HostQueue small = host.create_queue(2, 4);
  uint16_t first = 0;
  for (int i = 0; i < 4; ++i) {
    const uint16_t cid = submit(small);
    if (i == 0) first = cid;
    ASSERT_EQ(completions(small).size(), 1u);
  }
  plant("count=1", "stale_completion");
  submit(small);
  const auto all = completions(small);
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].cid(), first) << "the one of the round before";
}

TEST_P(EngineFaultsTest, FatalUntilAReset) {
  plant("nth=2", "fatal");
  submit();
  submit();
  submit();
  EXPECT_EQ(completions(q).size(), 1u);
  EXPECT_EQ(host.reg32(0x1C) & 2, 2u);
  host.disable();
  host.enable();
  EXPECT_EQ(host.reg32(0x1C) & 3, 1u);
  HostQueue again = host.create_queue(1);
  EXPECT_EQ(host.status(again, read_command(data, 0, 8)), 0);
}

TEST_P(EngineFaultsTest, VanishUntilItIsClearedOrThePowerCut) {
  const uint64_t id = plant("read,nth=1", "vanish");
  submit();
  EXPECT_EQ(completions(q).size(), 0u);
  EXPECT_EQ(host.reg32(0x1C), ~0u);
  EXPECT_EQ(host.device.config_read(0, 4), ~0u);
  host.device.faults().clear(id);
  EXPECT_EQ(host.reg32(0x1C) & 2, 2u) << "back, and to be reset";
  host.disable();
  host.enable();
  q = host.create_queue(1);
  plant("read,count=1", "vanish");
  submit();
  EXPECT_EQ(completions(q).size(), 0u);
  EXPECT_EQ(host.reg32(0), ~0u);
  host.device.power_off();
  host.device.power_on();
  EXPECT_NE(host.device.config_read(0, 4), ~0u);
}

TEST_P(EngineFaultsTest, DataOfAnotherPlace) {
  const uint64_t elsewhere = host.page();
  std::memset(host.at(data), 7, 4096);
  ASSERT_EQ(host.status(q, write_command(data, 0, 8)), 0);
  std::memset(host.at(data), 1, 4096);
  plant("read,count=1", "dma:address=" + std::to_string(elsewhere));
  ASSERT_EQ(host.status(q, read_command(data, 0, 8)), 0);
  EXPECT_EQ(*host.at(data), 1);
  EXPECT_EQ(*host.at(elsewhere + 4095), 7);
  plant("write,count=1", "dma:address=" + std::to_string(elsewhere));
  ASSERT_EQ(host.status(q, write_command(data, 8, 8)), 0);
  ASSERT_EQ(host.status(q, read_command(data, 8, 8)), 0);
  EXPECT_EQ(*host.at(data), 7);
  plant("write,count=1", "dma:address=4096");
  ASSERT_EQ(host.status(q, write_command(data, 8, 8)), 0);
  plant("read,count=1", "dma:address=4096");
  std::memset(host.at(data), 1, 4096);
  ASSERT_EQ(host.status(q, read_command(data, 8, 8)), 0);
  EXPECT_EQ(*host.at(data), 1) << "lost";
  ASSERT_EQ(host.status(q, read_command(data, 8, 8)), 0);
  EXPECT_EQ(*host.at(data), 0xFF) << "nothing answered";
}

TEST_P(EngineFaultsTest, SanitizeFails) {
  plant("", "fail_sanitize");
  ASSERT_EQ(host.status(Command::make(0x84).set(10, 2)), 0);
  for (int i = 0; i < 100; ++i) pass(1'000'000);
  EXPECT_EQ(host.status(q, read_command(data, 0, 8)), 0x01C) << "Sanitize Failed";
  host.device.faults().clear();
  ASSERT_EQ(host.status(Command::make(0x84).set(10, 2)), 0);
  for (int i = 0; i < 100; ++i) pass(1'000'000);
  EXPECT_EQ(host.status(q, read_command(data, 0, 8)), 0);
}

}  // namespace
}  // namespace pynvme::ssd::testing
