// libFuzzer entry: any bytes are what a hostile host does.
#include <cstdint>
#include <cstdlib>

#include "ssd/test_fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  pynvme::ssd::testing::HostileHost host(data, size);
  if (!host.run()) std::abort();
  return 0;
}
