// What an IOMMU group's devices may reach: the VFIO container (type1), or an iommufd where the
// kernel offers it. Functions of one group share it; the kernel lets a process open a group once.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "pcie/vfio/capability.h"
#include "pcie/vfio/sysfs.h"

namespace pynvme::pcie::vfio {

class AddressSpace {
 public:
  // That of the function's group: the one which is open in this process, or a new one. Throws
  // OpenError.
  static std::shared_ptr<AddressSpace> of(const SysfsFunction& function);
  virtual ~AddressSpace() = default;
  AddressSpace(const AddressSpace&) = delete;
  AddressSpace& operator=(const AddressSpace&) = delete;

  // The function's VFIO file descriptor.
  virtual base::UniqueFd open_device(const SysfsFunction& function) = 0;
  // For VFIO_DEVICE_PCI_HOT_RESET; -1 with iommufd, which needs none.
  virtual int group_fd() const { return -1; }
  // Without IOMMU: device addresses are physical addresses, and nothing is mapped.
  virtual bool physical() const { return false; }

  // Counted, for the functions that share it. Throws std::runtime_error with the limit that was
  // hit.
  void map(const std::string& who, uint64_t iova, void* memory, uint64_t size);
  void unmap(uint64_t iova, uint64_t size);

  // Functions of the group that are open in this process.
  void add_function(const std::string& name);
  void remove_function(const std::string& name);
  bool has_function(const std::string& name);

 protected:
  AddressSpace() = default;
  virtual int do_map(uint64_t iova, void* memory, uint64_t size) = 0;  // 0 or -1 and errno
  virtual void do_unmap(uint64_t iova, uint64_t size) = 0;
  virtual std::vector<IovaRange> ranges() = 0;
  virtual std::optional<uint32_t> mappings_max() const { return std::nullopt; }

 private:
  std::mutex mutex_;
  std::map<uint64_t, unsigned> users_;  // of each mapping, by its first address
  std::set<std::string> functions_;
};

// The space of a function that is open in this process, or null.
std::shared_ptr<AddressSpace> find_space_of(const std::string& function);

// What is wrong with [iova, iova + size) for these ranges; empty when it lies in one of them.
std::string outside_of(const std::vector<IovaRange>& ranges, uint64_t iova, uint64_t size);

}  // namespace pynvme::pcie::vfio
