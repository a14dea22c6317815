#include "bench/null_loop.h"

#include "base/clock.h"
#include "bench/null_function.h"
#include "ioworker/worker.h"

namespace pynvme::bench {

double null_loop_iops(double seconds, uint32_t depth) {
  NullFunction function;
  ioworker::Workload workload;
  workload.qdepth = depth;
  workload.time_s = seconds;
  ioworker::Target target;
  target.limits.lba_count = (64U << 20) / 512;
  const auto rings = function.add_queue(ioworker::queue_entries(workload, target.limits));
  driver::QueuePair pair(rings.sq, rings.cq, base::Clock::real());
  ioworker::Worker worker(pair, workload, target, 1);
  while (worker.step() != ioworker::Worker::Progress::kDone) {
  }
  const ioworker::Result& result = worker.result();
  return static_cast<double>(result.io_count_read) * 1000 / static_cast<double>(result.mseconds);
}

}  // namespace pynvme::bench
