#include "ssd/media/sparse_memory.h"

#include <sys/mman.h>

#include <cerrno>
#include <stdexcept>
#include <string>
#include <system_error>

namespace pynvme::ssd {

SparseMemory::SparseMemory(uint64_t bytes, Access access, const char* what) : bytes_(bytes) {
  const int protection = access == Access::kNone ? PROT_NONE : PROT_READ | PROT_WRITE;
  void* memory =
      mmap(nullptr, bytes, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) {
    throw std::runtime_error("the embedded SSD could not reserve " + std::to_string(bytes) +
                             " bytes of address space for " + what + ": " +
                             std::generic_category().message(errno) +
                             "; choose a smaller capacity, or raise the limit (ulimit -v)");
  }
  data_ = static_cast<uint8_t*>(memory);
}

SparseMemory::~SparseMemory() {
  if (data_ != nullptr) munmap(data_, bytes_);
}

}  // namespace pynvme::ssd
