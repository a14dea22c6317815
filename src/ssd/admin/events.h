// Asynchronous events (NVMe Base 2.0 §5.2): requests that wait, events that wait for a request, and
// the masking of a type from its report until the host read the log that goes with it.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <vector>

#include "base/clock.h"
#include "base/spinlock.h"
#include "ssd/frontend/queues.h"
#include "ssd/status_word.h"

namespace pynvme::ssd {

class Events {
 public:
  Events(uint8_t aerl, Queues& queues, const base::Clock& clock);

  // A request arrived: it waits, or exceeds the limit.
  Outcome request(uint16_t cid);
  // Takes a waiting request away; false when there is none with that CID.
  bool take(uint16_t cid);
  bool waits(uint16_t cid);

  // An event happened. The same event is not queued twice.
  void raise(uint8_t type, uint8_t info, uint8_t log_page);
  // The host read a log page with RAE cleared: its event types may be reported again.
  void log_read(uint8_t log_page);

  // Posts what can be posted.
  void deliver();
  void reset();

 private:
  struct Event {
    uint8_t type;
    uint8_t info;
    uint8_t log_page;
  };
  static constexpr unsigned kTypes = 8;

  const size_t limit_;
  Queues& queues_;
  const base::Clock& clock_;
  base::SpinLock lock_;
  std::vector<uint16_t> requests_;
  std::vector<Event> events_;
  std::array<uint8_t, kTypes> masked_by_{};  // log page + 1 that clears it, 0: not masked
  std::atomic<bool> something_{false};       // a request and an event may meet
};

}  // namespace pynvme::ssd
