// Defaults, and what can be saved and changed.
#include "ssd/admin/features.h"

#include <algorithm>
#include <iterator>

#include "ssd/admin/feature_store.h"
#include "ssd/model/power.h"

namespace pynvme::ssd {
namespace {

// The critical warnings that NVMe Base 2.0 §5.16.1.3 defines for every drive.
constexpr uint32_t kSmartEvents = 0x1F;

FeatureValues default_values(const Config& config, uint16_t vectors, uint16_t over_temperature) {
  FeatureValues values;
  // A burst of 4 commands (2^2), and equal weights.
  values.arbitration = spec::ArbitrationFeature::make(2, 0, 0, 0).value;
  // A sensor's over threshold is at its highest until the host moves it (§5.27.1.3).
  values.over_temperature.fill(0xFFFF);
  values.over_temperature[0] = over_temperature;
  values.number_of_queues =
      spec::NumberOfQueuesFeature::make(static_cast<uint16_t>(config.io_queues - 1),
                                        static_cast<uint16_t>(config.io_queues - 1))
          .value;
  values.coalescing_disabled.assign(vectors, false);
  // Health warnings are told unless the host says otherwise, notices only when it asks.
  values.async_events = kSmartEvents;
  return values;
}

}  // namespace

Features::Features(const Config& config, uint16_t vectors, uint16_t over_temperature_kelvin)
    : current(default_values(config, vectors, over_temperature_kelvin)),
      saved(current),
      defaults(current) {}

Features::Kind Features::kind(uint8_t fid, const Config& config) {
  namespace f = spec::fid;
  constexpr uint32_t kKept = spec::kFeatureCapSaveable | spec::kFeatureCapChangeable;
  switch (fid) {
    case f::kArbitration:
    case f::kPowerManagement:
    case f::kTemperatureThreshold:
    case f::kInterruptCoalescing:
    case f::kInterruptVectorConfig:
    case f::kWriteAtomicityNormal:
    case f::kAsyncEventConfig:
    case f::kHostControlledThermal:
    case f::kSanitizeConfig:
    case f::kSoftwareProgressMarker:
      return {true, kKept, 0};
    case f::kVolatileWriteCache:
      return {config.cache_bytes != 0, kKept, 0};
    case f::kErrorRecovery:
      return {true, kKept | spec::kFeatureCapNamespaceSpecific, 0};
    case f::kLbaRangeType:
      return {true, kKept | spec::kFeatureCapNamespaceSpecific,
              kLbaRangesMax * sizeof(spec::LbaRangeType)};
    case f::kNamespaceWriteProtection:
      // It outlives resets and power cycles by itself: there is no saved value beside it.
      return {true, spec::kFeatureCapChangeable | spec::kFeatureCapNamespaceSpecific, 0};
    case f::kNumberOfQueues:
    case f::kKeepAliveTimer:
      return {true, spec::kFeatureCapChangeable, 0};
    case f::kHostBehavior:
      return {true, spec::kFeatureCapChangeable, sizeof(spec::HostBehaviorSupport)};
    case f::kHostIdentifier:
      return {true, spec::kFeatureCapChangeable, sizeof(FeatureValues::host_identifier)};
    case f::kAutonomousPowerStateTransition:
      return {has_non_operational_state(config), kKept, sizeof(spec::ApstTable)};
    case f::kNonOperationalPowerState:
      return {has_non_operational_state(config), kKept, 0};
    case f::kTimestamp:
      return {true, spec::kFeatureCapChangeable, sizeof(spec::Timestamp)};
    default:
      return {};
  }
}

void Features::keep_in(std::span<uint8_t> store, const Config& config) {
  store_ = store;
  load_features(store_, saved, current);
  const uint8_t state = spec::PowerManagementFeature{saved.power_management}.ps();
  const bool apst_fits = std::all_of(
      std::begin(saved.apst.entry), std::end(saved.apst.entry),
      [&](auto entry) { return entry.itpt_ms() == 0 || entry.itps() < config.power_states; });
  for (FeatureValues* values : {&saved, &current}) {
    if (state >= config.power_states) values->power_management = defaults.power_management;
    if (apst_fits) continue;
    values->apst = defaults.apst;
    values->apst_enabled = defaults.apst_enabled;
  }
  power_cycled();
}

void Features::store() const {
  if (!store_.empty()) store_features(store_, saved, current);
}

void Features::reset() {
  std::map<uint32_t, uint8_t> protection;
  for (const auto& [nsid, values] : current.of_namespace)
    protection[nsid] = values.write_protection;
  current = saved;
  for (const auto& [nsid, state] : protection) {
    if (state != spec::NamespaceWriteProtectionFeature::kNone) {
      current.of_namespace[nsid].write_protection = state;
    }
  }
  write_cache = current.write_cache;
}

void Features::power_cycled() {
  using Protection = spec::NamespaceWriteProtectionFeature;
  for (auto& [nsid, values] : current.of_namespace) {
    if (values.write_protection == Protection::kUntilPowerCycle) {
      values.write_protection = Protection::kNone;
    }
  }
}

void Features::forget_namespace(uint32_t nsid) {
  current.of_namespace.erase(nsid);
  saved.of_namespace.erase(nsid);
  store();
}

void Features::forget_lba_ranges(uint32_t nsid) {
  for (FeatureValues* values : {&current, &saved}) {
    const auto found = values->of_namespace.find(nsid);
    if (found != values->of_namespace.end()) found->second.lba_ranges.clear();
  }
  store();
}

void Features::set_timestamp(uint64_t ms, uint64_t now_ns) {
  timestamp_ms_ = ms;
  timestamp_set_ns_ = now_ns;
  timestamp_origin_ = spec::Timestamp::kOriginSetFeatures;
}

void Features::reset_timestamp(uint64_t now_ns) {
  timestamp_ms_ = 0;
  timestamp_set_ns_ = now_ns;
  timestamp_origin_ = spec::Timestamp::kOriginReset;
}

spec::Timestamp Features::timestamp(uint64_t now_ns) const {
  spec::Timestamp timestamp{};
  timestamp.set_milliseconds(timestamp_ms_ + (now_ns - timestamp_set_ns_) / 1'000'000);
  timestamp.attributes = static_cast<uint8_t>(timestamp_origin_ << 1);
  return timestamp;
}

}  // namespace pynvme::ssd
