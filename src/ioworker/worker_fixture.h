// For tests only: a Worker on a FakeDevice and a clock that stands still until the test moves it.
#pragma once

#include <memory>

#include <gtest/gtest.h>

#include "ioworker/fake_device.h"
#include "ioworker/worker.h"

namespace pynvme::ioworker {

class WorkerTest : public testing::Test {
 protected:
  WorkerTest() {
    target_.limits.lba_count = kLbas;
    integrity_->set_checking(true);
    target_.integrity = integrity_;
    workload_.io_count = 100;
    workload_.qdepth = 8;
  }

  Worker& make() {
    pair_ = device_.make_pair(queue_entries(workload_, target_.limits), clock_);
    worker_ = std::make_unique<Worker>(*pair_, workload_, target_, kSeed);
    return *worker_;
  }

  // Steps until the worker is done; every step takes `step_ns` of the clock.
  const Result& run(uint64_t step_ns = 1000) {
    Worker& worker = make();
    for (uint64_t steps = 0; worker.step() != Worker::Progress::kDone; ++steps) {
      clock_.advance(step_ns);
      if (steps > 10'000'000) {
        ADD_FAILURE() << "the worker does not end";
        break;
      }
    }
    return worker.result();
  }

  void fill() {
    const Workload saved = workload_;
    workload_ = Workload();
    workload_.lba_random = 0;
    workload_.read_percentage = 0;
    EXPECT_EQ(run().error, HostError::kNone);
    workload_ = saved;
  }

  bool all_unlocked() {
    verify::Ticket ticket;
    return integrity_->begin_change(ticket, 0, kLbas, verify::Attempt::kRetry);
  }

  static constexpr uint64_t kLbas = 4096;
  static constexpr uint64_t kSeed = 11;
  FakeDevice device_{kLbas, 512};
  base::Clock clock_ = base::Clock::manual(5'000'000'000);
  std::shared_ptr<verify::Integrity> integrity_ = std::make_shared<verify::Integrity>(kLbas, 512);
  Workload workload_;
  Target target_;
  std::unique_ptr<driver::QueuePair> pair_;
  std::unique_ptr<Worker> worker_;
};

}  // namespace pynvme::ioworker
