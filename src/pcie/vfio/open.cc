#include "pcie/vfio/open.h"

#include <utility>

#include "pcie/bus.h"
#include "pcie/vfio/function.h"
#include "pcie/vfio/uio_function.h"

namespace pynvme::pcie::vfio {

std::unique_ptr<Function> open_function(const std::string& name) {
  auto function = read_sysfs_function(name);
  if (!function) {
    throw OpenError("there is no device at " + name +
                    " on the virtual bus or in this machine (/sys/bus/pci/devices). "
                    "`./pynvme info` lists what is there; \"sim\" is the embedded SSD");
  }
  if (function->driver == "uio_pci_generic") {
    return std::make_unique<UioFunction>(std::move(*function));
  }
  check_vfio_driver(*function);
  return std::make_unique<VfioFunction>(std::move(*function));
}

void check_vfio_driver(const SysfsFunction& function) {
  const std::string setup = "run `./pynvme setup " + function.name + "`";
  if (function.driver.empty()) {
    throw OpenError(function.name + " is bound to no driver: " + setup +
                    " to make it ready for pynvme");
  }
  // Variant drivers of vfio-pci are named after it: mlx5_vfio_pci, hisi_acc_vfio_pci.
  if (function.driver != "vfio-pci" && function.driver.find("vfio_pci") == std::string::npos) {
    throw OpenError(function.name + " belongs to the kernel's driver " + function.driver + ": " +
                    setup + " to hand it to pynvme, and `./pynvme reset " + function.name +
                    "` to give it back afterwards");
  }
  if (function.group.empty() && function.vfio_device.empty()) {
    throw OpenError(function.name + " is bound to " + function.driver +
                    " but has no IOMMU group: the IOMMU is off. Switch it on (BIOS: VT-d or "
                    "AMD-Vi; kernel command line: intel_iommu=on), then " +
                    setup);
  }
}

}  // namespace pynvme::pcie::vfio
