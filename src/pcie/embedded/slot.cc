#include "pcie/embedded/slot.h"

#include <unordered_map>

#include "pcie/address.h"
#include "pcie/bus.h"
#include "pcie/embedded/function.h"
#include "ssd/device.h"
#include "ssd/faults/fault_text.h"
#include "ssd/faults/faults.h"

namespace pynvme::pcie {
namespace {

std::unordered_map<std::string, std::weak_ptr<EmbeddedSlot>>& slots() {
  static auto* instance = new std::unordered_map<std::string, std::weak_ptr<EmbeddedSlot>>();
  return *instance;
}

}  // namespace

std::shared_ptr<EmbeddedSlot> EmbeddedSlot::make(const std::string& address,
                                                 const std::string& config) {
  auto slot = std::shared_ptr<EmbeddedSlot>(new EmbeddedSlot(address, config));
  slot->self_ = slot;
  slot->plug();
  return slot;
}

std::shared_ptr<EmbeddedSlot> EmbeddedSlot::find(const std::string& name) {
  const auto found = slots().find(name);
  return found == slots().end() ? nullptr : found->second.lock();
}

EmbeddedSlot::EmbeddedSlot(const std::string& address, const std::string& config)
    : address_(address),
      name_(parse_address(address).name),
      device_(make_embedded_device(config)) {}

EmbeddedSlot::~EmbeddedSlot() {
  if (!plugged_) return;
  unplug();
}

std::optional<std::vector<ssd::TraceEvent>> EmbeddedSlot::trace(size_t count) const {
  if (device_->config().trace_events == 0) return std::nullopt;
  return device_->trace(count);
}

uint64_t EmbeddedSlot::plant_fault(const std::string& match, const std::string& action) {
  return device_->faults().add(ssd::parse_fault(match, action));
}
bool EmbeddedSlot::clear_fault(uint64_t id) { return device_->faults().clear(id); }
void EmbeddedSlot::clear_faults() { device_->faults().clear(); }
std::vector<ssd::FaultState> EmbeddedSlot::faults() const { return device_->faults().list(); }
std::optional<ssd::FaultState> EmbeddedSlot::fault(uint64_t id) const {
  return device_->faults().state(id);
}

void EmbeddedSlot::plug() {
  if (plugged_) return;
  Bus::instance().plug(address_, device_);
  plugged_ = true;
  ++plugs_;
  slots()[name_] = self_;
}

void EmbeddedSlot::unplug() {
  if (!plugged_) return;
  Bus::instance().unplug(address_);
  plugged_ = false;
  slots().erase(name_);
}

}  // namespace pynvme::pcie
