// An NVM subsystem of a fabric: the embedded SSD's namespaces, media, health and firmware, shared
// by as many controllers as hosts connect (the dynamic controller model). All of it, controllers
// included, belongs to one thread, so what one controller does to a namespace happens between two
// commands of the others.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/clock.h"
#include "ssd/admin/firmware.h"
#include "ssd/admin/maintenance.h"
#include "ssd/admin/management.h"
#include "ssd/admin/persistent_events.h"
#include "ssd/config.h"
#include "ssd/faults/faults.h"
#include "ssd/media/state_file.h"
#include "ssd/model/smart.h"
#include "ssd/model/thermal.h"
#include "ssd/model/timing.h"
#include "ssd/nvm/namespaces.h"
#include "ssd/persistent_layout.h"
#include "ssd/tcp/controller_parts.h"

namespace pynvme::ssd::tcp {

class IoController;

class Subsystem {
 public:
  // Throws std::runtime_error when the media's file cannot be used. nqn empty: one made from the
  // serial number.
  Subsystem(const Config& config, const base::Clock& clock, std::string nqn);
  ~Subsystem();
  Subsystem(const Subsystem&) = delete;
  Subsystem& operator=(const Subsystem&) = delete;

  const Config& config() const { return config_; }
  const base::Clock& clock() const { return clock_; }
  const std::string& nqn() const { return nqn_; }
  const SharedParts& shared() const { return shared_; }
  Faults& faults() { return faults_; }
  const Faults& faults() const { return faults_; }
  uint64_t now() const { return clock_.now_ns(); }

  // Controllers enter when they are made and leave when they are gone.
  const std::vector<uint16_t>& controllers() const { return cntlids_; }
  void enter(IoController& controller);
  void leave(IoController& controller);

  // Commands of one controller that concern the others, after they succeeded.
  // Some may be attached or gone now; one (or FFFFFFFFh, all) was formatted, unless it is 0.
  void namespaces_changed(const IoController& by, uint32_t formatted_nsid);
  void namespace_features_changed(const IoController& by);
  void adopt_namespace_features(FeatureValues& values) const;

  // It may be over before the next advance().
  void sanitize_started() { sanitizing_ = true; }

  // What falls due for all of them together.
  void advance(uint64_t now_ns);
  uint64_t next_due() const { return maintenance_.next_due(); }

  // A controller was shut down in an orderly way: everything written is durable.
  void shut_down();
  void started();

 private:
  std::vector<uint32_t> attached() const;
  std::span<uint8_t> state_part(const PersistentPart& part);
  std::span<uint8_t> persistent_part(const PersistentPart& part);

  const Config config_;
  const base::Clock& clock_;
  const std::string nqn_;
  Namespaces namespaces_;
  Smart smart_;
  Thermal thermal_;
  Firmware firmware_;
  Timing timing_;
  Faults faults_;
  StateFile state_;
  SharedParts shared_;
  ControllerParts own_;  // what the shared parts need of a controller; no host sees it
  PersistentEvents persistent_events_;
  Management management_;
  Maintenance maintenance_;
  std::map<uint16_t, IoController*> by_cntlid_;
  std::vector<uint16_t> cntlids_;
  bool sanitizing_ = false;
  std::map<uint32_t, NamespaceFeatures> namespace_features_;
  std::vector<uint32_t> attached_;  // as all controllers know it
};

}  // namespace pynvme::ssd::tcp
