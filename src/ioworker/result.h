// What an IOWorker reports when it is over.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/histogram.h"
#include "verify/miscompare.h"

namespace pynvme::ioworker {

// Values and texts that scripts match: "ioworker host ERROR -3: io timeout".
enum class HostError : int32_t {
  kNone = 0,
  kInitFail = -1,
  kIoSizeTooLarge = -2,
  kIoTimeout = -3,
  kWorkerTimeout = -4,
  kBufferAllocFail = -5,
  kIoCommandError = -6,
  kSuddenlyTerminated = -7,
};
const char* host_error_text(HostError error);

struct SentCommand {
  uint64_t slba = 0;
  uint32_t nlb = 0;
  uint8_t opcode = 0;
};

// What became of the commands of one opcode.
struct OpcodeFigures {
  uint8_t opcode = 0;
  uint64_t sent = 0;
  uint64_t completed = 0;  // with whatever status
  base::Histogram latency_ns;
};

struct Result {
  HostError error = HostError::kNone;
  uint16_t status = 0;  // as in a CQE, phase bit 0: of the first command error; 07/81: a miscompare
  std::string detail;   // a sentence about the error, empty without one
  std::shared_ptr<const verify::Miscompare> miscompare;  // of status 07/81

  uint64_t io_count_read = 0;
  uint64_t io_count_nonread = 0;
  uint64_t io_count_write = 0;
  uint64_t mseconds = 0;
  double cpu_usage = 0;                       // 1.0: one core
  std::array<uint64_t, 256> opcode_counts{};  // what was sent
  uint64_t skipped_uncorrectable = 0;         // failed reads of LBAs that the worker itself spoiled
  uint64_t anomalies = 0;                     // completions that could not be true

  std::vector<OpcodeFigures> opcodes;  // of the workload, in its order
  base::Histogram latency_ns;          // of all opcodes
  // From one poll of the completion queue to the next while commands were under way: what the host
  // itself adds to a latency, at most.
  base::Histogram poll_gap_ns;
  // IOs sent. Of a paced worker: due, unless the device held the command up for much longer.
  std::vector<uint64_t> io_per_second;
  std::vector<SentCommand> last_commands;  // oldest first

  uint64_t latency_max_us() const { return latency_ns.max() / 1000; }
  double latency_average_us() const { return latency_ns.mean() / 1000; }
  double latency_percentile_us(double percent) const {
    return latency_ns.percentile(percent) / 1000;
  }
  // Fills what follows from `opcodes`.
  void sum_up();

  // Per cent: the IOPS of the slowest of 1000 seconds (the 99.9th percentile; in short runs the
  // slowest one) against the average. A last second that is not complete does not count.
  double iops_consistency() const;
  // How many IOs took 0, 1, 2, ... whole microseconds, up to the slowest one, at most `limit`.
  std::vector<uint64_t> latency_distribution_us(size_t limit = 1'000'000) const;
};

}  // namespace pynvme::ioworker
