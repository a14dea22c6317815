// The slot of an embedded SSD that a script made, at an address of the virtual bus. Whoever has the
// SSD open shares the slot, so that dropping the script's own reference alone does not pull it out
// of a running test. Used by one thread at a time.
#pragma once

#include <memory>
#include <string>

namespace pynvme::ssd {
class Device;
}

namespace pynvme::pcie {

class EmbeddedSlot {
 public:
  // An SSD by "key=value,..." (ssd/config.h). Throws what its configuration, the SSD and the bus
  // throw.
  static std::shared_ptr<EmbeddedSlot> make(const std::string& address, const std::string& config);
  // The one that a device name stands for; null for other devices.
  static std::shared_ptr<EmbeddedSlot> find(const std::string& name);
  ~EmbeddedSlot();
  EmbeddedSlot(const EmbeddedSlot&) = delete;
  EmbeddedSlot& operator=(const EmbeddedSlot&) = delete;

  const std::string& address() const { return address_; }
  bool plugged() const { return plugged_; }
  void plug();
  void unplug();

 private:
  EmbeddedSlot(const std::string& address, const std::string& config);

  std::string address_;
  std::string name_;
  std::shared_ptr<ssd::Device> device_;
  bool plugged_ = false;
};

}  // namespace pynvme::pcie
