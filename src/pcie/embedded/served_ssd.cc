#include "pcie/embedded/served_ssd.h"

#include <stdexcept>

#include "pcie/embedded/function.h"
#include "ssd/device.h"
#include "ssd/faults/fault_text.h"
#include "ssd/faults/faults.h"
#include "ssd/vfio_user/server.h"

namespace pynvme::pcie {

ServedSsd::ServedSsd(const std::string& options) : device_(make_embedded_device(options)) {}

ServedSsd::~ServedSsd() = default;

void ServedSsd::plant_fault(const std::string& match, const std::string& action) {
  device_->faults().add(ssd::parse_fault(match, action));
}

void ServedSsd::listen_vfio_user(const std::string& path) {
  if (vfio_user_ != nullptr) {
    throw std::runtime_error("it is served at " + vfio_user_->path() + " already");
  }
  vfio_user_ = std::make_unique<ssd::VfioUserServer>(device_, path);
}

}  // namespace pynvme::pcie
