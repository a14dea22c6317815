// Verification by IOWorkers: what it finds, and that it raises no false alarm.
#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "ioworker/worker.h"
#include "ioworker/worker_fixture.h"
#include "verify/tracked_command.h"

namespace pynvme::ioworker {
namespace {

using Progress = Worker::Progress;

// What verification finds, planted behind the device's back.
class WorkerVerifyTest : public WorkerTest {
 protected:
  WorkerVerifyTest() {
    workload_.region_end = 800;
    workload_.io_count = 2000;
    fill();
  }

  void expect_mismatch(uint64_t lba, const std::string& text) {
    const Result& result = run();
    EXPECT_EQ(result.error, HostError::kIoCommandError);
    EXPECT_EQ(spec::status_sct(result.status), 7);
    EXPECT_EQ(spec::status_sc(result.status), 0x81);
    char name[32];
    snprintf(name, sizeof(name), "LBA 0x%llx: ", static_cast<unsigned long long>(lba));
    EXPECT_NE(result.detail.find(name), std::string::npos) << result.detail;
    EXPECT_NE(result.detail.find(text), std::string::npos) << result.detail;
    EXPECT_TRUE(all_unlocked());
  }
};

TEST_F(WorkerVerifyTest, ACleanRunHasNoAlarm) { EXPECT_EQ(run().error, HostError::kNone); }

TEST_F(WorkerVerifyTest, FindsAFlippedBit) {
  device_.lba(123)[77] ^= 0x20;
  expect_mismatch(123, "not what was written last");
}

TEST_F(WorkerVerifyTest, FindsStaleData) {
  std::vector<uint8_t> old_data(device_.lba(123), device_.lba(123) + 512);
  fill();
  std::copy(old_data.begin(), old_data.end(), device_.lba(123));
  expect_mismatch(123, "not what was written last");
}

TEST_F(WorkerVerifyTest, FindsTheDataOfAnotherLba) {
  std::copy_n(device_.lba(200), 512, device_.lba(123));
  expect_mismatch(123, "first 8 bytes 0xc8");
}

TEST_F(WorkerVerifyTest, FindsZeroes) {
  std::fill_n(device_.lba(123), 512, uint8_t{0});
  expect_mismatch(123, "not what was written last");
}

TEST_F(WorkerVerifyTest, FindsARawWrite) {
  std::vector<uint8_t> raw(512, 0x42);
  spec::Sqe sqe{};
  sqe.opcode = 0x01;
  sqe.set_slba(123);
  verify::TrackedCommand write(integrity_, sqe, raw.data(), raw.size(), {});
  ASSERT_TRUE(write.begin(false));
  std::copy(raw.begin(), raw.end(), device_.lba(123));
  write.end(true);
  expect_mismatch(123, "instead of the LBA's address");
}

TEST_F(WorkerVerifyTest, FindsALostWrite) {
  device_.before = nullptr;
  workload_.read_percentage = 50;
  std::vector<uint8_t> kept;
  uint64_t victim = 0;
  uint64_t writes = 0;
  device_.before = [&](const spec::Sqe& sqe) -> uint16_t {
    if (sqe.opcode == 0x01 && ++writes == 300) {
      victim = sqe.slba();
      kept.assign(device_.lba(victim), device_.lba(victim) + 8 * 512);
    }
    return 0;
  };
  device_.after = [&](const spec::Sqe&) {
    if (kept.empty()) return;
    std::copy(kept.begin(), kept.end(), device_.lba(victim));
    kept.clear();
  };
  const Result& result = run();
  EXPECT_EQ(result.error, HostError::kIoCommandError);
  EXPECT_EQ(spec::status_sct(result.status), 7);
  char name[32];
  snprintf(name, sizeof(name), "LBA 0x%llx: ", static_cast<unsigned long long>(victim));
  EXPECT_NE(result.detail.find(name), std::string::npos) << result.detail;
}

TEST_F(WorkerVerifyTest, NothingIsCheckedWhileCheckingIsOff) {
  device_.lba(123)[77] ^= 0x20;
  integrity_->set_checking(false);
  EXPECT_EQ(run().error, HostError::kNone);
}

TEST_F(WorkerVerifyTest, FourWorkersOnOneRegionRaiseNoFalseAlarm) {
  workload_.read_percentage = 50;
  workload_.io_size = {{1, 1}, {8, 4}, {13, 1}};
  workload_.op_percentage = {{0x02, 50}, {0x01, 35}, {0x08, 5}, {0x09, 5}, {0x00, 5}};
  workload_.io_count = 5000;
  workload_.region_end = 512;
  constexpr int kWorkers = 4;
  std::vector<std::unique_ptr<driver::QueuePair>> pairs;
  std::vector<std::unique_ptr<Worker>> workers;
  for (int i = 0; i < kWorkers; ++i) {
    pairs.push_back(
        device_.make_pair(queue_entries(workload_, target_.limits), base::Clock::real()));
    workers.push_back(
        std::make_unique<Worker>(*pairs.back(), workload_, target_, static_cast<uint64_t>(i)));
  }
  std::vector<std::thread> threads;
  for (auto& worker : workers) {
    threads.emplace_back([&worker] {
      while (worker->step() != Progress::kDone) std::this_thread::yield();
    });
  }
  for (auto& thread : threads) thread.join();
  for (auto& worker : workers) {
    EXPECT_EQ(worker->result().error, HostError::kNone) << worker->result().detail;
    EXPECT_EQ(worker->result().latency_ns.count(), 5000U);
  }
  EXPECT_EQ(integrity_->conflicts(), 0U);
  EXPECT_TRUE(all_unlocked());
}

TEST_F(WorkerVerifyTest, ReadersOfOneLbaDoNotStarveItsWriter) {
  workload_.region_end = 8;
  workload_.io_count = 0;
  workload_.time_s = 1000;
  auto reader_pair = device_.make_pair(9, clock_);
  Worker reader(*reader_pair, workload_, target_, 1);
  workload_.read_percentage = 0;
  workload_.time_s = 0;
  workload_.io_count = 100;
  auto writer_pair = device_.make_pair(9, clock_);
  Worker writer(*writer_pair, workload_, target_, 2);
  device_.hold = true;  // the reader always has commands under way
  int rounds = 0;
  for (; writer.step() != Progress::kDone && rounds < 10'000; ++rounds) {
    reader.step();
    device_.complete_waiting(1);
    clock_.advance(1000);
  }
  EXPECT_LT(rounds, 5000);
  EXPECT_EQ(writer.result().io_count_write, 100U);
  reader.stop();
  device_.hold = false;
  device_.complete_waiting();
  while (reader.step() != Progress::kDone) {
  }
  EXPECT_GT(reader.result().io_count_read, 108U) << reader.result().detail;
}

}  // namespace
}  // namespace pynvme::ioworker
