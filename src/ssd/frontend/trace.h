// What the device saw and did, for whoever lays it beside the host's command log: doorbells,
// entries fetched and posted, interrupts, resets and power. Off unless the configuration asks for
// it
// ("trace"); a branch is all it costs then. Text is made by the host's side.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <vector>

#include "base/clock.h"
#include "base/spinlock.h"
#include "spec/command.h"

namespace pynvme::ssd {

enum class TraceKind : uint8_t {
  kTail,       // submission queue doorbell: queue, value
  kHead,       // completion queue doorbell: queue, value
  kFetched,    // queue, value: index of the entry, dwords: the SQE
  kPosted,     // queue, value: index of the entry, dwords: the CQE with its phase
  kInterrupt,  // MSI-X or MSI message; value: vector
  kPin,        // value: 1 asserted, 0 deasserted
  kEnabled,
  kControllerReset,
  kFunctionReset,
  kShutdown,
  kPowerOff,
  kPowerOn,
};

struct TraceEvent {
  uint64_t sequence;  // counts the device's events from 1
  uint64_t time_ns;
  TraceKind kind;
  uint32_t queue;
  uint32_t value;
  std::array<uint32_t, 16> dwords;
};

class Trace {
 public:
  // Keeps the last `events`; 0: none.
  Trace(uint32_t events, const base::Clock& clock) : clock_(clock), ring_(events) {}

  bool on() const { return !ring_.empty(); }
  void note(TraceKind kind, uint32_t queue = 0, uint32_t value = 0) {
    if (on()) [[unlikely]]
      add(kind, queue, value, {});
  }
  void fetched(uint32_t sqid, uint32_t index, const spec::Sqe& sqe) {
    if (on()) [[unlikely]]
      add(TraceKind::kFetched, sqid, index, std::bit_cast<std::array<uint32_t, 16>>(sqe));
  }
  void posted(uint32_t cqid, uint32_t index, const spec::Cqe& cqe) {
    if (on()) [[unlikely]]
      add_cqe(cqid, index, cqe);
  }

  // The newest `count` (0: all that are kept), oldest first. Any thread.
  std::vector<TraceEvent> latest(size_t count) const;

 private:
  void add_cqe(uint32_t cqid, uint32_t index, const spec::Cqe& cqe);
  void add(TraceKind kind, uint32_t queue, uint32_t value, const std::array<uint32_t, 16>& dwords);

  const base::Clock& clock_;
  mutable base::SpinLock lock_;
  std::vector<TraceEvent> ring_;
  uint64_t count_ = 0;
};

}  // namespace pynvme::ssd
