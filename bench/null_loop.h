// How fast the driver alone is: an IOWorker's loop on a device without data, in the calling thread,
// with the command log, the latency histogram and the count per second on.
#pragma once

#include <cstdint>

namespace pynvme::bench {

// Commands per second of 4 KiB random reads for `seconds` at `depth`.
double null_loop_iops(double seconds, uint32_t depth);

}  // namespace pynvme::bench
