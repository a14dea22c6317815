#include "ioworker/worker.h"

#include <algorithm>
#include <cstring>
#include <functional>
#include <numeric>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "ioworker/worker_fixture.h"
#include "verify/stamp.h"

namespace pynvme::ioworker {
namespace {

constexpr uint64_t kSecond = 1'000'000'000;
constexpr uint64_t kMs = 1'000'000;
using Progress = Worker::Progress;

TEST_F(WorkerTest, SendsExactlyTheSequence) {
  workload_.io_size = {{1, 1}, {8, 2}, {32, 1}};
  workload_.op_percentage = {{0x02, 50}, {0x01, 30}, {0x00, 10}, {0x08, 10}};
  workload_.io_count = 1000;
  device_.record = true;
  const Result& result = run();
  EXPECT_EQ(result.error, HostError::kNone) << result.detail;
  Sequence model(workload_, target_.limits, kSeed);
  ASSERT_EQ(device_.seen.size(), 1000U);
  for (const spec::Sqe& sqe : device_.seen) {
    Draw draw;
    ASSERT_TRUE(model.next(draw));
    ASSERT_EQ(sqe.opcode, draw.opcode);
    ASSERT_EQ(sqe.nsid, 1U);
    if (draw.opcode == 0) {
      ASSERT_EQ(sqe.cdw10 | sqe.cdw11 | sqe.cdw12, 0U);
      continue;
    }
    ASSERT_EQ(sqe.slba(), draw.slba);
    ASSERT_EQ(sqe.cdw12, draw.nlb - 1);
    ASSERT_EQ(sqe.prp1 != 0, draw.opcode != 0x08);
  }
  EXPECT_EQ(result.io_count_read, 500U);
  EXPECT_EQ(result.io_count_nonread, 500U);
  EXPECT_EQ(result.io_count_write, 300U);
  EXPECT_EQ(result.opcode_counts[0x08], 100U);
  EXPECT_EQ(result.latency_ns.count(), 1000U);
}

TEST_F(WorkerTest, TheSequenceDoesNotDependOnTheTiming) {
  workload_.read_percentage = 50;
  workload_.region_end = 64;  // conflicts all the time
  workload_.io_count = 500;
  device_.record = true;
  run();
  const auto immediate = std::exchange(device_.seen, {});
  device_.hold = true;
  Worker& worker = make();
  base::Rng rng(3);
  while (worker.step() != Progress::kDone) device_.complete_waiting(rng.below(4));
  ASSERT_EQ(device_.seen.size(), immediate.size());
  for (size_t i = 0; i < immediate.size(); ++i) {
    ASSERT_EQ(device_.seen[i].opcode, immediate[i].opcode);
    ASSERT_EQ(device_.seen[i].slba(), immediate[i].slba());
  }
  EXPECT_TRUE(all_unlocked());
}

TEST_F(WorkerTest, KeepsTheQueueDepthFullAndNoMore) {
  workload_.qdepth = 5;
  device_.hold = true;
  Worker& worker = make();
  worker.step();
  EXPECT_EQ(device_.waiting(), 5U);
  EXPECT_EQ(worker.step(), Progress::kIdle);
  EXPECT_EQ(device_.waiting(), 5U);
  device_.complete_waiting(2);
  EXPECT_EQ(worker.step(), Progress::kBusy);
  EXPECT_EQ(device_.waiting(), 5U);
}

TEST_F(WorkerTest, ADepthOfOneIsOneCommand) {
  workload_.qdepth = 1;
  device_.hold = true;
  Worker& worker = make();
  worker.step();
  EXPECT_EQ(device_.waiting(), 1U);
}

TEST_F(WorkerTest, WritesAreStampedOverThePattern) {
  workload_.read_percentage = 0;
  workload_.lba_random = 0;
  workload_.io_count = 0;
  workload_.region_start = 100;
  workload_.region_end = 110;
  workload_.ptype = kPatternDword;
  workload_.pvalue = 0xA5A5A5A5;
  EXPECT_EQ(run().io_count_write, 2U);
  uint64_t first_token = 0;
  std::memcpy(&first_token, device_.lba(100) + 504, 8);
  for (uint64_t lba = 100; lba < 110; ++lba) {
    const uint8_t* data = device_.lba(lba);
    EXPECT_EQ(verify::stamped_lba(data), lba);
    uint64_t token = 0;
    std::memcpy(&token, data + 504, 8);
    EXPECT_EQ(token, first_token + lba - 100);
    EXPECT_TRUE(std::all_of(data + 8, data + 504, [](uint8_t byte) { return byte == 0xA5; }));
  }
  EXPECT_NE(verify::stamped_lba(device_.lba(110)), 110U);
}

TEST_F(WorkerTest, ReadsDoNotSpoilThePatternOfWrites) {
  workload_.read_percentage = 50;
  workload_.ptype = kPatternDword;
  workload_.pvalue = 0xA5A5A5A5;
  std::memset(device_.lba(0), 0x33, kLbas * 512);
  run();
  for (uint64_t lba = 0; lba < kLbas; ++lba) {
    const uint8_t* data = device_.lba(lba);
    EXPECT_EQ(data[8], data[503]);
    EXPECT_TRUE(data[8] == 0xA5 || data[8] == 0x33);
  }
}

TEST_F(WorkerTest, LargeTransfersGoThroughPrpLists) {
  workload_.io_size = {{256, 1}};
  workload_.read_percentage = 0;
  workload_.io_count = 50;
  EXPECT_EQ(run().error, HostError::kNone);
  workload_.read_percentage = 100;
  const Result& result = run();
  EXPECT_EQ(result.error, HostError::kNone) << result.detail;
}

TEST_F(WorkerTest, DeallocatesItsLbas) {
  fill();
  workload_.op_percentage = {{0x09, 100}};
  workload_.io_count = 1;
  workload_.region_start = 80;
  workload_.region_end = 88;
  device_.record = true;
  device_.seen.clear();
  run();
  ASSERT_EQ(device_.seen.size(), 1U);
  EXPECT_EQ(device_.seen[0].cdw10, 0U);
  EXPECT_EQ(device_.seen[0].cdw11, 4U);
  EXPECT_EQ(device_.lba(80)[0] | device_.lba(87)[0], 0);
  EXPECT_EQ(integrity_->state(80), verify::LbaTable::kDeallocated);
  EXPECT_EQ(integrity_->state(87), verify::LbaTable::kDeallocated);
  EXPECT_TRUE(verify::LbaTable::is_crc(integrity_->state(88)));
}

TEST_F(WorkerTest, TimeEndsTheRunAndTheLastSecondTakesTheRest) {
  workload_.io_count = 0;
  workload_.time_s = 3;
  const Result& result = run(kMs);
  // One step more to reap what was under way at the end.
  EXPECT_EQ(result.mseconds, 3001U);
  ASSERT_EQ(result.io_per_second.size(), 3U);
  EXPECT_EQ(std::accumulate(result.io_per_second.begin(), result.io_per_second.end(), uint64_t{0}),
            result.io_count_read);
}

TEST_F(WorkerTest, CountAndTimeWhicheverComesFirst) {
  workload_.time_s = 1000;
  EXPECT_EQ(run().io_count_read, 100U);
  workload_.time_s = 0.01;
  workload_.io_count = 1'000'000;
  EXPECT_EQ(run(kMs).mseconds, 11U);
}

TEST_F(WorkerTest, AThousandHoursPassOnAManualClock) {
  workload_.io_count = 0;
  workload_.time_s = 3'600'000;
  const Result& result = run(100 * kSecond);
  EXPECT_EQ(result.mseconds, 3'600'100'000U);
  EXPECT_EQ(result.io_per_second.size(), 3'600'000U);
}

TEST_F(WorkerTest, ThePaceIsExactInEverySecond) {
  workload_.io_count = 0;
  workload_.time_s = 7;
  workload_.iops = 1234;
  const Result& result = run(50'000);
  ASSERT_EQ(result.io_per_second.size(), 7U);
  for (const uint64_t count : result.io_per_second) {
    EXPECT_GE(count, 1233U);
    EXPECT_LE(count, 1235U);
  }
  EXPECT_NEAR(static_cast<double>(result.io_count_read), 7 * 1234, 1);
}

// The host stands still across the ends of seconds, and across the end of the run: no second loses
// or gains an IO by that.
TEST_F(WorkerTest, ThePaceIsExactInEverySecondOnAHostThatStumbles) {
  workload_.io_count = 0;
  workload_.time_s = 5;
  workload_.iops = 1234;
  workload_.qdepth = 64;
  Worker& worker = make();
  base::Rng rng(7);
  while (worker.step() != Progress::kDone) {
    clock_.advance(rng.below(100) == 0 ? rng.below(400 * kMs) : rng.below(50'000));
  }
  EXPECT_EQ(worker.result().io_per_second, std::vector<uint64_t>(5, 1234));
  EXPECT_EQ(worker.result().io_count_read, 5U * 1234);
}

TEST_F(WorkerTest, ThePaceIsExactInEverySecondOnAHostThatStandsStill) {
  workload_.io_count = 0;
  workload_.time_s = 20;
  workload_.iops = 1234;
  workload_.qdepth = 16;
  for (const uint64_t seed : {1, 2, 3}) {
    Worker& worker = make();
    base::Rng rng(seed);
    while (worker.step() != Progress::kDone) {
      const uint64_t chance = rng.below(100'000);
      clock_.advance(chance == 0    ? rng.below(2 * kSecond)
                     : chance < 100 ? rng.below(20 * kMs)
                                    : rng.below(50'000));
    }
    EXPECT_EQ(worker.result().io_per_second, std::vector<uint64_t>(20, 1234)) << seed;
  }
}

TEST_F(WorkerTest, AHostThatWasAwayAtTheEndStillSendsWhatWasDue) {
  workload_.io_count = 0;
  workload_.time_s = 3;
  workload_.iops = 1000;
  workload_.qdepth = 16;
  Worker& worker = make();
  const uint64_t start_ns = clock_.now_ns();
  bool away = false;
  while (worker.step() != Progress::kDone) {
    if (!away && clock_.now_ns() - start_ns > 2 * kSecond + 500 * kMs) {
      away = true;
      clock_.advance(2 * kSecond);
    }
    clock_.advance(10'000);
  }
  EXPECT_EQ(worker.result().io_per_second, std::vector<uint64_t>(3, 1000));
  EXPECT_GE(worker.result().mseconds, 4500U);
  EXPECT_LE(worker.result().mseconds, 4600U);
}

// What nobody can make up for is dropped in whole seconds.
TEST_F(WorkerTest, AHostThatSleptForAnHourDoesNotSendAllOfIt) {
  workload_.io_count = 0;
  workload_.time_s = 2 * 3600;
  workload_.iops = 100;
  workload_.qdepth = 16;
  Worker& worker = make();
  worker.step();
  clock_.advance(3600 * kSecond);
  while (worker.step() != Progress::kDone) clock_.advance(kMs);
  const std::vector<uint64_t>& seconds = worker.result().io_per_second;
  ASSERT_EQ(seconds.size(), 7200U);
  EXPECT_EQ(std::accumulate(seconds.begin(), seconds.begin() + 3590, uint64_t{0}), 1U);
  EXPECT_EQ(seconds[3590], 99U);
  for (size_t i = 3591; i < 7200; ++i) ASSERT_EQ(seconds[i], 100U) << i;
}

// At 1000 IOs a second for four seconds, the device stands still in the second one; each step takes
// as long as `step_ns` says.
class StandstillTest : public WorkerTest {
 protected:
  const Result& run_with_standstill(const std::function<uint64_t()>& step_ns) {
    workload_.io_count = 0;
    workload_.time_s = 4;
    workload_.iops = 1000;
    workload_.qdepth = 10;
    Worker& worker = make();
    const uint64_t start_ns = clock_.now_ns();
    while (worker.step() != Progress::kDone) {
      const uint64_t now_ns = clock_.now_ns() - start_ns;
      device_.hold = now_ns >= kSecond && now_ns < 2 * kSecond;
      if (!device_.hold) device_.complete_waiting();
      clock_.advance(step_ns());
    }
    return worker.result();
  }
};

// A device that is slower than the pace shows: nothing is counted that was not sent.
TEST_F(StandstillTest, ShowsInTheCountPerSecond) {
  const Result& result = run_with_standstill([] { return 50'000; });
  const std::vector<uint64_t>& seconds = result.io_per_second;
  ASSERT_EQ(seconds.size(), 4U);
  EXPECT_EQ(seconds[0], 1000U);
  EXPECT_EQ(seconds[1], 10U);
  EXPECT_GE(seconds[2], 1900U);  // catches up
  EXPECT_EQ(std::accumulate(seconds.begin(), seconds.end(), uint64_t{0}), result.io_count_read);
}

// A host that is away now and then takes nothing from that: the device stands still all the same.
TEST_F(StandstillTest, ShowsOnAHostThatStumbles) {
  base::Rng rng(7);
  const std::vector<uint64_t>& seconds = run_with_standstill([&] {
                                           return rng.below(200) == 0 ? rng.below(8 * kMs) : 50'000;
                                         }).io_per_second;
  ASSERT_EQ(seconds.size(), 4U);
  EXPECT_EQ(seconds[0], 1000U);
  EXPECT_LE(seconds[1], 100U);
  EXPECT_GE(seconds[2], 1800U);  // catches up
}

TEST_F(WorkerTest, APaceBeyondTheDeviceIsWhatTheDeviceCanDo) {
  workload_.io_count = 0;
  workload_.time_s = 3;
  workload_.iops = 100'000;
  workload_.qdepth = 1;
  const Result& result = run(50'000);  // one command a step: 20000 a second
  ASSERT_EQ(result.io_per_second.size(), 3U);
  for (const uint64_t count : result.io_per_second)
    EXPECT_NEAR(static_cast<double>(count), 20'000, 1100);
  EXPECT_LE(result.mseconds, 3051U);
}

TEST_F(WorkerTest, AThousandHoursAtAPace) {
  workload_.io_count = 0;
  workload_.time_s = 3'600'000;
  workload_.iops = 1;
  const Result& result = run(kSecond / 2);
  EXPECT_EQ(result.io_per_second, std::vector<uint64_t>(3'600'000, 1));
  EXPECT_EQ(result.io_count_read, 3'600'000U);
}

TEST_F(WorkerTest, APacedWorkerSaysWhenItIsWorthCallingAgain) {
  workload_.iops = 100;
  Worker& worker = make();
  while (worker.step() != Progress::kIdle) {
  }
  EXPECT_EQ(worker.idle_until_ns(), clock_.now_ns() + 10 * kMs);
  clock_.advance(10 * kMs);
  worker.step();                              // notices the time
  EXPECT_EQ(worker.step(), Progress::kBusy);  // sends
  device_.hold = true;
}

TEST_F(WorkerTest, ATraceIsReplayedOnTime) {
  workload_.io_sequence = {{0, 0x01, 5, 8}, {2000, 0x02, 5, 8}, {5000, 0x00, 0, 0}};
  device_.record = true;
  Worker& worker = make();
  std::vector<uint64_t> sent_us;
  const uint64_t start_ns = clock_.now_ns();
  while (worker.step() != Progress::kDone) {
    while (sent_us.size() < device_.seen.size())
      sent_us.push_back((clock_.now_ns() - start_ns) / 1000);
    clock_.advance(100'000);
  }
  ASSERT_EQ(sent_us.size(), 3U);
  EXPECT_EQ(sent_us[0], 0U);
  EXPECT_GE(sent_us[1], 2000U);
  EXPECT_LE(sent_us[1], 2200U);
  EXPECT_GE(sent_us[2], 5000U);
  EXPECT_LE(sent_us[2], 5200U);
}

TEST_F(WorkerTest, FiguresOfEachOpcode) {
  workload_.op_percentage = {{0x02, 50}, {0x01, 30}, {0x08, 20}, {0x09, 0}};
  const Result& result = run();
  ASSERT_EQ(result.opcodes.size(), 3U);
  EXPECT_EQ(result.opcodes[0].opcode, 0x02);
  EXPECT_EQ(result.opcodes[0].completed, 50U);
  EXPECT_EQ(result.opcodes[1].sent, 30U);
  EXPECT_EQ(result.opcodes[2].latency_ns.count(), 20U);
  EXPECT_EQ(result.latency_ns.count(), 100U);
}

TEST_F(WorkerTest, LatencyIsOfTheOpcodeItself) {
  workload_.io_sequence = {{0, 0x01, 0, 8}, {10'000, 0x02, 0, 8}};
  device_.hold = true;
  Worker& worker = make();
  while (worker.step() != Progress::kDone) {
    if (device_.waiting() == 0) {
      clock_.advance(100'000);
      continue;
    }
    // The write takes 3 ms, the read a tenth of it.
    clock_.advance(clock_.now_ns() % kSecond < 9 * kMs ? 3 * kMs : 3 * kMs / 10);
    device_.complete_waiting();
  }
  ASSERT_EQ(worker.result().opcodes.size(), 2U);
  EXPECT_EQ(worker.result().opcodes[0].latency_ns.max(), 3 * kMs);
  EXPECT_EQ(worker.result().opcodes[1].latency_ns.max(), 3 * kMs / 10);
}

TEST_F(WorkerTest, ThePollGapIsTheTimeTheHostDidNotLook) {
  workload_.io_count = 0;
  workload_.time_s = 1;
  device_.hold = true;
  Worker& worker = make();
  worker.step();  // sends
  clock_.advance(10'000);
  worker.step();
  clock_.advance(7 * kMs);
  worker.step();
  device_.complete_waiting();
  clock_.advance(20'000);
  device_.hold = false;
  worker.stop();
  while (worker.step() != Progress::kDone) clock_.advance(1000);
  const base::Histogram& gaps = worker.result().poll_gap_ns;
  // The last one is of what the step that noticed the stop had sent before.
  EXPECT_EQ(gaps.count(), 4U);
  EXPECT_EQ(gaps.min(), 1000U);
  EXPECT_EQ(gaps.sum(), 10'000U + 7 * kMs + 20'000U + 1000U);
  EXPECT_EQ(gaps.max(), 7 * kMs);
}

TEST_F(WorkerTest, NoPollGapWhileNothingIsUnderWay) {
  workload_.iops = 1;
  workload_.io_count = 3;
  const Result& result = run(kMs);
  EXPECT_EQ(result.poll_gap_ns.max(), kMs);
  EXPECT_LE(result.poll_gap_ns.count(), 6U);
}

TEST_F(WorkerTest, LiveFiguresAreThoseOfAMomentAgo) {
  workload_.io_count = 0;
  workload_.time_s = 10;
  workload_.iops = 1000;
  workload_.read_percentage = 50;
  Worker& worker = make();
  EXPECT_EQ(worker.live().elapsed_ns, 0U);
  for (int ms = 0; ms < 5000; ++ms) {
    worker.step();
    clock_.advance(kMs);
  }
  const LiveFigures live = worker.live();
  EXPECT_NEAR(static_cast<double>(live.elapsed_ns), 5e9, 5e6);
  EXPECT_NEAR(static_cast<double>(live.io_count_read + live.io_count_nonread), 5000, 5);
  EXPECT_EQ(live.io_count_nonread, live.io_count_write);
  EXPECT_EQ(live.last_second, 1000U);
  EXPECT_EQ(live.latency_max_ns, kMs);
  worker.stop();
  while (worker.step() != Progress::kDone) {
  }
  const Result& result = worker.result();
  EXPECT_EQ(worker.live().io_count_read, result.io_count_read);
  EXPECT_EQ(worker.live().latency_sum_ns, result.latency_ns.sum());
}

TEST_F(WorkerTest, TheFirstCommandErrorStopsItAndWhatIsUnderWayIsFinished) {
  uint64_t reads = 0;
  device_.before = [&](const spec::Sqe&) -> uint16_t {
    return ++reads == 20 ? spec::make_status(2, 0x81, true) : 0;
  };
  const Result& result = run();
  EXPECT_EQ(result.error, HostError::kIoCommandError);
  EXPECT_EQ(spec::status_sct(result.status), 2);
  EXPECT_EQ(spec::status_sc(result.status), 0x81);
  EXPECT_NE(result.detail.find("status 02/81"), std::string::npos);
  EXPECT_EQ(result.latency_ns.count(), reads);
  EXPECT_LT(reads, 100U);
  EXPECT_EQ(pair_->used(), 0U);
  EXPECT_TRUE(all_unlocked());
}

TEST_F(WorkerTest, WithFwDebugItStopsDead) {
  workload_.fw_debug = true;
  device_.before = [&](const spec::Sqe&) { return spec::make_status(0, 0x04); };
  const Result& result = run();
  EXPECT_EQ(result.error, HostError::kIoCommandError);
  EXPECT_EQ(result.latency_ns.count(), 1U);
  EXPECT_EQ(pair_->used(), 7U);
}

TEST_F(WorkerTest, ACommandThatIsNeverCompletedEndsItInTime) {
  target_.command_timeout_ns = 50 * kMs;
  device_.hold = true;
  Worker& worker = make();
  worker.step();
  device_.lose_waiting();
  int steps = 0;
  while (worker.step() != Progress::kDone && ++steps < 100) clock_.advance(kMs);
  EXPECT_LE(steps, 60);
  EXPECT_EQ(worker.result().error, HostError::kIoTimeout);
  EXPECT_TRUE(worker.device_may_access_memory());
  EXPECT_TRUE(all_unlocked());
}

// More than a step takes was completed in time, and looked at too late.
TEST_F(WorkerTest, AHostThatWasAwayDoesNotBlameTheDevice) {
  target_.command_timeout_ns = 50 * kMs;
  workload_.io_count = 1000;
  workload_.qdepth = 256;
  device_.hold = true;
  Worker& worker = make();
  while (device_.waiting() < 256) worker.step();
  device_.hold = false;
  device_.complete_waiting();
  clock_.advance(kSecond);
  while (worker.step() != Progress::kDone) clock_.advance(1000);
  EXPECT_EQ(worker.result().error, HostError::kNone);
  EXPECT_EQ(worker.result().io_count_read, 1000U);
}

TEST_F(WorkerTest, WithFwDebugTheFirstErrorStopsItThoughTheHostWasAway) {
  target_.command_timeout_ns = 50 * kMs;
  workload_.fw_debug = true;
  uint64_t reads = 0;
  device_.before = [&](const spec::Sqe&) -> uint16_t {
    return ++reads == 5 ? spec::make_status(0, 0x04) : 0;
  };
  device_.hold = true;
  Worker& worker = make();
  worker.step();
  device_.complete_waiting();
  clock_.advance(2 * kSecond);
  while (worker.step() != Progress::kDone) clock_.advance(kMs);
  EXPECT_EQ(worker.result().error, HostError::kIoCommandError);
  EXPECT_EQ(worker.result().latency_ns.count(), 5U);
}

TEST_F(WorkerTest, ADeviceThatIsGoneEndsItAtOnce) {
  workload_.read_percentage = 0;
  device_.hold = true;
  Worker& worker = make();
  worker.step();
  device_.lose_waiting();
  EXPECT_NE(worker.step(), Progress::kDone);
  worker.abandon();
  EXPECT_EQ(worker.step(), Progress::kDone);
  EXPECT_EQ(worker.result().error, HostError::kIoTimeout);
  EXPECT_NE(worker.result().detail.find("Write (opcode 01h)"), std::string::npos);
  EXPECT_NE(worker.result().detail.find("was not completed"), std::string::npos);
  EXPECT_TRUE(worker.device_may_access_memory());
  EXPECT_TRUE(all_unlocked());
  for (uint64_t lba = 0; lba < kLbas; ++lba) {
    ASSERT_EQ(integrity_->state(lba), verify::LbaTable::kUnknown);
  }
  worker.abandon();  // too late to change anything
  EXPECT_EQ(worker.step(), Progress::kDone);
}

TEST_F(WorkerTest, LbasThatAreNeverReleasedEndItInTime) {
  target_.command_timeout_ns = 50 * kMs;
  verify::Ticket ticket;
  ASSERT_TRUE(integrity_->begin_change(ticket, 0, kLbas, verify::Attempt::kFresh));
  const Result& result = run(kMs);
  EXPECT_EQ(result.error, HostError::kWorkerTimeout);
  EXPECT_EQ(result.latency_ns.count(), 0U);
  EXPECT_GE(result.mseconds, 5050U) << "whoever holds them may be of a host that stood still";
  EXPECT_LE(result.mseconds, 5100U);
}

TEST_F(WorkerTest, AQueueThatDiesTerminatesIt) {
  workload_.read_percentage = 0;
  device_.hold = true;
  Worker& worker = make();
  worker.step();
  pair_->kill("the controller was reset");
  EXPECT_EQ(worker.step(), Progress::kDone);
  EXPECT_EQ(worker.result().error, HostError::kSuddenlyTerminated);
  EXPECT_NE(worker.result().detail.find("the controller was reset"), std::string::npos);
  EXPECT_TRUE(all_unlocked());
  // What was being written is in doubt.
  for (uint64_t lba = 0; lba < kLbas; ++lba) {
    ASSERT_EQ(integrity_->state(lba), verify::LbaTable::kUnknown);
  }
}

TEST_F(WorkerTest, StopFinishesWhatIsUnderWay) {
  workload_.io_count = 0;
  workload_.time_s = 1000;
  device_.hold = true;
  Worker& worker = make();
  worker.step();
  worker.stop();
  EXPECT_EQ(worker.step(), Progress::kIdle);
  device_.complete_waiting();
  EXPECT_EQ(worker.step(), Progress::kDone);
  EXPECT_EQ(worker.result().error, HostError::kNone);
  EXPECT_EQ(worker.result().io_count_read, 8U);
}

TEST_F(WorkerTest, ListsTheLastCommandsOldestFirst) {
  workload_.cmdlog_count = 7;
  const Result& result = run();
  ASSERT_EQ(result.last_commands.size(), 7U);
  Sequence model(workload_, target_.limits, kSeed);
  Draw draw;
  for (int i = 0; i < 93; ++i) model.next(draw);
  for (const SentCommand& sent : result.last_commands) {
    model.next(draw);
    EXPECT_EQ(sent.slba, draw.slba);
    EXPECT_EQ(sent.opcode, 0x02);
  }
  workload_.cmdlog_count = 1000;
  EXPECT_EQ(run().last_commands.size(), 100U);
}

TEST_F(WorkerTest, ItsOwnUncorrectableLbasAreSkipped) {
  fill();
  workload_.op_percentage = {{0x02, 80}, {0x01, 10}, {0x04, 10}};
  workload_.io_count = 2000;
  workload_.region_end = 256;
  const Result& result = run();
  EXPECT_EQ(result.error, HostError::kNone) << result.detail;
  EXPECT_GT(result.skipped_uncorrectable, 0U);
}

TEST_F(WorkerTest, UncorrectableLbasOfOthersAreErrors) {
  device_.before = [](const spec::Sqe& sqe) {
    return sqe.slba() == 8 ? spec::make_status(2, 0x81) : uint16_t{0};
  };
  workload_.region_end = 16;
  EXPECT_EQ(run().error, HostError::kIoCommandError);
}

}  // namespace
}  // namespace pynvme::ioworker
