// libFuzzer entry: any messages are what a hostile vfio-user client sends.
#include <cstdint>

#include "ssd/vfio_user/test_client.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  pynvme::ssd::testing::HostileClient(data, size).run();
  return 0;
}
