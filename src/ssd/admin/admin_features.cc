// Get and Set Features (NVMe Base 2.0 §5.15, §5.27): values checked, kept and handed to whom they
// concern.
#include <algorithm>

#include "spec/command_fields.h"
#include "ssd/admin/admin.h"
#include "ssd/frontend/interrupts.h"
#include "ssd/frontend/queues.h"
#include "ssd/model/health.h"
#include "ssd/model/power.h"

namespace pynvme::ssd {
namespace {

namespace f = spec::fid;

constexpr uint16_t kWrongNamespace = fail(spec::sc::kInvalidNamespaceOrFormat);
constexpr uint8_t kAllSensors = 0xF;  // TMPSEL
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
    case f::kErrorRecovery: {
      // Before namespaces had one each (NVMe 1.1) it was asked for without an NSID, and still is.
      const uint32_t nsid = sqe.nsid == 0 ? 1 : sqe.nsid;
      if (parts_.namespaces.find(nsid) == nullptr) return kWrongNamespace;
      return Outcome::with_cdw0(values.error_recovery[nsid - 1]);
    }
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
  apply_features();
  return outcome;
}

Outcome Admin::write_feature(const spec::Sqe& sqe, FeatureValues& values, uint64_t now_ns) {
  const uint32_t value = sqe.cdw11;
  switch (spec::feature_fid(sqe.cdw10)) {
    case f::kArbitration:
      values.arbitration = value & 0xFFFF'FF07;
      return kSuccess;
    case f::kPowerManagement: {
      const spec::PowerManagementFeature feature{value};
      if (feature.ps() >= kPowerStateCount) return kInvalidField;
      values.power_management = value & 0xFF;
      if (&values == &parts_.features.current) {
        parts_.power.set_state(feature.ps());
        parts_.timing.set_power_state(feature.ps());
      }
      return kSuccess;
    }
    case f::kTemperatureThreshold: {
      const spec::TemperatureThresholdFeature feature{value};
      if (feature.thsel() > 1) return kInvalidField;
      auto& thresholds = feature.thsel() == 0 ? values.over_temperature : values.under_temperature;
      if (feature.tmpsel() == kAllSensors) {
        thresholds.fill(feature.tmpth());
      } else if (feature.tmpsel() <= kTemperatureSensors) {
        thresholds[feature.tmpsel()] = feature.tmpth();
      } else {
        return kInvalidField;
      }
      return kSuccess;
    }
    case f::kErrorRecovery: {
      // Errors for deallocated blocks are not supported (NSFEAT bit 2), so DULBE cannot be set.
      const spec::ErrorRecoveryFeature feature{value};
      if (feature.dulbe()) return kInvalidField;
      if (sqe.nsid == 0 || sqe.nsid == spec::kNsidBroadcast) {
        values.error_recovery.assign(values.error_recovery.size(), feature.tler());
        return kSuccess;
      }
      if (parts_.namespaces.find(sqe.nsid) == nullptr) return kWrongNamespace;
      values.error_recovery[sqe.nsid - 1] = feature.tler();
      return kSuccess;
    }
    case f::kVolatileWriteCache:
      // What the cache holds becomes durable before anything relies on it being off.
      if (values.write_cache && (value & 1) == 0) parts_.namespaces.flush();
      values.write_cache = (value & 1) != 0;
      return kSuccess;
    case f::kNumberOfQueues: {
      const spec::NumberOfQueuesFeature asked{value};
      if (asked.nsq() == 0xFFFF || asked.ncq() == 0xFFFF) return kInvalidField;
      for (uint32_t id = 1; id < parts_.queues.count(); ++id) {
        if (parts_.queues.sq(id).live || parts_.queues.cq(id).live) {
          return fail(spec::sc::kCommandSequenceError);
        }
      }
      const auto most = static_cast<uint16_t>(parts_.config.io_queues - 1);
      values.number_of_queues = spec::NumberOfQueuesFeature::make(std::min(asked.nsq(), most),
                                                                  std::min(asked.ncq(), most))
                                    .value;
      return Outcome::with_cdw0(values.number_of_queues);
    }
    case f::kInterruptCoalescing:
      values.interrupt_coalescing = value & 0xFFFF;
      return kSuccess;
    case f::kInterruptVectorConfig: {
      const spec::InterruptVectorConfigFeature feature{value};
      if (feature.iv() >= values.coalescing_disabled.size()) return kInvalidField;
      values.coalescing_disabled[feature.iv()] = feature.cd();
      return kSuccess;
    }
    case f::kWriteAtomicityNormal:
      values.write_atomicity = value & 1;
      return kSuccess;
    case f::kAsyncEventConfig:
      // Of the notices, those that Identify's OAES names.
      values.async_events = value & (0xFF | spec::AsyncEventConfigFeature::kNamespaceAttribute |
                                     spec::AsyncEventConfigFeature::kFirmwareActivation);
      return kSuccess;
    case f::kAutonomousPowerStateTransition: {
      spec::ApstTable table;
      const uint16_t status = from_host(sqe, &table, sizeof table);
      if (status != kSuccess) return status;
      for (uint8_t state = 0; state < kPowerStateCount; ++state) {
        const spec::ApstEntry entry = table.entry[state];
        if (entry.itpt_ms() == 0) continue;
        // The goal is a non-operational state (§5.27.1.9).
        if (entry.itps() >= kPowerStateCount || !kPowerStates[entry.itps()].non_operational) {
          return kInvalidField;
        }
      }
      values.apst = table;
      values.apst_enabled = (value & 1) != 0;
      return kSuccess;
    }
    default: {
      spec::Timestamp timestamp;
      const uint16_t status = from_host(sqe, &timestamp, sizeof timestamp);
      if (status == kSuccess) parts_.features.set_timestamp(timestamp.milliseconds(), now_ns);
      return status;
    }
  }
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
}

}  // namespace pynvme::ssd
