// The parts of the SSD that commands work on, as one handful of references. The device owns them
// all.
#pragma once

#include "base/clock.h"
#include "ssd/config.h"

namespace pynvme::ssd {

struct Fabric;
class ErrorLog;
class Events;
class Faults;
class Features;
class Firmware;
class Health;
class HeldCompletions;
class HostMemory;
class Interrupts;
class Maintenance;
class Management;
class Namespaces;
class Outstanding;
class PersistentEvents;
class Power;
class Queues;
class Registers;
class Timing;
class Trace;

struct Parts {
  const Config& config;
  const base::Clock& clock;
  HostMemory& memory;
  Interrupts& interrupts;
  Registers& registers;
  Queues& queues;
  Outstanding& outstanding;
  Namespaces& namespaces;
  Features& features;
  Firmware& firmware;
  Events& events;
  ErrorLog& error_log;
  Health& health;
  Power& power;
  Timing& timing;
  Maintenance& maintenance;
  PersistentEvents& persistent_events;
  Management& management;
  Trace& trace;
  Faults& faults;
  HeldCompletions& held;           // by faults
  const Fabric* fabric = nullptr;  // null: the controller is a PCI function
};

}  // namespace pynvme::ssd
