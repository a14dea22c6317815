// The shared half of the SSD, and the news that controllers have for each other.
#include "ssd/tcp/subsystem.h"

#include <algorithm>
#include <iterator>

#include "spec/log.h"
#include "ssd/tcp/io_controller.h"

namespace pynvme::ssd::tcp {
namespace {

// A command without a bound would let a host ask for gigabytes of buffers.
constexpr uint32_t kTransferBytesMax = 1 << 20;

Config for_fabric(Config config) {
  if (config.mdts_bytes == 0 || config.mdts_bytes > kTransferBytesMax) {
    config.mdts_bytes = kTransferBytesMax;
  }
  config.doorbell_stride = 0;
  config.trace_events = 0;
  return config;
}

// The form for those without a domain name of their own (NVMe Base 2.0 §4.5).
std::string default_nqn(const Config& config) {
  std::string nqn = "nqn.2014-08.org.nvmexpress:1d1d0001:" + config.serial + ":" + config.model;
  std::replace(nqn.begin(), nqn.end(), ' ', '-');
  return nqn;
}

}  // namespace

Subsystem::Subsystem(const Config& config, const base::Clock& clock, std::string nqn)
    : config_(for_fabric(config)),
      clock_(clock),
      nqn_(nqn.empty() ? default_nqn(config) : std::move(nqn)),
      namespaces_(config_),
      smart_(config_.capacity_bytes, persistent_part(kPersistentSmart)),
      thermal_(now()),
      firmware_(config_.firmware),
      timing_(config_.latency_scale, config_.seed),
      faults_(clock_),
      state_(config_.file),
      shared_{config_, clock_,       namespaces_,        smart_,      thermal_, firmware_,
              timing_, maintenance_, persistent_events_, management_, faults_},
      own_(shared_, nullptr),
      persistent_events_(state_part(kStateEvents), own_.features),
      management_(state_part(kStateVpd), config_),
      maintenance_(own_.parts, persistent_part(kPersistentMaintenance)) {
  own_.features.keep_in(state_part(kStateFeatures), config_);
  firmware_.keep_in(state_part(kStateFirmware));
  namespace_features_ = own_.features.current.of_namespace;
  attached_ = attached();
  smart_.power_on(now());
  maintenance_.power_on(now());
}

Subsystem::~Subsystem() {
  // The process ends, not the power: what was written is kept.
  namespaces_.flush();
  maintenance_.power_off(now());
  smart_.power_off(now());
}

std::span<uint8_t> Subsystem::state_part(const PersistentPart& part) {
  return state_.bytes().subspan(part.offset, part.bytes);
}

std::span<uint8_t> Subsystem::persistent_part(const PersistentPart& part) {
  const std::span<uint8_t> area = namespaces_.persistent_area();
  return area.empty() ? area : area.subspan(part.offset, part.bytes);
}

void Subsystem::enter(IoController& controller) {
  by_cntlid_[controller.cntlid()] = &controller;
  cntlids_.insert(std::ranges::lower_bound(cntlids_, controller.cntlid()), controller.cntlid());
  controller.parts().features.keep_in(state_part(kStateFeatures), config_);
  adopt_namespace_features(controller.parts().features.current);
}

void Subsystem::leave(IoController& controller) {
  by_cntlid_.erase(controller.cntlid());
  std::erase(cntlids_, controller.cntlid());
}

std::vector<uint32_t> Subsystem::attached() const {
  std::vector<uint32_t> nsids;
  for (const Namespace* const ns : namespaces_.all()) {
    if (namespaces_.attached(*ns)) nsids.push_back(ns->nsid);
  }
  return nsids;
}

void Subsystem::namespaces_changed(const IoController& by, uint32_t formatted_nsid) {
  std::vector<uint32_t> now = attached();
  std::vector<uint32_t> changed;
  std::ranges::set_symmetric_difference(now, attached_, std::back_inserter(changed));
  if (formatted_nsid == spec::kNsidBroadcast) changed = now;
  if (std::ranges::binary_search(now, formatted_nsid)) changed.push_back(formatted_nsid);
  attached_ = std::move(now);
  for (const auto& [cntlid, controller] : by_cntlid_) {
    if (controller == &by) continue;
    for (const uint32_t nsid : changed) controller->namespace_changed(nsid);
  }
}

void Subsystem::namespace_features_changed(const IoController& by) {
  namespace_features_ = by.parts().features.current.of_namespace;
  for (const auto& [cntlid, controller] : by_cntlid_) {
    adopt_namespace_features(controller->parts().features.current);
  }
}

void Subsystem::adopt_namespace_features(FeatureValues& values) const {
  values.of_namespace = namespace_features_;
}

void Subsystem::advance(uint64_t now_ns) {
  maintenance_.advance(now_ns);
  const bool sanitizing = maintenance_.io_status() == fail_once(spec::sc::kSanitizeInProgress);
  if (sanitizing_ && !sanitizing) {
    for (const auto& [cntlid, controller] : by_cntlid_) {
      controller->raise(spec::aer::kTypeIoCommandSpecific, spec::aer::kIoSanitizeCompleted,
                        spec::lid::kSanitizeStatus);
    }
  }
  sanitizing_ = sanitizing;
}

void Subsystem::shut_down() {
  namespaces_.flush();
  smart_.set_shut_down(true);
}

void Subsystem::started() { smart_.set_shut_down(false); }

}  // namespace pynvme::ssd::tcp
