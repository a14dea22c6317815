// The counters behind the SMART / Health Information log: what really happened, added up per batch
// of commands. With a file behind the media they live in it and outlive a killed process. Thread
// safe. Critical warnings are the controller's to set: they depend on features.
#pragma once

#include <atomic>
#include <cstdint>
#include <span>

#include "base/spinlock.h"
#include "spec/log.h"

namespace pynvme::ssd {

class Smart {
 public:
  // persistent: Media::persistent_area(), or empty to keep the counters in memory only. The drive
  // is without power at first. If the one who left the counters there had neither shut it down nor
  // powered it off, that was an unsafe shutdown.
  Smart(uint64_t capacity_bytes, std::span<uint8_t> persistent);
  Smart(const Smart&) = delete;
  Smart& operator=(const Smart&) = delete;

  void power_on(uint64_t now_ns);
  // An unsafe shutdown, unless it was announced.
  void power_off(uint64_t now_ns);
  // A shutdown has completed, so that the power may go from now on, in whatever state the
  // controller is; or the controller was enabled again.
  void set_shut_down(bool shut_down);

  // Host Read Commands: Read and Compare; the bytes: those and Verify (NVM Command Set 1.0
  // §4.1.4.2).
  void add_reads(uint64_t commands, uint64_t bytes) {
    add(counters_.read_commands, commands);
    add(counters_.read_sectors, bytes / 512);
  }
  // Write alone.
  void add_writes(uint64_t commands, uint64_t bytes) {
    add(counters_.write_commands, commands);
    add(counters_.written_sectors, bytes / 512);
  }
  // Time during which an IO command was outstanding.
  void add_busy(uint64_t ns) { add(counters_.busy_ns, ns); }
  void add_media_errors(uint64_t count) { add(counters_.media_errors, count); }
  void add_error_log_entries(uint64_t count) { add(counters_.error_log_entries, count); }
  // Since it was made.
  uint64_t written_sectors() { return get(counters_.written_sectors); }
  uint64_t power_on_hours(uint64_t now_ns);
  // The Composite Temperature from now on.
  void set_temperature(uint16_t kelvin, uint64_t now_ns);

  // Host controlled thermal management: 1 beyond TMT1, 2 beyond TMT2. Counts the transitions.
  void set_throttle(uint8_t level, uint64_t now_ns);

  void fill(spec::SmartLog& log, uint64_t now_ns);

 private:
  static constexpr uint64_t kOff = 0;
  static constexpr uint64_t kInUse = 1;
  static constexpr uint64_t kShutDown = 2;

  // Little-endian, in the file's persistent area.
  struct Counters {
    uint64_t magic;
    uint64_t power;  // kOff, kInUse, kShutDown
    uint64_t read_commands;
    uint64_t read_sectors;
    uint64_t write_commands;
    uint64_t written_sectors;
    uint64_t busy_ns;
    uint64_t media_errors;
    uint64_t error_log_entries;
    uint64_t power_cycles;
    uint64_t unsafe_shutdowns;
    uint64_t power_on_ns;
    uint64_t warning_temperature_ns;
    uint64_t critical_temperature_ns;
    uint64_t tmt1_transitions;
    uint64_t tmt2_transitions;
    uint64_t tmt1_ns;
    uint64_t tmt2_ns;
  };

  static void add(uint64_t& counter, uint64_t value) {
    std::atomic_ref(counter).fetch_add(value, std::memory_order_relaxed);
  }
  static uint64_t get(uint64_t& counter) {
    return std::atomic_ref(counter).load(std::memory_order_relaxed);
  }
  // The time since the last call counts for what was the case meanwhile. With lock_ held.
  void pass_time(uint64_t now_ns);

  uint64_t capacity_bytes_;
  Counters own_{};
  Counters& counters_;
  base::SpinLock lock_;
  uint64_t passed_ns_ = 0;
  uint16_t kelvin_ = 0;
  uint8_t throttle_ = 0;
};

}  // namespace pynvme::ssd
