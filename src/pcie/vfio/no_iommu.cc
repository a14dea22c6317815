#include "pcie/vfio/no_iommu.h"

#include <cstdlib>
#include <string_view>

#include "base/log.h"
#include "pcie/bus.h"

namespace pynvme::pcie::vfio {

bool no_iommu_allowed() {
  const char* const value = std::getenv(kAllowNoIommu);
  return value != nullptr && std::string_view(value) == "1";
}

void require_no_iommu_allowed(const std::string& name) {
  if (!no_iommu_allowed()) {
    throw OpenError(
        name +
        " is behind no IOMMU: it could read and overwrite all memory of this machine, "
        "by a wrong address in a test or in its firmware. Switch the IOMMU on (BIOS: "
        "VT-d or AMD-Vi; kernel command line: intel_iommu=on) and run `./pynvme setup " +
        name + "` again. On a machine that may crash and lose its data, and only there, set " +
        kAllowNoIommu + "=1 in the environment before python starts");
  }
  base::log(base::LogLevel::kWarning,
            "UNSAFE: %s is used without an IOMMU. It can overwrite all memory of this machine; "
            "keep nothing on it that matters",
            name.c_str());
}

}  // namespace pynvme::pcie::vfio
