// The parts of <linux/iommufd.h>, and of newer <linux/vfio.h>, that are used here: Debian 12's
// headers are older than the interface. Names and layout are the kernel's (Linux 6.6).
#pragma once

#include <linux/ioctl.h>
#include <linux/vfio.h>

#include <cstdint>

namespace pynvme::pcie::vfio::abi {

inline constexpr unsigned long kIommuIoasAlloc = _IO(';', 0x81);
inline constexpr unsigned long kIommuIoasIovaRanges = _IO(';', 0x84);
inline constexpr unsigned long kIommuIoasMap = _IO(';', 0x85);
inline constexpr unsigned long kIommuIoasUnmap = _IO(';', 0x86);
inline constexpr unsigned long kVfioDeviceBindIommufd = _IO(VFIO_TYPE, VFIO_BASE + 18);
inline constexpr unsigned long kVfioDeviceAttachIommufdPt = _IO(VFIO_TYPE, VFIO_BASE + 19);

struct IommuIoasAlloc {
  uint32_t size = sizeof(IommuIoasAlloc);
  uint32_t flags = 0;
  uint32_t out_ioas_id = 0;
};
static_assert(sizeof(IommuIoasAlloc) == 12);

struct IommuIovaRange {
  uint64_t start;
  uint64_t last;
};

struct IommuIoasIovaRanges {
  uint32_t size = sizeof(IommuIoasIovaRanges);
  uint32_t ioas_id = 0;
  uint32_t num_iovas = 0;
  uint32_t reserved = 0;
  uint64_t allowed_iovas = 0;
  uint64_t out_iova_alignment = 0;
};
static_assert(sizeof(IommuIoasIovaRanges) == 32);

inline constexpr uint32_t kIoasMapFixedIova = 1U << 0;
inline constexpr uint32_t kIoasMapWriteable = 1U << 1;
inline constexpr uint32_t kIoasMapReadable = 1U << 2;

struct IommuIoasMap {
  uint32_t size = sizeof(IommuIoasMap);
  uint32_t flags = kIoasMapFixedIova | kIoasMapWriteable | kIoasMapReadable;
  uint32_t ioas_id = 0;
  uint32_t reserved = 0;
  uint64_t user_va = 0;
  uint64_t length = 0;
  uint64_t iova = 0;
};
static_assert(sizeof(IommuIoasMap) == 40);

struct IommuIoasUnmap {
  uint32_t size = sizeof(IommuIoasUnmap);
  uint32_t ioas_id = 0;
  uint64_t iova = 0;
  uint64_t length = 0;
};
static_assert(sizeof(IommuIoasUnmap) == 24);

struct VfioDeviceBindIommufd {
  uint32_t argsz = sizeof(VfioDeviceBindIommufd);
  uint32_t flags = 0;
  int32_t iommufd = -1;
  uint32_t out_devid = 0;
};
static_assert(sizeof(VfioDeviceBindIommufd) == 16);

struct VfioDeviceAttachIommufdPt {
  uint32_t argsz = sizeof(VfioDeviceAttachIommufdPt);
  uint32_t flags = 0;
  uint32_t pt_id = 0;
};
static_assert(sizeof(VfioDeviceAttachIommufdPt) == 12);

}  // namespace pynvme::pcie::vfio::abi
