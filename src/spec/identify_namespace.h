// Identify data structures of a namespace (NVM Command Set 1.0 §4.1.5, NVMe Base 2.0 §5.17.2.8) and
// of the NVM command set's controller (CNS 06h). Protection information semantics are left to those
// who check it.
#pragma once

#include <cstddef>
#include <cstdint>

#include "spec/wire.h"

namespace pynvme::spec {

// LBA Format Data Structure: MS 15:0, LBADS 23:16, RP 25:24.
struct LbaFormat {
  uint16_t ms;
  uint8_t lbads;  // 2^n bytes; 0 is a format that is not available
  uint8_t rp;     // 1:0, 00b is best
};
static_assert(kIsWire<LbaFormat> && sizeof(LbaFormat) == 4);
static_assert(offsetof(LbaFormat, lbads) == 2 && offsetof(LbaFormat, rp) == 3);

// CNS 00h and 11h.
struct IdentifyNamespace {
  uint64_t nsze;
  uint64_t ncap;
  uint64_t nuse;
  uint8_t nsfeat;
  uint8_t nlbaf;  // 0's based
  uint8_t flbas;
  uint8_t mc;
  uint8_t dpc;
  uint8_t dps;
  uint8_t nmic;
  uint8_t rescap;
  uint8_t fpi;
  uint8_t dlfeat;
  uint16_t nawun;
  uint16_t nawupf;
  uint16_t nacwu;
  uint16_t nabsn;
  uint16_t nabo;
  uint16_t nabspf;
  uint16_t noiob;
  Uint128 nvmcap;
  uint16_t npwg;  // 0's based, as are the next four
  uint16_t npwa;
  uint16_t npdg;
  uint16_t npda;
  uint16_t nows;
  uint16_t mssrl;
  uint32_t mcl;
  uint8_t msrc;  // 0's based
  uint8_t reserved81[11];
  uint32_t anagrpid;
  uint8_t reserved96[3];
  uint8_t nsattr;
  uint16_t nvmsetid;
  uint16_t endgid;
  uint8_t nguid[16];  // most significant byte first
  uint8_t eui64[8];   // most significant byte first
  LbaFormat lbaf[64];
  uint8_t vendor[3712];

  // FLBAS: index bits 3:0 in 3:0, extended LBA in 4, index bits 5:4 in 6:5 (valid when NLBAF
  // exceeds 15).
  constexpr uint8_t format_index() const {
    const uint8_t high = nlbaf > 15 ? bits(flbas, 6, 5) : uint8_t{0};
    return static_cast<uint8_t>(high << 4 | bits(flbas, 3, 0));
  }
  constexpr bool extended_lba() const { return bit(flbas, 4); }
  // DPS: type of protection information in 2:0, 0: none.
  constexpr uint8_t protection_type() const { return static_cast<uint8_t>(bits(dps, 2, 0)); }
};
static_assert(kIsWire<IdentifyNamespace> && sizeof(IdentifyNamespace) == 4096);
static_assert(offsetof(IdentifyNamespace, nsfeat) == 24 &&
              offsetof(IdentifyNamespace, dlfeat) == 33 &&
              offsetof(IdentifyNamespace, nawun) == 34 &&
              offsetof(IdentifyNamespace, noiob) == 46 &&
              offsetof(IdentifyNamespace, nvmcap) == 48 &&
              offsetof(IdentifyNamespace, npwg) == 64 && offsetof(IdentifyNamespace, mssrl) == 74 &&
              offsetof(IdentifyNamespace, mcl) == 76 && offsetof(IdentifyNamespace, msrc) == 80);
static_assert(offsetof(IdentifyNamespace, anagrpid) == 92 &&
              offsetof(IdentifyNamespace, nsattr) == 99 &&
              offsetof(IdentifyNamespace, nvmsetid) == 100 &&
              offsetof(IdentifyNamespace, nguid) == 104 &&
              offsetof(IdentifyNamespace, eui64) == 120 &&
              offsetof(IdentifyNamespace, lbaf) == 128 &&
              offsetof(IdentifyNamespace, vendor) == 384);

// NSFEAT
inline constexpr uint8_t kNsfeatThinProvisioning = 1u << 0;
inline constexpr uint8_t kNsfeatNamespaceAtomics = 1u << 1;
inline constexpr uint8_t kNsfeatDeallocatedError = 1u << 2;
inline constexpr uint8_t kNsfeatUidReuse = 1u << 3;
inline constexpr uint8_t kNsfeatOptimalPerformance = 1u << 4;

// DLFEAT: bits 2:0 say what a deallocated block reads as.
inline constexpr uint8_t kDlfeatReadNotReported = 0;
inline constexpr uint8_t kDlfeatReadZeroes = 1;
inline constexpr uint8_t kDlfeatReadOnes = 2;
inline constexpr uint8_t kDlfeatWriteZeroesDeallocate = 1u << 3;
inline constexpr uint8_t kDlfeatGuardIsCrc = 1u << 4;

// FPI: bit 7 says that bits 6:0 (percent that remains) are valid.
inline constexpr uint8_t kFpiSupported = 1u << 7;

inline constexpr uint8_t kNsattrWriteProtected = 1u << 0;
inline constexpr uint8_t kNmicShared = 1u << 0;

// NVM command set specific Identify Namespace (CNS 05h, CSI 00h).
struct IdentifyNamespaceNvm {
  uint64_t lbstm;
  uint8_t pic;
  uint8_t reserved9[3];
  uint32_t elbaf[64];  // STS 6:0, PIF 8:7
  uint8_t reserved268[3828];
};
static_assert(sizeof(IdentifyNamespaceNvm) == 4096 && kIsWire<IdentifyNamespaceNvm>);
static_assert(offsetof(IdentifyNamespaceNvm, pic) == 8 &&
              offsetof(IdentifyNamespaceNvm, elbaf) == 12 &&
              offsetof(IdentifyNamespaceNvm, reserved268) == 268);

constexpr uint8_t elbaf_sts(uint32_t elbaf) { return static_cast<uint8_t>(bits(elbaf, 6, 0)); }
constexpr uint8_t elbaf_pif(uint32_t elbaf) { return static_cast<uint8_t>(bits(elbaf, 8, 7)); }
inline constexpr uint8_t kPif16bGuard = 0;
inline constexpr uint8_t kPif32bGuard = 1;
inline constexpr uint8_t kPif64bGuard = 2;

// NVM command set specific Identify Controller (CNS 06h, CSI 00h).
struct IdentifyControllerNvm {
  uint8_t vsl;
  uint8_t wzsl;
  uint8_t wusl;
  uint8_t dmrl;
  uint32_t dmrsl;
  uint64_t dmsl;
  uint8_t reserved16[4080];
};
static_assert(sizeof(IdentifyControllerNvm) == 4096 && kIsWire<IdentifyControllerNvm>);
static_assert(offsetof(IdentifyControllerNvm, dmrl) == 3 &&
              offsetof(IdentifyControllerNvm, dmrsl) == 4 &&
              offsetof(IdentifyControllerNvm, dmsl) == 8);

// I/O Command Set Independent Identify Namespace (CNS 08h).
struct IdentifyNamespaceIndependent {
  uint8_t nsfeat;
  uint8_t nmic;
  uint8_t rescap;
  uint8_t fpi;
  uint32_t anagrpid;
  uint8_t nsattr;
  uint8_t reserved9;
  uint16_t nvmsetid;
  uint16_t endgid;
  uint8_t nstat;  // NRDY bit 0
  uint8_t reserved15[4081];
};
static_assert(sizeof(IdentifyNamespaceIndependent) == 4096 &&
              kIsWire<IdentifyNamespaceIndependent>);
static_assert(offsetof(IdentifyNamespaceIndependent, anagrpid) == 4 &&
              offsetof(IdentifyNamespaceIndependent, nvmsetid) == 10 &&
              offsetof(IdentifyNamespaceIndependent, nstat) == 14);
inline constexpr uint8_t kNstatReady = 1u << 0;

}  // namespace pynvme::spec
