// Opens a PCI function of this machine by the way that its driver offers.
#pragma once

#include <memory>
#include <string>

#include "pcie/function.h"

namespace pynvme::pcie::vfio {

// `name` as parse_address() gives it, "0000:01:00.0". A device that is bound to another driver than
// vfio-pci or uio_pci_generic is refused, and left alone. Throws OpenError.
std::unique_ptr<Function> open_function(const std::string& name);

}  // namespace pynvme::pcie::vfio
