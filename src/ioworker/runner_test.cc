#include "ioworker/runner.h"

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "pcie/bus.h"
#include "spec/status.h"

namespace pynvme::ioworker {
namespace {

constexpr const char* kDevice = "sim:capacity=64MiB,latency=0,serial=RUNNERTEST,queues=16";
constexpr uint64_t kSeed = 5;

class RunnerTest : public testing::Test {
 protected:
  RunnerTest() : controller_(driver::Controller::open(pcie::Bus::instance().open(kDevice))) {
    controller_->initialise();
    const auto data = controller_->identify_namespace(1);
    target_.limits = Runner::limits_of(*controller_, data.nsze, {});
    target_.integrity = std::make_shared<verify::Integrity>(data.nsze, 512);
    target_.integrity->set_checking(true);
    workload_.qdepth = 32;
    workload_.io_count = 2000;
    workload_.region_end = 8192;
  }
  ~RunnerTest() override {
    controller_.reset();
    pcie::Bus::instance().discard(kDevice);
  }

  std::unique_ptr<Runner> make() {
    return std::make_unique<Runner>(controller_, workload_, target_, kSeed);
  }
  Result run() {
    auto runner = make();
    runner->start();
    return runner->close();
  }
  void fill() {
    const Workload saved = workload_;
    workload_.time_s = 0;
    workload_.io_count = 0;
    workload_.lba_random = 0;
    workload_.read_percentage = 0;
    workload_.io_size = {{256, 1}};
    const Result result = run();
    ASSERT_EQ(result.error, HostError::kNone) << result.detail;
    workload_ = saved;
  }

  std::shared_ptr<driver::Controller> controller_;
  Workload workload_;
  Target target_;
};

TEST_F(RunnerTest, WritesAndReadsBackVerified) {
  fill();
  workload_.read_percentage = 70;
  const Result result = run();
  EXPECT_EQ(result.error, HostError::kNone) << result.detail;
  EXPECT_EQ(result.io_count_read, 1400U);
  EXPECT_EQ(result.io_count_write, 600U);
  EXPECT_GT(result.cpu_usage, 0);
}

TEST_F(RunnerTest, AsManyWorkersAsTheDeviceHasQueues) {
  fill();
  workload_.read_percentage = 50;
  std::vector<std::unique_ptr<Runner>> runners;
  for (uint64_t i = 0; i < 16; ++i) {
    runners.push_back(std::make_unique<Runner>(controller_, workload_, target_, i));
    runners.back()->start();
  }
  for (auto& runner : runners) {
    const Result& result = runner->close();
    EXPECT_EQ(result.error, HostError::kNone) << result.detail;
    EXPECT_EQ(result.latency_ns.count(), 2000U);
  }
  // All queues are free again.
  EXPECT_EQ(run().error, HostError::kNone);
}

TEST_F(RunnerTest, OneWorkerMoreThanQueuesFailsToInit) {
  workload_.time_s = 100;
  workload_.io_count = 0;
  std::vector<std::unique_ptr<Runner>> runners;
  for (uint32_t i = 0; i < controller_->io_queue_limit(); ++i) {
    runners.push_back(make());
    runners.back()->start();
  }
  EXPECT_EQ(run().error, HostError::kInitFail);
  for (auto& runner : runners) runner->stop();
  for (auto& runner : runners) EXPECT_EQ(runner->close().error, HostError::kNone);
}

TEST_F(RunnerTest, StopEndsItSoon) {
  workload_.io_count = 0;
  workload_.time_s = 3600;
  auto runner = make();
  runner->start();
  EXPECT_TRUE(runner->running());
  EXPECT_FALSE(runner->wait(1));
  runner->stop();
  EXPECT_TRUE(runner->wait(60'000));
  EXPECT_FALSE(runner->running());
  EXPECT_EQ(runner->close().error, HostError::kNone);
}

TEST_F(RunnerTest, AResetTerminatesItSuddenlyAndTheNextOneWorks) {
  workload_.io_count = 0;
  workload_.time_s = 3600;
  workload_.read_percentage = 0;
  auto first = make();
  auto second = make();
  first->start();
  second->start();
  controller_->initialise();
  for (auto* runner : {first.get(), second.get()}) {
    const Result& result = runner->close();
    EXPECT_EQ(result.error, HostError::kSuddenlyTerminated);
    EXPECT_FALSE(result.detail.empty());
  }
  fill();
  workload_.io_count = 500;
  workload_.time_s = 0;
  workload_.read_percentage = 50;
  const Result result = run();
  EXPECT_EQ(result.error, HostError::kNone) << result.detail;
}

TEST_F(RunnerTest, AnIoLargerThanMdtsIsAResult) {
  workload_.io_size = {{257, 1}};
  const Result result = run();
  EXPECT_EQ(result.error, HostError::kIoSizeTooLarge);
  EXPECT_NE(result.detail.find("MDTS"), std::string::npos);
}

TEST_F(RunnerTest, AWrongWorkloadIsRefusedAtOnce) {
  workload_.qdepth = 1025;
  EXPECT_THROW(make(), driver::InvalidArgument);
}

TEST_F(RunnerTest, TheDeepestQueue) {
  workload_.qdepth = 1024;
  const Result result = run();
  EXPECT_EQ(result.error, HostError::kNone) << result.detail;
  EXPECT_EQ(result.io_count_read, 2000U);
}

TEST_F(RunnerTest, ACommandErrorIsReportedAndTheQueueIsGoneAfterwards) {
  workload_.io_sequence = {{0, 0x02, 1ULL << 40, 8}};
  const Result result = run();
  EXPECT_EQ(result.error, HostError::kIoCommandError);
  EXPECT_EQ(spec::status_sct(result.status), 0);
  EXPECT_EQ(spec::status_sc(result.status), spec::sc::kLbaOutOfRange);
}

TEST_F(RunnerTest, DroppedWhileItRuns) {
  workload_.io_count = 0;
  workload_.time_s = 3600;
  make()->start();
  workload_.time_s = 0;
  workload_.io_count = 10;
  EXPECT_EQ(run().error, HostError::kNone);
}

TEST_F(RunnerTest, NeverStarted) {
  auto runner = make();
  EXPECT_TRUE(runner->wait(0));
  EXPECT_EQ(runner->close().latency_ns.count(), 0U);
}

}  // namespace
}  // namespace pynvme::ioworker
