// An IOWorker as a script sees it: its queue on the device, its native thread, its result. Creation
// and deletion of the queue happen in the caller's thread, the rest in a thread that has a CPU of
// its own where there is one, and knows nothing of Python. One script thread uses a Runner at a
// time.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>

#include "driver/controller.h"
#include "driver/io_queue_pair.h"
#include "ioworker/result.h"
#include "ioworker/worker.h"
#include "ioworker/workload.h"

namespace pynvme::ioworker {

class Runner {
 public:
  // Throws InvalidArgument when the workload does not suit the target; an IO larger than MDTS
  // becomes the result of start() (error -2), as scripts expect.
  Runner(std::shared_ptr<driver::Controller> controller, Workload workload, Target target,
         uint64_t seed);
  // Stops the worker and waits for it; commands under way are finished first.
  ~Runner();
  Runner(const Runner&) = delete;
  Runner& operator=(const Runner&) = delete;

  // What the controller and a namespace of it allow.
  static Limits limits_of(const driver::Controller& controller, uint64_t lba_count,
                          const driver::LbaLayout& lba);

  // Once. Throws InvalidArgument when the workload would never end; what else fails is in the
  // result: -1 no queue, -2 IO size, -5 no memory.
  void start();
  bool running() const;
  // The worker sends nothing more and ends when its commands have.
  void stop();
  // Waits for the end, at most so long; true when the worker is over (or was never started).
  bool wait(uint32_t milliseconds);
  // The figures so far, to be read by any thread at any time; they outlive the Runner.
  const std::shared_ptr<const Live>& live() const { return live_reader_; }
  uint64_t seed() const { return seed_; }
  // Waits for the end without limit, deletes the queue, and returns the result. After an error with
  // fw_debug the queue stays on the device until the Runner goes.
  const Result& close();

 private:
  void run() noexcept;
  void remove_queue();

  std::shared_ptr<driver::Controller> controller_;
  Workload workload_;
  Target target_;
  uint64_t seed_;
  std::shared_ptr<Live> live_ = std::make_shared<Live>();
  std::shared_ptr<const Live> live_reader_ = live_;
  std::shared_ptr<driver::IoQueuePair> queue_;
  std::unique_ptr<Worker> worker_;
  std::thread thread_;
  Result result_;
  bool started_ = false;
  bool too_large_ = false;

  mutable std::mutex mutex_;  // of over_ and what the worker's thread leaves behind
  std::condition_variable ended_;
  bool over_ = true;
};

}  // namespace pynvme::ioworker
