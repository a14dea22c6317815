// What the kernel says in sysfs about a PCI function: its driver, its IOMMU group and who else is
// in that group, and the device nodes by which user space reaches it. Reads only; handing a device
// from one driver to another is the command line's business.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace pynvme::pcie::vfio {

inline constexpr const char* kSysfsDevices = "/sys/bus/pci/devices";

struct SysfsFunction {
  std::string name;       // "0000:01:00.0"
  std::string directory;  // "/sys/bus/pci/devices/0000:01:00.0"
  std::string driver;     // empty: none is bound
  std::string group;      // of the IOMMU, a number; empty: there is no IOMMU
  bool no_iommu = false;  // the group is one that VFIO made up for a machine without IOMMU
  std::vector<std::string> group_members;  // all functions of the group, this one included
  std::string vfio_device;                 // "vfio0": its own device node (iommufd); may be empty
  std::string uio_device;                  // "uio0"; may be empty
};

// Nothing when there is no such function.
std::optional<SysfsFunction> read_sysfs_function(const std::string& name,
                                                 const std::string& devices = kSysfsDevices);

// Memory BARs (sysfs `resource`: a line "start end flags" each); 0 for one that is not there. The
// upper half of a 64-bit BAR is a line of zeros.
std::vector<uint64_t> parse_bar_sizes(const std::string& resource);

// The whole file; empty when it cannot be read.
std::string read_text(const std::string& path);

// "pid 123 (python3)" of the processes that have the file open, as far as the caller may see them.
std::string holders(const std::string& path);

}  // namespace pynvme::pcie::vfio
