// The slot of an embedded SSD that a script made, at an address of the virtual bus. Whoever has the
// SSD open shares the slot, so that dropping the script's own reference alone does not pull it out
// of a running test. Used by one thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace pynvme::ssd {
class Device;
struct FaultState;
struct TraceEvent;
}  // namespace pynvme::ssd

namespace pynvme::pcie {

class EmbeddedSlot {
 public:
  // An SSD by "key=value,..." (ssd/config.h). Throws what its configuration, the SSD and the bus
  // throw.
  static std::shared_ptr<EmbeddedSlot> make(const std::string& address, const std::string& config);
  // The one that is plugged in where a device name says; null for other devices.
  static std::shared_ptr<EmbeddedSlot> find(const std::string& name);
  ~EmbeddedSlot();
  EmbeddedSlot(const EmbeddedSlot&) = delete;
  EmbeddedSlot& operator=(const EmbeddedSlot&) = delete;

  // As it is named once it is open: "0000:01:00.0".
  const std::string& address() const { return name_; }
  bool plugged() const { return plugged_; }
  // How often it was plugged in: a function that was opened before the last time is dead.
  uint32_t plugs() const { return plugs_; }
  // Its trace, plugged in or not, as device_trace() has it; nothing when it keeps none.
  std::optional<std::vector<ssd::TraceEvent>> trace(size_t count) const;
  // Faults of the SSD (ssd/faults/), plugged in or not. plant_fault throws std::invalid_argument.
  uint64_t plant_fault(const std::string& match, const std::string& action);
  bool clear_fault(uint64_t id);
  void clear_faults();
  std::vector<ssd::FaultState> faults() const;
  std::optional<ssd::FaultState> fault(uint64_t id) const;
  void plug();
  void unplug();

 private:
  EmbeddedSlot(const std::string& address, const std::string& config);

  std::string address_;
  std::string name_;
  std::shared_ptr<ssd::Device> device_;
  std::weak_ptr<EmbeddedSlot> self_;
  bool plugged_ = false;
  uint32_t plugs_ = 0;
};

}  // namespace pynvme::pcie
