// The parts of the SSD that each controller has for itself: registers, queues, features, events,
// error log. What all controllers share is the subsystem's.
#pragma once

#include <cstdint>
#include <vector>

#include "ssd/admin/error_log.h"
#include "ssd/admin/events.h"
#include "ssd/admin/features.h"
#include "ssd/fabric.h"
#include "ssd/faults/held.h"
#include "ssd/frontend/host_memory.h"
#include "ssd/frontend/interrupts.h"
#include "ssd/frontend/outstanding.h"
#include "ssd/frontend/queues.h"
#include "ssd/frontend/registers.h"
#include "ssd/frontend/trace.h"
#include "ssd/model/health.h"
#include "ssd/model/power.h"
#include "ssd/parts.h"

namespace pynvme::ssd::tcp {

// What is shared, as one handful of references.
struct SharedParts {
  const Config& config;
  const base::Clock& clock;
  Namespaces& namespaces;
  Smart& smart;
  Thermal& thermal;
  Firmware& firmware;
  Timing& timing;
  Maintenance& maintenance;
  PersistentEvents& persistent_events;
  Management& management;
  Faults& faults;
};

struct ControllerParts {
  ControllerParts(const SharedParts& shared, const Fabric* fabric);
  ControllerParts(const ControllerParts&) = delete;
  ControllerParts& operator=(const ControllerParts&) = delete;

  std::vector<uint32_t> doorbells;
  HostMemory memory;
  Trace trace;
  Interrupts interrupts;
  Registers registers;
  Queues queues;
  Outstanding outstanding;
  HeldCompletions held;
  Features features;
  ErrorLog error_log;
  Events events;
  Health health;
  Power power;
  Parts parts;
};

}  // namespace pynvme::ssd::tcp
