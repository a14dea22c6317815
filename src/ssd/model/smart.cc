#include "ssd/model/smart.h"

#include <algorithm>
#include <mutex>

#include "ssd/model/thermal.h"

namespace pynvme::ssd {
namespace {

constexpr uint64_t kMagic = 0x5452'414D'534E'5950;  // "PYNSMART"
constexpr uint64_t kSecondNs = 1'000'000'000;
constexpr uint64_t kMinuteNs = 60'000'000'000;
constexpr uint64_t kRatedOverwrites = 600;  // the whole capacity so many times: 150 TB for 256 GB

constexpr spec::Uint128 wide(uint64_t value) { return {value, 0}; }

}  // namespace

Smart::Smart(uint64_t capacity_bytes, std::span<uint8_t> persistent)
    : capacity_bytes_(capacity_bytes),
      counters_(persistent.size() < sizeof(Counters)
                    ? own_
                    : *reinterpret_cast<Counters*>(persistent.data())) {
  if (counters_.magic != kMagic) {
    counters_ = Counters{};
    counters_.magic = kMagic;
  }
  if (counters_.power == kInUse) add(counters_.unsafe_shutdowns, 1);
  counters_.power = kOff;
}

void Smart::pass_time(uint64_t now_ns) {
  if (now_ns <= passed_ns_) return;
  const uint64_t elapsed = now_ns - passed_ns_;
  passed_ns_ = now_ns;
  if (get(counters_.power) == kOff) return;
  add(counters_.power_on_ns, elapsed);
  if (throttle_ == 1) add(counters_.tmt1_ns, elapsed);
  if (throttle_ == 2) add(counters_.tmt2_ns, elapsed);
  if (kelvin_ >= kCriticalKelvin) {
    add(counters_.critical_temperature_ns, elapsed);
  } else if (kelvin_ >= kWarningKelvin) {
    add(counters_.warning_temperature_ns, elapsed);
  }
}

void Smart::power_on(uint64_t now_ns) {
  const std::lock_guard guard(lock_);
  pass_time(now_ns);
  std::atomic_ref(counters_.power).store(kInUse, std::memory_order_relaxed);
  add(counters_.power_cycles, 1);
}

void Smart::power_off(uint64_t now_ns) {
  const std::lock_guard guard(lock_);
  pass_time(now_ns);
  if (get(counters_.power) == kInUse) add(counters_.unsafe_shutdowns, 1);
  std::atomic_ref(counters_.power).store(kOff, std::memory_order_relaxed);
}

void Smart::set_shut_down(bool shut_down) {
  const std::lock_guard guard(lock_);
  std::atomic_ref(counters_.power).store(shut_down ? kShutDown : kInUse, std::memory_order_relaxed);
}

void Smart::set_temperature(uint16_t kelvin, uint64_t now_ns) {
  const std::lock_guard guard(lock_);
  pass_time(now_ns);
  kelvin_ = kelvin;
}

uint64_t Smart::power_on_hours(uint64_t now_ns) {
  const std::lock_guard guard(lock_);
  pass_time(now_ns);
  return get(counters_.power_on_ns) / (60 * kMinuteNs);
}

void Smart::set_throttle(uint8_t level, uint64_t now_ns) {
  const std::lock_guard guard(lock_);
  pass_time(now_ns);
  if (level != throttle_ && level == 1) add(counters_.tmt1_transitions, 1);
  if (level != throttle_ && level == 2) add(counters_.tmt2_transitions, 1);
  throttle_ = level;
}

void Smart::fill(spec::SmartLog& log, uint64_t now_ns) {
  const std::lock_guard guard(lock_);
  pass_time(now_ns);
  const uint64_t written = get(counters_.written_sectors);
  const auto used = static_cast<double>(written) * 512 * 100 /
                    (static_cast<double>(capacity_bytes_) * kRatedOverwrites);
  log = spec::SmartLog{};
  log.set_composite_temperature(kelvin_);
  log.available_spare = 100;
  log.available_spare_threshold = 10;
  log.percentage_used = static_cast<uint8_t>(std::min(used, 255.0));
  // Thousands, rounded up.
  log.data_units_read = wide((get(counters_.read_sectors) + 999) / 1000);
  log.data_units_written = wide((written + 999) / 1000);
  log.host_read_commands = wide(get(counters_.read_commands));
  log.host_write_commands = wide(get(counters_.write_commands));
  log.controller_busy_time = wide(get(counters_.busy_ns) / kMinuteNs);
  log.power_cycles = wide(get(counters_.power_cycles));
  log.power_on_hours = wide(get(counters_.power_on_ns) / (60 * kMinuteNs));
  log.unsafe_shutdowns = wide(get(counters_.unsafe_shutdowns));
  log.media_errors = wide(get(counters_.media_errors));
  log.error_log_entries = wide(get(counters_.error_log_entries));
  log.warning_temperature_time =
      static_cast<uint32_t>(get(counters_.warning_temperature_ns) / kMinuteNs);
  log.critical_temperature_time =
      static_cast<uint32_t>(get(counters_.critical_temperature_ns) / kMinuteNs);
  log.temperature_sensor[0] = kelvin_;
  log.tmt1_transition_count = static_cast<uint32_t>(get(counters_.tmt1_transitions));
  log.tmt2_transition_count = static_cast<uint32_t>(get(counters_.tmt2_transitions));
  log.tmt1_total_time = static_cast<uint32_t>(get(counters_.tmt1_ns) / kSecondNs);
  log.tmt2_total_time = static_cast<uint32_t>(get(counters_.tmt2_ns) / kSecondNs);
}

}  // namespace pynvme::ssd
