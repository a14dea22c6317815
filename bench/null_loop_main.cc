// The program behind the figure loop_null_iops of `./pynvme bench`: prints commands per second.
// usage: pynvme_null_loop [SECONDS [DEPTH]]
#include <cstdio>
#include <cstdlib>

#include "bench/null_loop.h"

int main(int argc, char** argv) {
  const double seconds = argc > 1 ? std::atof(argv[1]) : 1.0;
  const int depth = argc > 2 ? std::atoi(argv[2]) : 128;
  if (seconds <= 0 || depth < 1 || depth > 1023) {
    std::fprintf(stderr, "usage: pynvme_null_loop [SECONDS [DEPTH of 1 to 1023]]\n");
    return 2;
  }
  std::printf("%.0f\n", pynvme::bench::null_loop_iops(seconds, static_cast<uint32_t>(depth)));
  return 0;
}
