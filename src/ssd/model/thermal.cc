#include "ssd/model/thermal.h"

#include <cmath>
#include <mutex>

namespace pynvme::ssd {
namespace {

constexpr double kTauNs = 20e9;
// The load's part of the temperature: this much at most, half of it at this bandwidth.
constexpr double kLoadKelvin = 50.0;
constexpr double kHalfLoadBytesPerNs = 3.0;

}  // namespace

void Thermal::update_locked(uint64_t now_ns) {
  const uint64_t last = updated_ns_.load(std::memory_order_relaxed);
  if (now_ns <= last) return;  // another thread was later and quicker
  const auto elapsed = static_cast<double>(now_ns - last);
  const double bandwidth =
      static_cast<double>(pending_bytes_.exchange(0, std::memory_order_relaxed)) / elapsed;
  const double target =
      powered_ ? kIdleKelvin + kLoadKelvin * bandwidth / (bandwidth + kHalfLoadBytesPerNs)
               : kAmbientKelvin;
  kelvin_ = target + (kelvin_ - target) * std::exp(-elapsed / kTauNs);
  updated_ns_.store(now_ns, std::memory_order_relaxed);
}

void Thermal::update(uint64_t now_ns) {
  // Whoever comes second has nothing left to do.
  if (!lock_.try_lock()) return;
  update_locked(now_ns);
  lock_.unlock();
}

uint16_t Thermal::kelvin(uint64_t now_ns) {
  const std::lock_guard guard(lock_);
  // A shorter interval says too little about the bandwidth.
  if (now_ns - updated_ns_.load(std::memory_order_relaxed) >= kStepNs) update_locked(now_ns);
  return static_cast<uint16_t>(std::lround(kelvin_));
}

void Thermal::set_powered(bool powered, uint64_t now_ns) {
  const std::lock_guard guard(lock_);
  update_locked(now_ns);
  powered_ = powered;
}

}  // namespace pynvme::ssd
