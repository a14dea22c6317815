// Counts an eventfd up that somebody else may hold, too: never waits, whatever they do with it. A
// write() could: O_NONBLOCK belongs to the open file, which its other holders can change.
#pragma once

#include <cstdint>

#include "base/unique_fd.h"

namespace pynvme::base {

// Whether the descriptor is an eventfd; true as well where that cannot be found out (no /proc).
bool is_eventfd(int fd);

// One thread at a time.
class EventSignal {
 public:
  EventSignal() = default;
  ~EventSignal();
  EventSignal(const EventSignal&) = delete;
  EventSignal& operator=(const EventSignal&) = delete;

  // A counter that is full says all there is to say, and stays so.
  void signal(int eventfd);

 private:
  void set_up();

  bool begun_ = false;
  uint64_t context_ = 0;  // 0: the kernel has no asynchronous IO for us
  UniqueFd null_;
};

}  // namespace pynvme::base
