// Get and Set Features (NVMe Base 2.0 §5.15, §5.27): selectors, what can be saved, values read and
// handed to whom they concern. What a value must be is in admin_features_set.cc, what belongs to a
// namespace in admin_features_namespace.cc.
#include "ssd/admin/admin.h"
#include "ssd/frontend/interrupts.h"
#include "ssd/model/health.h"
#include "ssd/model/power.h"

namespace pynvme::ssd {
namespace {

namespace f = spec::fid;

constexpr uint64_t kCoalescingUnitNs = 100'000;

}  // namespace

Outcome Admin::get_features(const spec::Sqe& sqe, uint64_t now_ns) {
  const uint8_t fid = spec::feature_fid(sqe.cdw10);
  const Features::Kind kind = Features::kind(fid, parts_.config);
  if (!kind.there) return kInvalidField;
  switch (static_cast<spec::Sel>(spec::feature_sel(sqe.cdw10))) {
    case spec::Sel::kCurrent:
      return read_feature(sqe, parts_.features.current, now_ns);
    case spec::Sel::kDefault:
      return read_feature(sqe, parts_.features.defaults, now_ns);
    case spec::Sel::kSaved:
      return read_feature(sqe, parts_.features.saved, now_ns);
    case spec::Sel::kSupportedCapabilities:
      return Outcome::with_cdw0(kind.capabilities);
    default:
      return kInvalidField;
  }
}

Outcome Admin::read_feature(const spec::Sqe& sqe, const FeatureValues& values, uint64_t now_ns) {
  const bool current = &values == &parts_.features.current;
  switch (spec::feature_fid(sqe.cdw10)) {
    case f::kArbitration:
      return Outcome::with_cdw0(values.arbitration);
    case f::kPowerManagement: {
      const spec::PowerManagementFeature feature{values.power_management};
      const uint8_t state = current ? parts_.power.state(now_ns) : feature.ps();
      return Outcome::with_cdw0(spec::PowerManagementFeature::make(state, feature.wh()).value);
    }
    case f::kTemperatureThreshold: {
      const spec::TemperatureThresholdFeature which{sqe.cdw11};
      if (which.tmpsel() > kTemperatureSensors || which.thsel() > 1) return kInvalidField;
      return Outcome::with_cdw0(which.thsel() == 0 ? values.over_temperature[which.tmpsel()]
                                                   : values.under_temperature[which.tmpsel()]);
    }
    case f::kLbaRangeType:
    case f::kErrorRecovery:
    case f::kNamespaceWriteProtection:
      return read_namespace_feature(sqe, values);
    case f::kVolatileWriteCache:
      return Outcome::with_cdw0(values.write_cache ? 1 : 0);
    case f::kNumberOfQueues:
      return Outcome::with_cdw0(values.number_of_queues);
    case f::kInterruptCoalescing:
      return Outcome::with_cdw0(values.interrupt_coalescing);
    case f::kInterruptVectorConfig: {
      const uint16_t vector = spec::InterruptVectorConfigFeature{sqe.cdw11}.iv();
      if (vector >= values.coalescing_disabled.size()) return kInvalidField;
      return Outcome::with_cdw0(
          spec::InterruptVectorConfigFeature::make(vector, values.coalescing_disabled[vector])
              .value);
    }
    case f::kWriteAtomicityNormal:
      return Outcome::with_cdw0(values.write_atomicity);
    case f::kAsyncEventConfig:
      return Outcome::with_cdw0(values.async_events);
    case f::kAutonomousPowerStateTransition: {
      Outcome outcome = to_host(sqe, &values.apst, sizeof values.apst);
      outcome.cdw0 = values.apst_enabled ? 1 : 0;
      return outcome;
    }
    case f::kKeepAliveTimer:
      return Outcome::with_cdw0(values.keep_alive_ms);
    case f::kHostControlledThermal:
      return Outcome::with_cdw0(values.host_controlled_thermal);
    case f::kNonOperationalPowerState:
      return Outcome::with_cdw0(values.non_operational_power);
    case f::kHostBehavior:
      return to_host(sqe, &values.host_behavior, sizeof values.host_behavior);
    case f::kSanitizeConfig:
      return Outcome::with_cdw0(values.sanitize_config);
    case f::kSoftwareProgressMarker:
      return Outcome::with_cdw0(values.software_progress);
    case f::kHostIdentifier: {
      const spec::HostIdentifierFeature asked{sqe.cdw11};
      // On a fabric there are only those of 128 bits.
      if (parts_.fabric != nullptr && !asked.exhid()) return kInvalidField;
      Outcome outcome = to_host(sqe, values.host_identifier.data(),
                                asked.exhid() ? values.host_identifier.size() : 8);
      outcome.cdw0 = asked.exhid() ? 1 : 0;
      return outcome;
    }
    default: {
      const spec::Timestamp timestamp =
          current ? parts_.features.timestamp(now_ns) : spec::Timestamp{};
      return to_host(sqe, &timestamp, sizeof timestamp);
    }
  }
}

Outcome Admin::set_features(const spec::Sqe& sqe, uint64_t now_ns) {
  const uint8_t fid = spec::feature_fid(sqe.cdw10);
  const Features::Kind kind = Features::kind(fid, parts_.config);
  if (!kind.there) return kInvalidField;
  const bool save = spec::feature_sv(sqe.cdw10);
  if (save && (kind.capabilities & spec::kFeatureCapSaveable) == 0) {
    return fail_specific(spec::sc::kFeatureNotSaveable);
  }
  const bool per_namespace = (kind.capabilities & spec::kFeatureCapNamespaceSpecific) != 0;
  if (!per_namespace && sqe.nsid != 0 && sqe.nsid != spec::kNsidBroadcast) {
    return fail_specific(spec::sc::kFeatureNotNamespaceSpecific);
  }
  const Outcome outcome = write_feature(sqe, parts_.features.current, now_ns);
  if (outcome.status != kSuccess) return outcome;
  if (save) write_feature(sqe, parts_.features.saved, now_ns);
  if (save || fid == f::kNamespaceWriteProtection) parts_.features.store();
  apply_features();
  return outcome;
}

void Admin::apply_features() {
  const FeatureValues& values = parts_.features.current;
  parts_.features.write_cache = values.write_cache;
  const spec::InterruptCoalescingFeature coalescing{values.interrupt_coalescing};
  parts_.interrupts.set_coalescing(coalescing.thr() + 1U, coalescing.time() * kCoalescingUnitNs);
  for (uint16_t vector = 0; vector < parts_.interrupts.vectors(); ++vector) {
    parts_.interrupts.set_coalescing_disabled(vector, values.coalescing_disabled[vector]);
  }
  parts_.power.set_transitions(values.apst_enabled, values.apst);
  parts_.health.set_thresholds(values);
  const spec::HostControlledThermalFeature thermal{values.host_controlled_thermal};
  parts_.health.set_thermal_management(thermal.tmt1(), thermal.tmt2());
  for (const auto& ns : parts_.namespaces.all()) {
    const NamespaceFeatures of = values.of(ns->nsid);
    ns->deallocated_is_error = spec::ErrorRecoveryFeature{of.error_recovery}.dulbe();
    ns->write_protected = of.write_protection != spec::NamespaceWriteProtectionFeature::kNone;
  }
}

}  // namespace pynvme::ssd
