// Opens a PCI function of this machine by the way that its driver offers.
#pragma once

#include <memory>
#include <string>

#include "pcie/function.h"
#include "pcie/vfio/sysfs.h"

namespace pynvme::pcie::vfio {

// `name` as parse_address() gives it, "0000:01:00.0". A device that is bound to another driver than
// vfio-pci or uio_pci_generic is refused, and left alone. Throws OpenError.
std::unique_ptr<Function> open_function(const std::string& name);

// Throws OpenError, which says what to do, unless the function is in VFIO's hands.
void check_vfio_driver(const SysfsFunction& function);

}  // namespace pynvme::pcie::vfio
