#include "ioworker/runner.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <mutex>
#include <new>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

namespace pynvme::ioworker {
namespace {

// Empty polls before the CPU is offered to others. A yield that finds nobody costs about as much as
// one poll of the embedded SSD, so there is little to gain from waiting longer, and with more
// workers than CPUs every poll of an idle one is taken from a busy one.
constexpr unsigned kPollsBeforeYield = 4;
// A paced worker sleeps when its next command is further away than this, and wakes up this much
// earlier: the kernel's timers are about this late.
constexpr uint64_t kWakeUpNs = 60'000;
constexpr uint64_t kShortestSleepNs = 40'000;
// How long polls stay empty before the device is asked whether it is still there.
constexpr uint64_t kLookNs = 10'000'000;
// So that stop() and resets are noticed.
constexpr uint64_t kLongestSleepNs = 5'000'000;

// The CPUs that the process may use, as they were at the first call.
const std::vector<int>& allowed_cpus() {
  static const std::vector<int> cpus = [] {
    std::vector<int> list;
    cpu_set_t set;
    CPU_ZERO(&set);
    if (sched_getaffinity(0, sizeof(set), &set) == 0) {
      for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
        if (CPU_ISSET(cpu, &set)) list.push_back(cpu);
      }
    }
    return list;
  }();
  return cpus;
}

// A CPU of its own for the thread that holds this, while there is one that no other worker has. The
// workers beyond that are the scheduler's to place: bound to CPUs in turn, those on a CPU that some
// other program keeps busy would get a fraction of what the rest gets.
class OwnCpu {
 public:
  OwnCpu() {
    const std::lock_guard guard(mutex());
    const auto& cpus = allowed_cpus();
    taken().resize(cpus.size());
    const auto free = std::find(taken().begin(), taken().end(), false);
    if (free == taken().end()) return;
    const ptrdiff_t index = free - taken().begin();
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpus[static_cast<size_t>(index)], &set);
    // A refusal (a CPU taken away meanwhile) leaves the thread where it is.
    if (pthread_setaffinity_np(pthread_self(), sizeof(set), &set) != 0) return;
    *free = true;
    index_ = index;
  }
  ~OwnCpu() {
    if (index_ < 0) return;
    const std::lock_guard guard(mutex());
    taken()[static_cast<size_t>(index_)] = false;
  }
  OwnCpu(const OwnCpu&) = delete;
  OwnCpu& operator=(const OwnCpu&) = delete;

 private:
  static std::mutex& mutex() {
    static std::mutex instance;
    return instance;
  }
  static std::vector<bool>& taken() {
    static std::vector<bool> instance;
    return instance;
  }

  ptrdiff_t index_ = -1;
};

void set_up_thread(uint16_t queue_id) {
  char name[16];
  snprintf(name, sizeof(name), "ioworker-%u", queue_id);
  pthread_setname_np(pthread_self(), name);
  // Signals are for the script's thread.
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, nullptr);
  // Sleeps end on time instead of up to 50 us later.
  prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
}

uint64_t thread_cpu_ns() {
  rusage usage{};
  getrusage(RUSAGE_THREAD, &usage);
  const auto ns = [](const timeval& t) {
    return static_cast<uint64_t>(t.tv_sec) * 1'000'000'000 +
           static_cast<uint64_t>(t.tv_usec) * 1000;
  };
  return ns(usage.ru_utime) + ns(usage.ru_stime);
}

// Why nothing was completed any more, when the controller's registers say it.
void add_reason(driver::Controller& controller, Result* result) {
  try {
    controller.check_alive();
  } catch (const driver::Error& error) {
    result->detail.append("; ").append(error.what());
  }
}

void sleep_ns(uint64_t ns) {
  const timespec nap{0, static_cast<long>(std::min(ns, kLongestSleepNs))};
  nanosleep(&nap, nullptr);
}

}  // namespace

Runner::Runner(std::shared_ptr<driver::Controller> controller, Workload workload, Target target,
               uint64_t seed)
    : controller_(std::move(controller)),
      workload_(std::move(workload)),
      target_(std::move(target)),
      seed_(seed) {
  try {
    validate(workload_, target_.limits);
  } catch (const IoSizeError& error) {
    too_large_ = true;
    result_.detail = error.what();
    return;
  }
  // What only the draw itself finds out: a part of the region that no IO fits into.
  const Sequence probe(workload_, target_.limits, seed_);
}

Runner::~Runner() {
  stop();
  close();
  remove_queue();
}

Limits Runner::limits_of(const driver::Controller& controller, uint64_t lba_count,
                         const driver::LbaLayout& lba) {
  return {lba_count, lba, controller.mdts_bytes(),
          std::min(driver::IoQueuePair::kMaxDepth, controller.cap().mqes() + 1U)};
}

void Runner::start() {
  if (std::exchange(started_, true)) {
    throw driver::InvalidArgument("ioworker: it was started before; make a new one");
  }
  require_end(workload_);
  if (too_large_) {
    result_.error = HostError::kIoSizeTooLarge;
    return;
  }
  driver::IoQueueOptions options;
  options.depth = queue_entries(workload_, target_.limits);
  options.priority = static_cast<uint8_t>(workload_.qprio);
  options.interrupts = false;
  try {
    queue_ = driver::IoQueuePair::create(controller_, options);
    worker_ = std::make_unique<Worker>(queue_->pair(), workload_, target_, seed_, live_);
    over_ = false;
    LiveFigures figures;
    figures.running = 1;
    live_->publish(figures);
    thread_ = std::thread([this] { run(); });
    return;  // from here on the result is the thread's
  } catch (const driver::Error& error) {
    result_.error = HostError::kInitFail;
    result_.detail = error.what();
  } catch (const std::bad_alloc& error) {
    result_.error = HostError::kBufferAllocFail;
    result_.detail = error.what();
  } catch (const std::system_error& error) {
    over_ = true;
    live_->publish({});
    result_.error = HostError::kInitFail;
    result_.detail = std::string("no thread for the ioworker: ") + error.what();
  }
  remove_queue();
}

void Runner::run() noexcept {
  set_up_thread(queue_->id());
  const OwnCpu cpu;
  driver::QueuePair& pair = queue_->pair();
  const base::Clock& clock = pair.clock();
  const uint64_t start_ns = clock.now_ns();
  uint64_t empty_since_ns = start_ns;
  for (unsigned empty = 0;;) {
    Worker::Progress progress;
    uint64_t until_ns = 0;
    {
      const std::lock_guard guard(pair.gate());
      progress = worker_->step();
      if (progress == Worker::Progress::kIdle) until_ns = worker_->idle_until_ns();
    }
    if (progress == Worker::Progress::kDone) break;
    if (progress == Worker::Progress::kBusy) {
      empty = 0;
      continue;
    }
    if (progress == Worker::Progress::kGivesWay) {
      sched_yield();
      continue;
    }
    const uint64_t now_ns = clock.now_ns();
    if (empty == 0) {
      empty_since_ns = now_ns;
    } else if (now_ns - empty_since_ns > kLookNs) [[unlikely]] {
      empty_since_ns = now_ns;
      if (controller_->vanished()) {
        const std::lock_guard guard(pair.gate());
        worker_->abandon();
      }
    }
    ++empty;
    if (until_ns > now_ns + kWakeUpNs + kShortestSleepNs) {
      sleep_ns(until_ns - now_ns - kWakeUpNs);
    } else if (empty > kPollsBeforeYield) {
      sched_yield();
    }
  }
  const uint64_t elapsed_ns = std::max<uint64_t>(clock.now_ns() - start_ns, 1);
  Result result = worker_->result();
  result.cpu_usage = static_cast<double>(thread_cpu_ns()) / static_cast<double>(elapsed_ns);
  if (result.error == HostError::kIoTimeout) add_reason(*controller_, &result);
  const std::lock_guard guard(mutex_);
  result_ = std::move(result);
  over_ = true;
  ended_.notify_all();
}

bool Runner::running() const {
  const std::lock_guard guard(mutex_);
  return !over_;
}

void Runner::stop() {
  if (worker_ != nullptr) worker_->stop();
}

bool Runner::wait(uint32_t milliseconds) {
  std::unique_lock guard(mutex_);
  return ended_.wait_for(guard, std::chrono::milliseconds(milliseconds), [this] { return over_; });
}

const Result& Runner::close() {
  if (thread_.joinable()) {
    thread_.join();
    const bool keeps_queue = workload_.fw_debug && result_.error != HostError::kNone;
    if (!keeps_queue) remove_queue();
  }
  return result_;
}

void Runner::remove_queue() {
  if (queue_ == nullptr) return;
  queue_->remove_quietly();
  // A device that may still write into the buffers keeps them until its next reset.
  if (worker_ != nullptr && !queue_->device_is_done()) controller_->bury({worker_->memory()});
  worker_.reset();
  queue_.reset();
}

}  // namespace pynvme::ioworker
