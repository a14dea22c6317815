// The drive's health as the host sees it: the SMART log's live part, temperature thresholds and the
// events they raise.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "spec/log.h"
#include "ssd/admin/features.h"
#include "ssd/model/smart.h"
#include "ssd/model/thermal.h"

namespace pynvme::ssd {

class Events;

class Health {
 public:
  Health(Smart& smart, Thermal& thermal, Events& events)
      : smart_(smart), thermal_(thermal), events_(events) {}

  void set_thresholds(const FeatureValues& values);
  // Host Controlled Thermal Management (NVMe Base 2.0 §8.15.5): Kelvin from which the controller
  // slows down a little, and a lot; 0 is never.
  void set_thermal_management(uint16_t tmt1_kelvin, uint16_t tmt2_kelvin);
  // 0: not slowed down, 1: beyond TMT1, 2: beyond TMT2.
  uint8_t throttle() const { return throttle_.load(std::memory_order_relaxed); }
  spec::SmartLog log(uint64_t now_ns);
  // Raises an event for a warning that has just begun. Looks ten times a second at most.
  void check(uint64_t now_ns) {
    if (now_ns < next_check_ns_.load(std::memory_order_relaxed)) return;
    check_now(now_ns);
  }
  void reset() { reported_ = 0; }

  Smart& smart() { return smart_; }
  Thermal& thermal() { return thermal_; }

 private:
  using Temperatures = std::array<uint16_t, 1 + kTemperatureSensors>;  // the composite one first

  void check_now(uint64_t now_ns);
  Temperatures temperatures(uint64_t now_ns);
  uint8_t critical_warning(const Temperatures& kelvin) const;
  void manage_heat(uint16_t kelvin, uint64_t now_ns);

  Smart& smart_;
  Thermal& thermal_;
  Events& events_;
  std::array<std::atomic<uint16_t>, 1 + kTemperatureSensors> over_{};
  std::array<std::atomic<uint16_t>, 1 + kTemperatureSensors> under_{};
  std::atomic<uint16_t> tmt1_{0};
  std::atomic<uint16_t> tmt2_{0};
  std::atomic<uint8_t> throttle_{0};
  std::atomic<uint8_t> enabled_{0};
  std::atomic<uint8_t> reported_{0};
  std::atomic<uint64_t> next_check_ns_{0};
};

}  // namespace pynvme::ssd
