// What the device saw and did, for whoever lays it beside the host's command log: registers,
// doorbells, entries fetched and posted, host memory read and written, interrupts, resets and
// power. Off unless the configuration asks for it ("trace"); a branch is all it costs then. Text is
// made by the host's side.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <vector>

#include "base/clock.h"
#include "base/spinlock.h"
#include "spec/command.h"
#include "ssd/frontend/host_memory.h"

namespace pynvme::ssd {

enum class TraceKind : uint8_t {
  kTail,       // submission queue doorbell: queue, value
  kHead,       // completion queue doorbell: queue, value
  kFetched,    // queue, value: index of the entry, dwords: the SQE
  kPosted,     // queue, value: index of the entry, dwords: the CQE with its phase
  kRegister,   // address: offset of the dword, value: what the host wrote
  kPrpList,    // a part of a PRP list was read: queue, cid, address, bytes
  kData,       // a piece of host memory was read or written: the same, and to_host
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
  uint64_t sequence = 0;  // counts the device's events from 1
  uint64_t time_ns = 0;
  TraceKind kind = TraceKind::kEnabled;
  uint32_t queue = 0;
  uint32_t value = 0;
  std::array<uint32_t, 16> dwords{};
  uint64_t address = 0;
  uint32_t bytes = 0;
  uint16_t cid = 0;
  bool to_host = false;
};

class Trace {
 public:
  // Keeps the last `events`; 0: none.
  Trace(uint32_t events, const base::Clock& clock)
      : on_(events != 0), clock_(clock), ring_(events) {}

  bool on() const { return on_; }
  void note(TraceKind kind, uint32_t queue = 0, uint32_t value = 0) {
    if (on()) [[unlikely]]
      add({.kind = kind, .queue = queue, .value = value});
  }
  void fetched(uint32_t sqid, uint32_t index, const spec::Sqe& sqe) {
    if (on()) [[unlikely]]
      add_sqe(sqid, index, sqe);
  }
  void posted(uint32_t cqid, uint32_t index, const spec::Cqe& cqe) {
    if (on()) [[unlikely]]
      add_cqe(cqid, index, cqe);
  }

  void register_written(uint32_t offset, uint32_t value) {
    if (on()) [[unlikely]]
      add({.kind = TraceKind::kRegister, .value = value, .address = offset});
  }
  // The first `bytes` of what the command's PRPs name, which have passed the check.
  void moved(const HostMemory& memory, uint16_t sqid, const spec::Sqe& sqe, uint64_t bytes,
             bool to_host) {
    if (on()) [[unlikely]]
      add_pieces(memory, sqid, sqe, bytes, to_host);
  }

  // The newest `count` (0: all that are kept), oldest first. Any thread.
  std::vector<TraceEvent> latest(size_t count) const;

 private:
  void add_sqe(uint32_t sqid, uint32_t index, const spec::Sqe& sqe);
  void add_cqe(uint32_t cqid, uint32_t index, const spec::Cqe& cqe);
  void add_pieces(const HostMemory& memory, uint16_t sqid, const spec::Sqe& sqe, uint64_t bytes,
                  bool to_host);
  void add(TraceEvent event);  // its sequence and time are put in

  const bool on_;
  const base::Clock& clock_;
  mutable base::SpinLock lock_;
  std::vector<TraceEvent> ring_;
  uint64_t count_ = 0;
};

}  // namespace pynvme::ssd
