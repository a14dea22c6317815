// What an IOWorker is asked to do: the parameters of Namespace.ioworker(), and the rules they keep
// to. How commands follow from them is in sequence.h.
#pragma once

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "driver/errors.h"
#include "driver/lba_layout.h"

namespace pynvme::ioworker {

// A command of a recorded trace.
struct TracedCommand {
  uint64_t time_us;  // after the start
  uint8_t opcode;
  uint64_t slba;
  uint32_t nlb;  // a count
};

struct SizeRatio {
  int64_t nlb;
  int64_t ratio;
};

inline constexpr uint32_t kPatternConstant = 0;
inline constexpr uint32_t kPatternDword = 32;
inline constexpr uint32_t kPatternRandom = 0xBEEF;

// Signed where a script may write a negative number: validate() names it.
struct Workload {
  std::vector<SizeRatio> io_size{{8, 1}};
  std::optional<int64_t> lba_step;  // sequential only; none: one IO behind the other
  std::vector<int64_t> lba_align;   // none: default; one: for all sizes; else one per size
  int64_t lba_random = 100;         // per cent
  int64_t read_percentage = 100;    // Read and Write, when op_percentage is empty
  std::vector<std::pair<uint8_t, int64_t>> op_percentage;
  double time_s = 0;  // 0: no limit
  int64_t qdepth = 64;
  uint64_t region_start = 0;
  uint64_t region_end = UINT64_MAX;  // exclusive; clipped to the namespace
  int64_t iops = 0;                  // 0: as fast as the device
  int64_t io_count = 0;              // 0: no limit
  uint64_t lba_start = 0;            // outside of the region: its start
  int64_t qprio = 0;
  std::vector<int64_t> distribution;  // none, or 100 numbers that add up to 10000
  uint32_t ptype = kPatternRandom;
  uint64_t pvalue = 100;
  std::vector<TracedCommand> io_sequence;  // replaces all of the above that draws commands
  bool fw_debug = false;                   // stop dead at the first error, for a look at the device
  uint32_t cmdlog_count = 0;               // how many of the last commands the result shall list
};

// What the device and the namespace allow.
struct Limits {
  uint64_t lba_count = 0;
  driver::LbaLayout lba;
  uint64_t mdts_bytes = 0;            // 0: no limit
  uint32_t max_queue_entries = 1024;  // min(1024, MQES + 1)
};

// An IO that moves more data than MDTS allows: the one mistake that IOWorkers report as a result
// (error -2) when a script would rather have that.
class IoSizeError : public driver::InvalidArgument {
 public:
  using driver::InvalidArgument::InvalidArgument;
};

// Throws InvalidArgument, naming the parameter, its value and the bound; IoSizeError comes last.
void validate(const Workload& workload, const Limits& limits);

// Throws InvalidArgument when the workload would never end. A question of its own, because a script
// may make an IOWorker with nothing but defaults as long as it does not start it.
void require_end(const Workload& workload);

// One pass over the region: a fixed size, all sequential, and neither time nor count.
bool is_one_pass(const Workload& workload);

// Opcodes and their per cent, whichever parameter they come from; none with 0 per cent.
std::vector<std::pair<uint8_t, uint32_t>> opcode_mix(const Workload& workload);

// Entries of SQ and CQ for the queue depth. One entry of a queue always stays free; at the device's
// limit one command less is under way.
uint32_t queue_entries(const Workload& workload, const Limits& limits);

// The bytes of data that a command moves between host and device; `nlb` is a count.
uint64_t transfer_bytes(uint8_t opcode, uint32_t nlb, const driver::LbaLayout& lba);

}  // namespace pynvme::ioworker
