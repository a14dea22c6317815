// The program whose instructions tools/instructions.py counts: an IOWorker's loop for exactly so
// many IOs, in the calling thread.
// usage: pynvme_counted_loop KIND IOS DEPTH
//   null      4 KiB random reads on a device without data: the driver alone
//   read      the same on the embedded SSD, over data that was written before
//   verified  the same, all data verified
//   write     4 KiB random writes on the embedded SSD, which are stamped and remembered
// The host's clock is moved by hand, so that what falls due at times is the same in each run.
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

#include "base/clock.h"
#include "bench/null_function.h"
#include "driver/controller.h"
#include "driver/io_queue_pair.h"
#include "ioworker/runner.h"
#include "ioworker/worker.h"
#include "pcie/bus.h"

namespace pynvme::bench {
namespace {

constexpr uint64_t kSeed = 1;
constexpr uint64_t kLbas = (16U << 20) / 512;

constexpr uint64_t kStepNs = 1000;

void run(driver::QueuePair& pair, base::Clock& clock, const ioworker::Workload& workload,
         const ioworker::Target& target) {
  ioworker::Worker worker(pair, workload, target, kSeed);
  while (worker.step() != ioworker::Worker::Progress::kDone) clock.advance(kStepNs);
  const ioworker::Result& result = worker.result();
  if (result.error != ioworker::HostError::kNone) throw std::runtime_error(result.detail);
}

void run_null(const ioworker::Workload& workload) {
  NullFunction function;
  ioworker::Target target;
  target.limits.lba_count = kLbas;
  const auto rings = function.add_queue(ioworker::queue_entries(workload, target.limits));
  base::Clock clock = base::Clock::manual(0);
  driver::QueuePair pair(rings.sq, rings.cq, clock);
  run(pair, clock, workload, target);
}

void run_embedded(const ioworker::Workload& workload, bool verified) {
  base::Clock clock = base::Clock::manual(0);
  auto controller =
      driver::Controller::open(pcie::Bus::instance().open("sim:latency=0,capacity=64MiB"), clock);
  controller->initialise();
  ioworker::Target target;
  target.limits = ioworker::Runner::limits_of(*controller, kLbas, {});
  target.integrity = std::make_shared<verify::Integrity>(kLbas, 512);
  target.integrity->set_checking(verified);

  ioworker::Workload fill;
  fill.read_percentage = 0;
  fill.lba_random = 0;
  fill.io_size = {{64, 1}};
  fill.region_end = kLbas;
  for (const ioworker::Workload& work : {std::as_const(fill), workload}) {
    driver::IoQueueOptions options;
    options.depth = ioworker::queue_entries(work, target.limits);
    options.interrupts = false;
    const auto queue = driver::IoQueuePair::create(controller, options);
    run(queue->pair(), clock, work, target);
    queue->remove();
  }
}

}  // namespace
}  // namespace pynvme::bench

int main(int argc, char** argv) {
  using namespace pynvme;
  const std::string kind = argc > 1 ? argv[1] : "";
  ioworker::Workload workload;
  workload.io_count = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 0;
  workload.qdepth = argc > 3 ? static_cast<uint32_t>(std::atoi(argv[3])) : 0;
  if (workload.io_count == 0 || workload.qdepth == 0 || workload.qdepth > 1023) {
    std::fprintf(stderr, "usage: pynvme_counted_loop null|read|verified|write IOS DEPTH\n");
    return 2;
  }
  workload.read_percentage = kind == "write" ? 0 : 100;
  try {
    if (kind == "null") {
      bench::run_null(workload);
    } else {
      bench::run_embedded(workload, kind == "verified");
    }
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  return 0;
}
