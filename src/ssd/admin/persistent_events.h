// The Persistent Event log (NVMe Base 2.0 §5.16.1.14): what happened to the drive, over resets,
// power cycles and, with a file, processes. The oldest events make room for new ones. Who reads it
// works on a snapshot, the reporting context. Thread safe.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/spinlock.h"
#include "spec/persistent_event.h"
#include "ssd/status_word.h"

namespace pynvme::ssd {

class Features;

// PELS: the log takes no more than one unit of 64 KiB.
inline constexpr uint32_t kPersistentEventUnits64k = 1;

class PersistentEvents {
 public:
  PersistentEvents(std::span<uint8_t> persistent, const Features& features);

  template <typename Data>
  void add(spec::pel::Type type, const Data& data, uint64_t now_ns) {
    add(type, &data, sizeof data, now_ns);
  }

  // The reporting context: from establish() to release() or a Controller Level Reset. `header` is
  // what is known of the drive; counts, lengths and supported events are filled in.
  uint16_t establish(spec::pel::Header header);
  void release() { context_.clear(); }
  bool established() const { return !context_.empty(); }
  const std::vector<uint8_t>& context() const { return context_; }

 private:
  // At the beginning of the persistent bytes; the events follow, the oldest first.
  struct State {
    uint64_t magic;
    uint32_t bytes;
    uint32_t events;
  };

  void add(spec::pel::Type type, const void* data, size_t bytes, uint64_t now_ns);
  void drop_oldest();
  static size_t event_bytes(const uint8_t* event);

  const Features& features_;
  base::SpinLock lock_;
  State& state_;
  std::span<uint8_t> events_;
  std::vector<uint8_t> context_;  // of admin commands, one by one
};

}  // namespace pynvme::ssd
