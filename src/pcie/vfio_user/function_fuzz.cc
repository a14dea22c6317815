// libFuzzer entry: any bytes are what a hostile vfio-user server answers.
#include <cstdint>

#include "pcie/vfio_user/test_server.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  pynvme::pcie::testing::use_hostile_server(data, size);
  return 0;
}
