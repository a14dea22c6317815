// Resets beyond CC.EN, shutdown and power. Every one ends the queues before it begins; what it does
// to the device is the transport's.
#include <algorithm>

#include "driver/controller.h"
#include "driver/errors.h"
#include "driver/io_queue_pair.h"

namespace pynvme::driver {

namespace reg = spec::reg;

void Controller::reset_as(ResetKind kind, const char* reason) {
  transport_->check_reset(kind);
  queues_lost(reason);
  transport_->reset(kind, [this] { idle(); });
  device_stopped();
}

void Controller::subsystem_reset() {
  if (!cap_.nssrs()) {
    throw InvalidArgument(name() + " has no NVM Subsystem Reset (CAP.NSSRS is 0)");
  }
  reset_as(ResetKind::kSubsystem, "the NVM subsystem was reset");
}

void Controller::hot_reset() { reset_as(ResetKind::kHot, "the function got a hot reset"); }

void Controller::function_level_reset() {
  reset_as(ResetKind::kFunctionLevel, "the function got a function level reset");
}

void Controller::power_off() { reset_as(ResetKind::kPowerOff, "the device was powered off"); }

void Controller::power_on() { reset_as(ResetKind::kPowerOn, "the device was powered on"); }

void Controller::shutdown(bool abrupt) {
  const spec::Cc cc{read32(reg::kCc)};
  queues_lost("the controller was shut down");
  write32(reg::kCc, cc.with_shn(abrupt ? spec::Shn::kAbrupt : spec::Shn::kNormal).value);
  // RTD3E is in microseconds; 0 says nothing (§5.17.2.1).
  const uint64_t limit_ms = std::max<uint64_t>(identify_->rtd3e / 1000, kDefaultTimeoutMs);
  constexpr uint32_t kShst = 3U << 2;
  try {
    wait_register(reg::kCsts, kShst, static_cast<uint32_t>(spec::Shst::kComplete) << 2, limit_ms,
                  "complete its shutdown (CSTS.SHST = 2)");
  } catch (const CommandTimeout& timeout) {
    throw ShutdownTimeout(timeout.what());
  }
}

}  // namespace pynvme::driver
