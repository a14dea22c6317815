// A mapping of a file that belongs to someone else, who may cut it short at any time. What then is
// a SIGBUS for whoever touches the lost pages becomes zeroes and a flag here: the process goes on,
// and the owner of the mapping ends the connection to such a peer.
#pragma once

#include <cstdint>
#include <memory>

namespace pynvme::base {

class GuardedMapping {
 public:
  // Of whole pages of a regular file. `writable` false maps a private copy: stores do not reach the
  // file. Throws std::system_error (EINVAL when the file does not have that range). The first one
  // in the process takes over SIGBUS; a fault elsewhere goes to whoever had it before.
  // With `place` it lies there, over memory of the caller's that is as large, and leaves zeroes.
  GuardedMapping(int fd, uint64_t offset, uint64_t size, bool writable, void* place = nullptr);
  ~GuardedMapping();
  GuardedMapping(const GuardedMapping&) = delete;
  GuardedMapping& operator=(const GuardedMapping&) = delete;

  uint8_t* data() const { return data_; }
  uint64_t size() const { return size_; }
  // Whether pages of any such mapping were lost since the process began: cheap, for a loop.
  static bool any_broken() noexcept;
  bool broken() const noexcept;

 private:
  uint8_t* data_ = nullptr;
  uint64_t size_ = 0;
  unsigned slot_ = 0;
  bool placed_ = false;
};

}  // namespace pynvme::base
