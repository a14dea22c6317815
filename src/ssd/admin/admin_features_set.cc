// Set Features: what each feature's value must be (NVMe Base 2.0 §5.27.1). Reserved bits must be
// zero and reserved codes are refused, so that a host learns of its mistake.
#include <algorithm>
#include <bit>

#include "ssd/admin/admin.h"
#include "ssd/admin/maintenance.h"
#include "ssd/admin/persistent_events.h"
#include "ssd/frontend/queues.h"
#include "ssd/model/health.h"
#include "ssd/model/power.h"

namespace pynvme::ssd {
namespace {

namespace f = spec::fid;

constexpr uint8_t kAllSensors = 0xF;      // TMPSEL
constexpr uint8_t kWorkloadHintLast = 2;  // §8.15.3; 3 to 7 are reserved
// Critical warnings, the notices that Identify's OAES names, and that of telemetry (LPA).
constexpr uint32_t kAecKept = 0x1F | spec::AsyncEventConfigFeature::kNamespaceAttribute |
                              spec::AsyncEventConfigFeature::kFirmwareActivation |
                              spec::AsyncEventConfigFeature::kTelemetryLog;
constexpr uint32_t kVersion2 = 0x0002'0000;

// CDW11 bits that mean something.
uint32_t meaningful_bits(uint8_t fid) {
  switch (fid) {
    case f::kArbitration:
      return 0xFFFF'FF07;
    case f::kPowerManagement:
    case f::kSoftwareProgressMarker:
      return 0xFF;
    case f::kLbaRangeType:
      return 0x3F;
    case f::kTemperatureThreshold:
      return 0x003F'FFFF;
    case f::kErrorRecovery:
    case f::kInterruptVectorConfig:
      return 0x0001'FFFF;
    case f::kInterruptCoalescing:
      return 0xFFFF;
    // Hosts ask for all events that there may ever be, and get those there are.
    case f::kAsyncEventConfig:
    case f::kNumberOfQueues:
    case f::kHostControlledThermal:
    case f::kKeepAliveTimer:
      return 0xFFFF'FFFF;
    case f::kNamespaceWriteProtection:
      return 0x7;
    case f::kTimestamp:
    case f::kHostBehavior:
      return 0;
    default:
      return 1;
  }
}

}  // namespace

Outcome Admin::write_feature(const spec::Sqe& sqe, FeatureValues& values, uint64_t now_ns) {
  const uint8_t fid = spec::feature_fid(sqe.cdw10);
  const uint32_t value = sqe.cdw11;
  if ((value & ~meaningful_bits(fid)) != 0) return kInvalidField;
  switch (fid) {
    case f::kArbitration:
      values.arbitration = value;
      return kSuccess;
    case f::kPowerManagement:
      return set_power_state(value, values);
    case f::kTemperatureThreshold:
      return set_temperature_threshold(value, values);
    case f::kLbaRangeType:
    case f::kErrorRecovery:
    case f::kNamespaceWriteProtection:
      return write_namespace_feature(sqe, values);
    case f::kVolatileWriteCache:
      set_write_cache(value != 0, values);
      return kSuccess;
    case f::kNumberOfQueues:
      return set_number_of_queues(value, values);
    case f::kInterruptCoalescing:
      values.interrupt_coalescing = value;
      return kSuccess;
    case f::kInterruptVectorConfig: {
      const spec::InterruptVectorConfigFeature feature{value};
      if (feature.iv() >= values.coalescing_disabled.size()) return kInvalidField;
      values.coalescing_disabled[feature.iv()] = feature.cd();
      return kSuccess;
    }
    case f::kWriteAtomicityNormal:
      values.write_atomicity = value;
      return kSuccess;
    case f::kAsyncEventConfig:
      values.async_events = value & kAecKept;
      if (parts_.config.version >= kVersion2) {
        values.async_events |= value & spec::AsyncEventConfigFeature::kNormalSubsystemShutdown;
      }
      return kSuccess;
    case f::kAutonomousPowerStateTransition:
      return set_idle_transitions(sqe, values);
    case f::kHostControlledThermal:
      return set_thermal_management(value, values);
    case f::kKeepAliveTimer:
      values.keep_alive_ms = parts_.maintenance.set_keep_alive(value, now_ns);
      return kSuccess;
    case f::kNonOperationalPowerState:
      values.non_operational_power = value;
      return kSuccess;
    case f::kHostBehavior: {
      spec::HostBehaviorSupport behavior;
      const uint16_t status = from_host(sqe, &behavior, sizeof behavior);
      if (status != kSuccess) return status;
      if (behavior.acre > 1 || behavior.etdas > 1 || behavior.lbafee > 1) return kInvalidField;
      values.host_behavior = {behavior.acre, behavior.etdas, behavior.lbafee, {}};
      return kSuccess;
    }
    case f::kSanitizeConfig:
      values.sanitize_config = value;
      return kSuccess;
    case f::kSoftwareProgressMarker:
      values.software_progress = static_cast<uint8_t>(value);
      return kSuccess;
    case f::kHostIdentifier: {
      // On a fabric it is what Connect said, for as long as there is the association.
      if (parts_.fabric != nullptr) return fail(spec::sc::kCommandSequenceError);
      std::array<uint8_t, 16> identifier{};
      const bool extended = spec::HostIdentifierFeature{value}.exhid();
      const uint16_t status = from_host(sqe, identifier.data(), extended ? identifier.size() : 8);
      if (status == kSuccess) values.host_identifier = identifier;
      return status;
    }
    default: {
      spec::Timestamp timestamp;
      const uint16_t status = from_host(sqe, &timestamp, sizeof timestamp);
      if (status != kSuccess) return status;
      const spec::pel::TimestampChange event{
          std::bit_cast<uint64_t>(parts_.features.timestamp(now_ns)), now_ns / 1'000'000};
      parts_.features.set_timestamp(timestamp.milliseconds(), now_ns);
      parts_.persistent_events.add(spec::pel::Type::kTimestampChange, event, now_ns);
      return kSuccess;
    }
  }
}

uint16_t Admin::set_power_state(uint32_t value, FeatureValues& values) {
  const spec::PowerManagementFeature feature{value};
  if (feature.ps() >= parts_.config.power_states || feature.wh() > kWorkloadHintLast)
    return kInvalidField;
  values.power_management = value;
  if (&values == &parts_.features.current) {
    parts_.power.set_state(feature.ps());
    parts_.timing.set_power_state(feature.ps());
  }
  return kSuccess;
}

uint16_t Admin::set_temperature_threshold(uint32_t value, FeatureValues& values) {
  const spec::TemperatureThresholdFeature feature{value};
  if (feature.thsel() > spec::TemperatureThresholdFeature::kUnderThreshold) return kInvalidField;
  auto& thresholds = feature.thsel() == spec::TemperatureThresholdFeature::kOverThreshold
                         ? values.over_temperature
                         : values.under_temperature;
  if (feature.tmpsel() == kAllSensors) {
    thresholds.fill(feature.tmpth());
  } else if (feature.tmpsel() <= kTemperatureSensors) {
    thresholds[feature.tmpsel()] = feature.tmpth();
  } else {
    return kInvalidField;
  }
  return kSuccess;
}

void Admin::set_write_cache(bool on, FeatureValues& values) {
  values.write_cache = on;
  if (on || &values != &parts_.features.current) return;
  // With no write on its way: what the cache holds becomes durable before anything relies on that.
  const Queues::IoLocked no_io(parts_.queues);
  parts_.features.write_cache = false;
  parts_.namespaces.flush();
}

Outcome Admin::set_number_of_queues(uint32_t value, FeatureValues& values) {
  const spec::NumberOfQueuesFeature asked{value};
  if (asked.nsq() == 0xFFFF || asked.ncq() == 0xFFFF) return kInvalidField;
  for (uint32_t id = 1; id < parts_.queues.count(); ++id) {
    if (parts_.queues.sq(id).live || parts_.queues.cq(id).live) {
      return fail(spec::sc::kCommandSequenceError);
    }
  }
  const auto most = static_cast<uint16_t>(parts_.config.io_queues - 1);
  values.number_of_queues =
      spec::NumberOfQueuesFeature::make(std::min(asked.nsq(), most), std::min(asked.ncq(), most))
          .value;
  return Outcome::with_cdw0(values.number_of_queues);
}

uint16_t Admin::set_idle_transitions(const spec::Sqe& sqe, FeatureValues& values) {
  spec::ApstTable table;
  const uint16_t status = from_host(sqe, &table, sizeof table);
  if (status != kSuccess) return status;
  for (uint8_t state = 0; state < kPowerStateCount; ++state) {
    const spec::ApstEntry entry = table.entry[state];
    if (entry.itpt_ms() == 0) continue;
    // The goal is a non-operational state (§5.27.1.9).
    if (entry.itps() >= parts_.config.power_states || !kPowerStates[entry.itps()].non_operational) {
      return kInvalidField;
    }
  }
  values.apst = table;
  values.apst_enabled = sqe.cdw11 != 0;
  return kSuccess;
}

uint16_t Admin::set_thermal_management(uint32_t value, FeatureValues& values) {
  const spec::HostControlledThermalFeature feature{value};
  // Zero switches a threshold off; the light one lies below the heavy one (§5.27.1.13).
  for (const uint16_t kelvin : {feature.tmt1(), feature.tmt2()}) {
    if (kelvin != 0 &&
        (kelvin < kThermalManagementKelvinMin || kelvin > kThermalManagementKelvinMax)) {
      return kInvalidField;
    }
  }
  if (feature.tmt1() != 0 && feature.tmt2() != 0 && feature.tmt1() >= feature.tmt2()) {
    return kInvalidField;
  }
  values.host_controlled_thermal = value;
  return kSuccess;
}

}  // namespace pynvme::ssd
