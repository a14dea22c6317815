// Resets beyond CC.EN, shutdown and power. Every one ends the queues before it begins, and leaves a
// disabled controller whose configuration space is as it was.
#include <algorithm>

#include "driver/controller.h"
#include "driver/errors.h"
#include "driver/io_queue_pair.h"
#include "driver/patience.h"
#include "pcie/config_space.h"
#include "spec/pci.h"

namespace pynvme::driver {

namespace reg = spec::reg;

namespace {

// How long a device may take to answer configuration reads after a reset (PCIe 5.0 §6.6.1).
constexpr uint64_t kConfigReadyMs = 1000;

bool present(pcie::Function& function) {
  return function.config_read(spec::pci::kVendorId, 2) != spec::pci::kVendorIdAbsent;
}

}  // namespace

void Controller::reset_function(const char* reason, const std::function<void()>& reset) {
  queues_lost(reason);
  pcie::ConfigSpace space(*function_);
  if (present(*function_)) saved_config_ = space.save();
  reset();
  Patience patience(clock_);
  const uint64_t start_ns = clock_.now_ns();
  while (!present(*function_)) {
    if (!patience.pause()) continue;
    idle();
    if (patience.now_ns() - start_ns > kConfigReadyMs * 1'000'000) {
      throw DeviceGone(name() + " did not come back: its configuration space reads all ones");
    }
  }
  device_stopped();
  if (!saved_config_.empty()) space.restore(saved_config_);
  space.set_up();
}

// A reset that the script made by itself (NSSR, FLR or hot reset by registers) leaves the function
// as after power-on: with memory space off nothing answers.
void Controller::restore_lost_config() {
  const uint32_t command = function_->config_read(spec::pci::kCommand, 2);
  if (!present(*function_) || (command & spec::pci::kCommandMemorySpace) != 0) return;
  queues_lost("a reset of the function took its configuration");
  pcie::ConfigSpace space(*function_);
  const auto express = space.find(spec::pci::kCapIdPciExpress);
  const auto link_control =
      static_cast<uint16_t>(express.value_or(0) + spec::pci::pcie::kLinkControl);
  const uint32_t link = function_->config_read(link_control, 2);
  if (!saved_config_.empty()) space.restore(saved_config_);
  // What a function level reset left of the link is newer than what was saved (PCIe 5.0 §6.6.2).
  if (express && (link & spec::pci::pcie::kLinkControlAspmMask) != 0) {
    function_->config_write(link_control, link, 2);
  }
  space.set_up();
}

void Controller::subsystem_reset() {
  if (!cap_.nssrs()) {
    throw InvalidArgument(name() + " has no NVM Subsystem Reset (CAP.NSSRS is 0)");
  }
  reset_function("the NVM subsystem was reset",
                 [this] { function_->bar_write(0, reg::kNssr, spec::kNssrReset, 4); });
}

void Controller::hot_reset() {
  reset_function("the function got a hot reset", [this] { function_->hot_reset(); });
}

void Controller::function_level_reset() {
  reset_function("the function got a function level reset",
                 [this] { function_->function_level_reset(); });
}

void Controller::power_off() {
  queues_lost("the device was powered off");
  if (present(*function_)) saved_config_ = pcie::ConfigSpace(*function_).save();
  function_->power_off();
  device_stopped();
}

void Controller::power_on() {
  reset_function("the device was powered on", [this] { function_->power_on(); });
}

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
