// The one switch that allows devices without an IOMMU, where a device reaches all of the machine's
// memory: a wrong address in a test, or in a drive's firmware, overwrites anything.
#pragma once

#include <string>

namespace pynvme::pcie::vfio {

inline constexpr const char* kAllowNoIommu = "PYNVME_ALLOW_NO_IOMMU";

// The environment has it set to 1.
bool no_iommu_allowed();

// Throws OpenError that names the switch unless it is allowed; else logs a warning.
void require_no_iommu_allowed(const std::string& name);

}  // namespace pynvme::pcie::vfio
