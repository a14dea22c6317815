#include "ioworker/result.h"

#include <algorithm>
#include <numeric>

#include "spec/opcode.h"

namespace pynvme::ioworker {

const char* host_error_text(HostError error) {
  switch (error) {
    case HostError::kNone:
      return "";
    case HostError::kInitFail:
      return "init fail";
    case HostError::kIoSizeTooLarge:
      return "io_size is larger than MDTS";
    case HostError::kIoTimeout:
      return "io timeout";
    case HostError::kWorkerTimeout:
      return "ioworker timeout";
    case HostError::kBufferAllocFail:
      return "buffer pool alloc fail";
    case HostError::kIoCommandError:
      return "io cmd error";
    case HostError::kSuddenlyTerminated:
      return "sudden terminated";
  }
  return "";
}

void Result::sum_up() {
  io_count_read = io_count_nonread = io_count_write = 0;
  latency_ns.clear();
  for (const OpcodeFigures& figures : opcodes) {
    opcode_counts[figures.opcode] = figures.sent;
    (figures.opcode == spec::io::kRead ? io_count_read : io_count_nonread) += figures.completed;
    if (figures.opcode == spec::io::kWrite) io_count_write = figures.completed;
    latency_ns.merge(figures.latency_ns);
  }
}

double Result::iops_consistency() const {
  std::vector<uint64_t> seconds = io_per_second;
  if (seconds.size() > 1 && mseconds < seconds.size() * 1000) seconds.pop_back();
  if (seconds.empty()) return 0;
  std::sort(seconds.begin(), seconds.end());
  const auto total =
      static_cast<double>(std::accumulate(seconds.begin(), seconds.end(), uint64_t{0}));
  if (total == 0) return 0;
  const double average = total / static_cast<double>(seconds.size());
  return 100.0 * static_cast<double>(seconds[seconds.size() / 1000]) / average;
}

std::vector<uint64_t> Result::latency_distribution_us(size_t limit) const {
  std::vector<uint64_t> distribution(std::min<size_t>(latency_max_us() + 1, limit), 0);
  const auto& counts = latency_ns.counts();
  for (uint32_t bucket = 0; bucket < base::Histogram::kBuckets; ++bucket) {
    if (counts[bucket] == 0) continue;
    const uint64_t middle =
        base::Histogram::lowest_of(bucket) + (base::Histogram::width_of(bucket) - 1) / 2;
    distribution[std::min<size_t>(middle / 1000, distribution.size() - 1)] += counts[bucket];
  }
  return distribution;
}

}  // namespace pynvme::ioworker
