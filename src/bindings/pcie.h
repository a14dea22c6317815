// nvme.Pcie: a PCIe function as scripts hold it. Resets, power states and ASPM are sequences of
// accesses and live in python/nvme/pcie.py.
#pragma once

#include <memory>
#include <string>

#include "bindings/open_device.h"

namespace pynvme::bindings {

class Pcie {
 public:
  explicit Pcie(const std::string& address) : handle_(std::make_shared<DeviceHandle>(address)) {}
  explicit Pcie(std::shared_ptr<DeviceHandle> handle) : handle_(std::move(handle)) {}

  const std::shared_ptr<DeviceHandle>& handle() const { return handle_; }
  // Both throw when closed.
  const std::shared_ptr<OpenDevice>& device() const { return handle_->device(); }
  pcie::Function& function() const { return device()->function(); }
  const std::string& address() const { return handle_->address(); }
  void close() noexcept { handle_->close(); }

 private:
  std::shared_ptr<DeviceHandle> handle_;
};

}  // namespace pynvme::bindings
