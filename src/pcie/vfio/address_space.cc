// Opening groups and containers with errors that say what to do, and mapping with the limits of
// kernel, IOMMU and user named.
#include "pcie/vfio/address_space.h"

#include <fcntl.h>
#include <linux/vfio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include <algorithm>
#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <stdexcept>
#include <string_view>
#include <utility>

#include "base/log.h"
#include "pcie/bus.h"
#include "pcie/vfio/iommufd_abi.h"
#include "pcie/vfio/no_iommu.h"

namespace pynvme::pcie::vfio {
namespace {

constexpr uint64_t kPage = 4096;
// Where DMA memory begins: above all that machines reserve.
constexpr uint64_t kProbeIova = 4ULL << 30;

std::mutex spaces_mutex;
std::map<std::string, std::weak_ptr<AddressSpace>>& spaces() {
  // Never destroyed: devices in static objects may be closed after it otherwise.
  static auto* const instance = new std::map<std::string, std::weak_ptr<AddressSpace>>();
  return *instance;
}

std::string error_text(int error) { return std::strerror(error); }

[[noreturn]] void throw_cannot_open(const SysfsFunction& function, const std::string& path) {
  const int error = errno;
  std::string text = function.name + ": cannot open " + path + ": " + error_text(error);
  switch (error) {
    case EACCES:
    case EPERM:
      text += ". Give it to the user once: `sudo chown $USER " + path + "` (`./pynvme setup " +
              function.name + "` does so for the user who calls sudo)";
      break;
    case EBUSY: {
      const std::string who = holders(path);
      text += ". It is in use by " + (who.empty() ? "another process" : who) +
              "; a group of devices belongs to one process at a time";
      break;
    }
    case ENOENT:
    case ENODEV:
    case ENXIO:
      text += ". Load the driver: `sudo modprobe vfio-pci`, and bind the device: `./pynvme setup " +
              function.name + "`";
      break;
    default:
      break;
  }
  throw OpenError(text);
}

base::UniqueFd open_node(const SysfsFunction& function, const std::string& path) {
  base::UniqueFd file(open(path.c_str(), O_RDWR | O_CLOEXEC));
  if (!file) throw_cannot_open(function, path);
  return file;
}

class Type1Space final : public AddressSpace {
 public:
  explicit Type1Space(const SysfsFunction& function) : no_iommu_(function.no_iommu) {
    const std::string container = "/dev/vfio/vfio";
    container_ = open_node(function, container);
    if (ioctl(container_.get(), VFIO_GET_API_VERSION) != VFIO_API_VERSION) {
      throw OpenError(function.name + ": " + container + " speaks another version of VFIO");
    }
    const std::string path =
        std::string("/dev/vfio/") + (no_iommu_ ? "noiommu-" : "") + function.group;
    group_ = open_node(function, path);
    check_viable(function);
    const int container_fd = container_.get();
    if (ioctl(group_.get(), VFIO_GROUP_SET_CONTAINER, &container_fd) != 0) {
      throw OpenError(function.name + ": IOMMU group " + function.group +
                      " was not taken by VFIO: " + error_text(errno));
    }
    const int kind = no_iommu_ ? VFIO_NOIOMMU_IOMMU : VFIO_TYPE1v2_IOMMU;
    if (ioctl(container_.get(), VFIO_SET_IOMMU, kind) != 0) {
      const int error = errno;
      std::string text = function.name + ": VFIO cannot use the IOMMU: " + error_text(error);
      if (error == EPERM) {
        text +=
            ". The IOMMU does not remap interrupts, so the device could send any; switch "
            "interrupt remapping on (BIOS, kernel command line), or accept that with `sudo "
            "modprobe vfio_iommu_type1 allow_unsafe_interrupts=1`";
      } else if (error == ENODEV) {
        text += ". Load its part for IOMMUs: `sudo modprobe vfio_iommu_type1`";
      }
      throw OpenError(text);
    }
    read_info();
  }

  base::UniqueFd open_device(const SysfsFunction& function) override {
    base::UniqueFd device(ioctl(group_.get(), VFIO_GROUP_GET_DEVICE_FD, function.name.c_str()));
    if (!device) {
      throw OpenError(function.name + ": VFIO does not hand the device out: " + error_text(errno));
    }
    return device;
  }
  int group_fd() const override { return group_.get(); }
  bool physical() const override { return no_iommu_; }

 protected:
  int do_map(uint64_t iova, void* memory, uint64_t size) override {
    if (no_iommu_) return 0;
    vfio_iommu_type1_dma_map map{};
    map.argsz = sizeof(map);
    map.flags = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE;
    map.vaddr = reinterpret_cast<uintptr_t>(memory);
    map.iova = iova;
    map.size = size;
    return ioctl(container_.get(), VFIO_IOMMU_MAP_DMA, &map);
  }
  void do_unmap(uint64_t iova, uint64_t size) override {
    if (no_iommu_) return;
    vfio_iommu_type1_dma_unmap unmap{};
    unmap.argsz = sizeof(unmap);
    unmap.iova = iova;
    unmap.size = size;
    if (ioctl(container_.get(), VFIO_IOMMU_UNMAP_DMA, &unmap) != 0) {
      base::log(base::LogLevel::kWarning, "VFIO: unmapping %" PRIx64 "h failed: %s", iova,
                std::strerror(errno));
    }
  }
  std::vector<IovaRange> ranges() override { return ranges_; }
  std::optional<uint32_t> mappings_max() const override { return mappings_max_; }

 private:
  void check_viable(const SysfsFunction& function) {
    vfio_group_status status{};
    status.argsz = sizeof(status);
    if (ioctl(group_.get(), VFIO_GROUP_GET_STATUS, &status) != 0 ||
        (status.flags & VFIO_GROUP_FLAGS_VIABLE) != 0) {
      return;
    }
    std::string others;
    for (const auto& member : function.group_members) {
      if (member != function.name) others += (others.empty() ? "" : ", ") + member;
    }
    throw OpenError(function.name + ": its IOMMU group " + function.group + " has other devices (" +
                    others +
                    ") that belong to drivers of the kernel. They share what the IOMMU lets "
                    "through, so all of them have to be given up, or the device put into another "
                    "slot");
  }

  void read_info() {
    if (no_iommu_) return;
    std::vector<uint8_t> info(sizeof(vfio_iommu_type1_info));
    for (int attempt = 0; attempt < 2; ++attempt) {
      auto* const fixed = reinterpret_cast<vfio_iommu_type1_info*>(info.data());
      fixed->argsz = static_cast<uint32_t>(info.size());
      if (ioctl(container_.get(), VFIO_IOMMU_GET_INFO, fixed) != 0) return;
      if (fixed->argsz <= info.size()) break;
      info.assign(fixed->argsz, 0);
    }
    ranges_ = iova_ranges(info);
    mappings_max_ = dma_mappings_left(info);
  }

  const bool no_iommu_;
  base::UniqueFd container_;
  base::UniqueFd group_;
  std::vector<IovaRange> ranges_;
  std::optional<uint32_t> mappings_max_;
};

class IommufdSpace final : public AddressSpace {
 public:
  explicit IommufdSpace(const SysfsFunction& function) {
    iommufd_ = open_node(function, "/dev/iommu");
    abi::IommuIoasAlloc alloc;
    if (ioctl(iommufd_.get(), abi::kIommuIoasAlloc, &alloc) != 0) {
      throw OpenError(function.name + ": /dev/iommu gives no address space: " + error_text(errno));
    }
    ioas_ = alloc.out_ioas_id;
    // All that a device needs is tried once, while there is still another way.
    first_ = attach(function);
    void* const page =
        mmap(nullptr, kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    const bool maps = page != MAP_FAILED && do_map(kProbeIova, page, kPage) == 0;
    const int error = errno;
    if (maps) do_unmap(kProbeIova, kPage);
    if (page != MAP_FAILED) munmap(page, kPage);
    if (!maps) {
      throw OpenError(function.name + ": the iommufd maps no memory: " + error_text(error));
    }
  }

  base::UniqueFd open_device(const SysfsFunction& function) override {
    return first_ ? std::exchange(first_, base::UniqueFd()) : attach(function);
  }

 protected:
  base::UniqueFd attach(const SysfsFunction& function) const {
    base::UniqueFd device = open_node(function, "/dev/vfio/devices/" + function.vfio_device);
    abi::VfioDeviceBindIommufd bind;
    bind.iommufd = iommufd_.get();
    if (ioctl(device.get(), abi::kVfioDeviceBindIommufd, &bind) != 0) {
      throw OpenError(function.name + ": cannot be bound to the iommufd: " + error_text(errno));
    }
    abi::VfioDeviceAttachIommufdPt attach;
    attach.pt_id = ioas_;
    if (ioctl(device.get(), abi::kVfioDeviceAttachIommufdPt, &attach) != 0) {
      throw OpenError(function.name +
                      ": cannot be attached to an address space: " + error_text(errno));
    }
    return device;
  }

  int do_map(uint64_t iova, void* memory, uint64_t size) override {
    abi::IommuIoasMap map;
    map.ioas_id = ioas_;
    map.user_va = reinterpret_cast<uintptr_t>(memory);
    map.length = size;
    map.iova = iova;
    return ioctl(iommufd_.get(), abi::kIommuIoasMap, &map);
  }
  void do_unmap(uint64_t iova, uint64_t size) override {
    abi::IommuIoasUnmap unmap;
    unmap.ioas_id = ioas_;
    unmap.iova = iova;
    unmap.length = size;
    if (ioctl(iommufd_.get(), abi::kIommuIoasUnmap, &unmap) != 0) {
      base::log(base::LogLevel::kWarning, "iommufd: unmapping %" PRIx64 "h failed: %s", iova,
                std::strerror(errno));
    }
  }
  // They depend on the devices that are attached by now.
  std::vector<IovaRange> ranges() override {
    std::vector<abi::IommuIovaRange> found(256);
    abi::IommuIoasIovaRanges query;
    query.ioas_id = ioas_;
    query.num_iovas = static_cast<uint32_t>(found.size());
    query.allowed_iovas = reinterpret_cast<uintptr_t>(found.data());
    if (ioctl(iommufd_.get(), abi::kIommuIoasIovaRanges, &query) != 0) return {};
    std::vector<IovaRange> ranges;
    for (uint32_t i = 0; i < std::min<size_t>(query.num_iovas, found.size()); ++i) {
      ranges.push_back({found[i].start, found[i].last});
    }
    return ranges;
  }

 private:
  base::UniqueFd iommufd_;
  uint32_t ioas_ = 0;
  base::UniqueFd first_;  // the device for which it was made, until it is asked for
};

// The kernel offers it, and this user may use it.
bool iommufd_usable(const SysfsFunction& function) {
  if (function.vfio_device.empty() || function.no_iommu) return false;
  const std::string node = "/dev/vfio/devices/" + function.vfio_device;
  return access("/dev/iommu", R_OK | W_OK) == 0 && access(node.c_str(), R_OK | W_OK) == 0;
}

std::string limit_text() {
  rlimit limit{};
  getrlimit(RLIMIT_MEMLOCK, &limit);
  if (limit.rlim_cur == RLIM_INFINITY) return "The machine has too little memory to lock";
  return "The user's limit of locked memory is " + std::to_string(limit.rlim_cur / 1024) +
         " KiB, and all memory for DMA is locked: raise it with `ulimit -l unlimited` (a line "
         "\"<user> - memlock unlimited\" in /etc/security/limits.conf, LimitMEMLOCK= of a service)";
}

}  // namespace

std::string outside_of(const std::vector<IovaRange>& ranges, uint64_t iova, uint64_t size) {
  if (ranges.empty()) return "";
  std::string text;
  for (const auto& range : ranges) {
    if (range.first <= iova && iova + size - 1 <= range.last) return "";
    char one[48];
    std::snprintf(one, sizeof(one), "%s%" PRIx64 "h to %" PRIx64 "h", text.empty() ? "" : ", ",
                  range.first, range.last);
    text += one;
  }
  return text;
}

std::shared_ptr<AddressSpace> AddressSpace::of(const SysfsFunction& function) {
  if (function.no_iommu) require_no_iommu_allowed(function.name);
  const std::lock_guard guard(spaces_mutex);
  auto& known = spaces()[function.group];
  if (auto space = known.lock()) return space;
  std::shared_ptr<AddressSpace> space;
  if (iommufd_usable(function)) {
    try {
      space = std::make_shared<IommufdSpace>(function);
    } catch (const OpenError& error) {
      base::log(base::LogLevel::kInfo, "%s; VFIO's groups are tried", error.what());
    }
  }
  if (space == nullptr) space = std::make_shared<Type1Space>(function);
  known = space;
  return space;
}

std::shared_ptr<AddressSpace> find_space_of(const std::string& function) {
  const std::lock_guard guard(spaces_mutex);
  for (const auto& [group, known] : spaces()) {
    auto space = known.lock();
    if (space != nullptr && space->has_function(function)) return space;
  }
  return nullptr;
}

void AddressSpace::map(const std::string& who, uint64_t iova, void* memory, uint64_t size) {
  const std::lock_guard guard(mutex_);
  if (const auto known = users_.find(iova); known != users_.end()) {
    ++known->second;
    return;
  }
  if (do_map(iova, memory, size) == 0) {
    users_.emplace(iova, 1U);
    return;
  }
  const int error = errno;
  char what[96];
  std::snprintf(what, sizeof(what), "mapping %" PRIu64 " KiB at device address %" PRIx64 "h failed",
                size / 1024, iova);
  std::string text = who + ": " + what + " (" + error_text(error) + "). ";
  if (const auto allowed = outside_of(ranges(), iova, size); !allowed.empty()) {
    text += "The IOMMU takes only these addresses: " + allowed;
  } else if (error == ENOMEM) {
    text += limit_text();
  } else if (error == ENOSPC) {
    const auto limit = mappings_max();
    text += "VFIO has no mapping left for this device" +
            (limit ? ", it allows " + std::to_string(*limit) : "") +
            " (dma_entry_limit of the module vfio_iommu_type1)";
  }
  throw std::runtime_error(text);
}

void AddressSpace::unmap(uint64_t iova, uint64_t size) {
  const std::lock_guard guard(mutex_);
  const auto known = users_.find(iova);
  if (known == users_.end() || --known->second != 0) return;
  users_.erase(known);
  do_unmap(iova, size);
}

void AddressSpace::add_function(const std::string& name) {
  const std::lock_guard guard(mutex_);
  functions_.insert(name);
}

void AddressSpace::remove_function(const std::string& name) {
  const std::lock_guard guard(mutex_);
  functions_.erase(name);
}

bool AddressSpace::has_function(const std::string& name) {
  const std::lock_guard guard(mutex_);
  return functions_.contains(name);
}

}  // namespace pynvme::pcie::vfio
