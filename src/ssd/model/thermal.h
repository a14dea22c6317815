// The drive's temperature: rises and falls exponentially towards a value that the load of the last
// seconds sets. feed() is one relaxed addition, the model runs ten times a second at most. Thread
// safe.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/spinlock.h"

namespace pynvme::ssd {

// WCTEMP and CCTEMP of Identify Controller.
inline constexpr uint16_t kWarningKelvin = 343;
inline constexpr uint16_t kCriticalKelvin = 358;
// MNTMT and MXTMT: where the host may place its thermal management temperatures.
inline constexpr uint16_t kThermalManagementKelvinMin = 273;
inline constexpr uint16_t kThermalManagementKelvinMax = kCriticalKelvin;

class Thermal {
 public:
  static constexpr uint16_t kAmbientKelvin = 300;
  static constexpr uint16_t kIdleKelvin = 308;  // powered and idle

  explicit Thermal(uint64_t now_ns) : updated_ns_(now_ns) {}

  // So many bytes were read or written: to be called per batch.
  void feed(uint64_t bytes, uint64_t now_ns) {
    pending_bytes_.fetch_add(bytes, std::memory_order_relaxed);
    if (now_ns - updated_ns_.load(std::memory_order_relaxed) >= kStepNs) update(now_ns);
  }
  uint16_t kelvin(uint64_t now_ns);
  // Without power the drive cools to ambient; with it, the load counts again.
  void set_powered(bool powered, uint64_t now_ns);

 private:
  static constexpr uint64_t kStepNs = 100'000'000;

  void update(uint64_t now_ns);
  void update_locked(uint64_t now_ns);

  std::atomic<uint64_t> pending_bytes_{0};
  std::atomic<uint64_t> updated_ns_;
  base::SpinLock lock_;
  bool powered_ = true;
  double kelvin_ = kIdleKelvin;
};

}  // namespace pynvme::ssd
