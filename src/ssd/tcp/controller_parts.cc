// Putting the parts of a controller together.
#include "ssd/tcp/controller_parts.h"

#include "ssd/model/smart.h"

namespace pynvme::ssd::tcp {
namespace {

uint64_t errors_so_far(Smart& smart, uint64_t now_ns) {
  spec::SmartLog log;
  smart.fill(log, now_ns);
  return log.error_log_entries.lo;
}

}  // namespace

ControllerParts::ControllerParts(const SharedParts& shared, const Fabric* fabric)
    : doorbells(2U * (shared.config.io_queues + 1U)),
      trace(0, shared.clock),
      interrupts(1, static_cast<uint16_t>(shared.config.io_queues + 1), trace),
      registers(shared.config),
      queues(shared.config.io_queues, memory, interrupts, trace, doorbells.data(), 0),
      features(shared.config, 1, kWarningKelvin),
      error_log(shared.config.elpe, errors_so_far(shared.smart, shared.clock.now_ns())),
      events(shared.config.aerl, queues, shared.clock),
      health(shared.smart, shared.thermal, events),
      parts{shared.config,
            shared.clock,
            memory,
            interrupts,
            registers,
            queues,
            outstanding,
            shared.namespaces,
            features,
            shared.firmware,
            events,
            error_log,
            health,
            power,
            shared.timing,
            shared.maintenance,
            shared.persistent_events,
            shared.management,
            trace,
            shared.faults,
            held,
            fabric} {
  memory.set_direct();
}

}  // namespace pynvme::ssd::tcp
