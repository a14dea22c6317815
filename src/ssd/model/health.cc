// SMART's live part and temperature events.
#include "ssd/model/health.h"

#include "ssd/admin/events.h"

namespace pynvme::ssd {
namespace {

constexpr uint64_t kCheckIntervalNs = 100'000'000;
// The flash is a little cooler than the controller, which is what the composite temperature is
// taken from.
constexpr uint16_t kFlashCoolerKelvin = 3;

}  // namespace

void Health::set_thresholds(const FeatureValues& values) {
  for (size_t i = 0; i < over_.size(); ++i) {
    over_[i] = values.over_temperature[i];
    under_[i] = values.under_temperature[i];
  }
  enabled_ = spec::AsyncEventConfigFeature{values.async_events}.smart();
  next_check_ns_ = 0;
}

void Health::set_thermal_management(uint16_t tmt1_kelvin, uint16_t tmt2_kelvin) {
  tmt1_ = tmt1_kelvin;
  tmt2_ = tmt2_kelvin;
  next_check_ns_ = 0;
}

void Health::manage_heat(uint16_t kelvin, uint64_t now_ns) {
  const uint16_t tmt1 = tmt1_;
  const uint16_t tmt2 = tmt2_;
  uint8_t level = 0;
  if (tmt1 != 0 && kelvin >= tmt1) level = 1;
  if (tmt2 != 0 && kelvin >= tmt2) level = 2;
  smart_.set_throttle(level, now_ns);
  throttle_.store(level, std::memory_order_relaxed);
}

Health::Temperatures Health::temperatures(uint64_t now_ns) {
  const uint16_t composite = thermal_.kelvin(now_ns);
  return {composite, composite, static_cast<uint16_t>(composite - kFlashCoolerKelvin)};
}

uint8_t Health::critical_warning(const Temperatures& kelvin) const {
  for (size_t i = 0; i < kelvin.size(); ++i) {
    // At or above, at or below (NVMe Base 2.0 §5.27.1.3); an under threshold of 0 is never met.
    if (kelvin[i] >= over_[i] || kelvin[i] <= under_[i]) return spec::kWarningTemperature;
  }
  return 0;
}

spec::SmartLog Health::log(uint64_t now_ns) {
  const auto kelvin = temperatures(now_ns);
  smart_.set_temperature(kelvin[0], now_ns);
  manage_heat(kelvin[0], now_ns);
  spec::SmartLog log{};
  smart_.fill(log, now_ns);
  log.critical_warning = critical_warning(kelvin);
  for (size_t i = 0; i < kTemperatureSensors; ++i) log.temperature_sensor[i] = kelvin[1 + i];
  return log;
}

void Health::check_now(uint64_t now_ns) {
  next_check_ns_.store(now_ns + kCheckIntervalNs, std::memory_order_relaxed);
  const Temperatures kelvin = temperatures(now_ns);
  smart_.set_temperature(kelvin[0], now_ns);
  manage_heat(kelvin[0], now_ns);
  const uint8_t warning = critical_warning(kelvin);
  const uint8_t before = reported_.exchange(warning);
  const uint8_t begun = warning & ~before & enabled_.load(std::memory_order_relaxed);
  if ((begun & spec::kWarningTemperature) != 0) {
    events_.raise(spec::aer::kTypeSmart, spec::aer::kSmartTemperature, spec::lid::kSmart);
  }
}

}  // namespace pynvme::ssd
