// nvme.Pcie: a PCIe function as scripts hold it. Resets, power states and ASPM are sequences of
// accesses and live in python/nvme/pcie.py.
#pragma once

#include <memory>
#include <string>

#include "bindings/open_device.h"

namespace pynvme::bindings {

class Pcie {
 public:
  explicit Pcie(const std::string& address) : device_(OpenDevice::open(address)) {}
  explicit Pcie(std::shared_ptr<OpenDevice> device) : device_(std::move(device)) {}

  const std::shared_ptr<OpenDevice>& device() const { return device_; }
  pcie::Function& function() const { return device_->function(); }

 private:
  std::shared_ptr<OpenDevice> device_;
};

}  // namespace pynvme::bindings
