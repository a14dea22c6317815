// Data structures of the Identify command that every I/O command set shares (NVMe Base 2.0 §5.17.2)
// and the CNS values. Namespace structures of the NVM command set are in identify_namespace.h,
// included here for convenience.
#pragma once

#include <cstddef>
#include <cstdint>

#include "spec/identify_namespace.h"
#include "spec/wire.h"

namespace pynvme::spec {

// CDW10 bits 7:0 of Identify.
namespace cns {
inline constexpr uint8_t kNamespace = 0x00;
inline constexpr uint8_t kController = 0x01;
inline constexpr uint8_t kActiveNamespaceList = 0x02;
inline constexpr uint8_t kNamespaceIdDescriptors = 0x03;
inline constexpr uint8_t kNvmSetList = 0x04;
inline constexpr uint8_t kCsiNamespace = 0x05;
inline constexpr uint8_t kCsiController = 0x06;
inline constexpr uint8_t kCsiActiveNamespaceList = 0x07;
inline constexpr uint8_t kIndependentNamespace = 0x08;
inline constexpr uint8_t kNamespaceUserDataFormat = 0x09;
inline constexpr uint8_t kCsiNamespaceUserDataFormat = 0x0A;
inline constexpr uint8_t kAllocatedNamespaceList = 0x10;
inline constexpr uint8_t kAllocatedNamespace = 0x11;
inline constexpr uint8_t kNamespaceControllerList = 0x12;
inline constexpr uint8_t kControllerList = 0x13;
inline constexpr uint8_t kPrimaryControllerCapabilities = 0x14;
inline constexpr uint8_t kSecondaryControllerList = 0x15;
inline constexpr uint8_t kNamespaceGranularityList = 0x16;
inline constexpr uint8_t kUuidList = 0x17;
inline constexpr uint8_t kDomainList = 0x18;
inline constexpr uint8_t kEnduranceGroupList = 0x19;
inline constexpr uint8_t kCsiAllocatedNamespaceList = 0x1A;
inline constexpr uint8_t kCsiAllocatedNamespace = 0x1B;
inline constexpr uint8_t kIoCommandSets = 0x1C;
}  // namespace cns

// Command Set Identifier, CDW11 bits 31:24 of Identify.
namespace csi {
inline constexpr uint8_t kNvm = 0x00;
inline constexpr uint8_t kKeyValue = 0x01;
inline constexpr uint8_t kZoned = 0x02;
}  // namespace csi

inline constexpr size_t kIdentifySize = 4096;

// NVMe Base 2.0 §5.17.2.1, Power State Descriptor.
struct PowerStateDescriptor {
  uint16_t mp;
  uint8_t reserved2;
  uint8_t flags;   // MXPS bit 0 (MP in 0.0001 W instead of 0.01 W), NOPS bit 1
  uint32_t enlat;  // microseconds
  uint32_t exlat;  // microseconds
  uint8_t rrt;     // 4:0
  uint8_t rrl;     // 4:0
  uint8_t rwt;     // 4:0
  uint8_t rwl;     // 4:0
  uint16_t idlp;
  uint8_t ips;  // 7:6
  uint8_t reserved19;
  uint16_t actp;
  uint8_t apw;  // APW 2:0, APS 7:6
  uint8_t reserved23[9];

  static constexpr uint8_t kMxps = 1u << 0;
  static constexpr uint8_t kNops = 1u << 1;
};
static_assert(kIsWire<PowerStateDescriptor> && sizeof(PowerStateDescriptor) == 32);
static_assert(offsetof(PowerStateDescriptor, enlat) == 4 &&
              offsetof(PowerStateDescriptor, rrt) == 12 &&
              offsetof(PowerStateDescriptor, idlp) == 16 &&
              offsetof(PowerStateDescriptor, actp) == 20);

// NVMe Base 2.0 §5.17.2.1 (CNS 01h). ASCII fields are padded with spaces and not terminated.
struct IdentifyController {
  // Controller capabilities and features
  uint16_t vid;
  uint16_t ssvid;
  char sn[20];
  char mn[40];
  char fr[8];
  uint8_t rab;
  uint8_t ieee[3];  // least significant byte first
  uint8_t cmic;
  uint8_t mdts;  // 2^n units of CAP.MPSMIN; 0 is no limit
  uint16_t cntlid;
  uint32_t ver;
  uint32_t rtd3r;
  uint32_t rtd3e;
  uint32_t oaes;
  uint32_t ctratt;
  uint16_t rrls;
  uint8_t reserved102[9];
  uint8_t cntrltype;
  uint8_t fguid[16];
  uint16_t crdt1;
  uint16_t crdt2;
  uint16_t crdt3;
  uint8_t reserved134[106];
  uint8_t reserved240[13];  // for NVMe-MI
  uint8_t nvmsr;
  uint8_t vwci;
  uint8_t mec;
  // Admin command set attributes
  uint16_t oacs;
  uint8_t acl;   // 0's based
  uint8_t aerl;  // 0's based
  uint8_t frmw;
  uint8_t lpa;
  uint8_t elpe;  // 0's based
  uint8_t npss;  // 0's based
  uint8_t avscc;
  uint8_t apsta;
  uint16_t wctemp;  // Kelvin
  uint16_t cctemp;  // Kelvin
  uint16_t mtfa;    // 100 ms
  uint32_t hmpre;   // 4 KiB
  uint32_t hmmin;   // 4 KiB
  Uint128 tnvmcap;
  Uint128 unvmcap;
  uint32_t rpmbs;
  uint16_t edstt;  // minutes
  uint8_t dsto;
  uint8_t fwug;  // 4 KiB; FFh is no restriction
  uint16_t kas;  // 100 ms
  uint16_t hctma;
  uint16_t mntmt;  // Kelvin
  uint16_t mxtmt;  // Kelvin
  uint32_t sanicap;
  uint32_t hmminds;
  uint16_t hmmaxd;
  uint16_t nsetidmax;
  uint16_t endgidmax;
  uint8_t anatt;
  uint8_t anacap;
  uint32_t anagrpmax;
  uint32_t nanagrpid;
  uint32_t pels;
  uint16_t domain_id;
  uint8_t reserved358[10];
  Uint128 megcap;
  uint8_t reserved384[128];
  // NVM command set attributes
  uint8_t sqes;  // required 3:0, maximum 7:4
  uint8_t cqes;  // required 3:0, maximum 7:4
  uint16_t maxcmd;
  uint32_t nn;
  uint16_t oncs;
  uint16_t fuses;
  uint8_t fna;
  uint8_t vwc;
  uint16_t awun;   // 0's based
  uint16_t awupf;  // 0's based
  uint8_t icsvscc;
  uint8_t nwpc;
  uint16_t acwu;  // 0's based
  uint16_t ocfs;
  uint32_t sgls;
  uint32_t mnan;
  Uint128 maxdna;
  uint32_t maxcna;
  uint8_t reserved564[204];
  char subnqn[256];  // UTF-8, null-terminated
  uint8_t reserved1024[768];
  // Fabrics attributes
  uint32_t ioccsz;
  uint32_t iorcsz;
  uint16_t icdoff;
  uint8_t fcatt;
  uint8_t msdbd;
  uint16_t ofcs;
  uint8_t reserved1806[242];
  PowerStateDescriptor psd[32];
  uint8_t vendor[1024];
};
static_assert(kIsWire<IdentifyController> && sizeof(IdentifyController) == kIdentifySize);
static_assert(offsetof(IdentifyController, sn) == 4 && offsetof(IdentifyController, mn) == 24 &&
              offsetof(IdentifyController, fr) == 64 && offsetof(IdentifyController, rab) == 72 &&
              offsetof(IdentifyController, mdts) == 77 && offsetof(IdentifyController, ver) == 80 &&
              offsetof(IdentifyController, oaes) == 92 &&
              offsetof(IdentifyController, rrls) == 100);
static_assert(offsetof(IdentifyController, cntrltype) == 111 &&
              offsetof(IdentifyController, fguid) == 112 &&
              offsetof(IdentifyController, crdt1) == 128 &&
              offsetof(IdentifyController, nvmsr) == 253);
static_assert(
    offsetof(IdentifyController, oacs) == 256 && offsetof(IdentifyController, wctemp) == 266 &&
    offsetof(IdentifyController, hmpre) == 272 && offsetof(IdentifyController, tnvmcap) == 280 &&
    offsetof(IdentifyController, rpmbs) == 312 && offsetof(IdentifyController, kas) == 320 &&
    offsetof(IdentifyController, sanicap) == 328 &&
    offsetof(IdentifyController, anagrpmax) == 344 &&
    offsetof(IdentifyController, domain_id) == 356 && offsetof(IdentifyController, megcap) == 368);
static_assert(
    offsetof(IdentifyController, sqes) == 512 && offsetof(IdentifyController, nn) == 516 &&
    offsetof(IdentifyController, oncs) == 520 && offsetof(IdentifyController, awun) == 526 &&
    offsetof(IdentifyController, acwu) == 532 && offsetof(IdentifyController, sgls) == 536 &&
    offsetof(IdentifyController, mnan) == 540 && offsetof(IdentifyController, maxcna) == 560);
static_assert(offsetof(IdentifyController, subnqn) == 768 &&
              offsetof(IdentifyController, ioccsz) == 1792 &&
              offsetof(IdentifyController, ofcs) == 1804 &&
              offsetof(IdentifyController, psd) == 2048 &&
              offsetof(IdentifyController, vendor) == 3072);

// CNTRLTYPE
inline constexpr uint8_t kCntrltypeIo = 0x01;
inline constexpr uint8_t kCntrltypeDiscovery = 0x02;
inline constexpr uint8_t kCntrltypeAdministrative = 0x03;

// CMIC
inline constexpr uint8_t kCmicSeveralControllers = 1u << 1;

// OFCS
inline constexpr uint16_t kOfcsDisconnect = 1u << 0;

// OACS
inline constexpr uint16_t kOacsSecurity = 1u << 0;
inline constexpr uint16_t kOacsFormat = 1u << 1;
inline constexpr uint16_t kOacsFirmware = 1u << 2;
inline constexpr uint16_t kOacsNamespaceManagement = 1u << 3;
inline constexpr uint16_t kOacsDeviceSelfTest = 1u << 4;
inline constexpr uint16_t kOacsDirectives = 1u << 5;
inline constexpr uint16_t kOacsMi = 1u << 6;
inline constexpr uint16_t kOacsVirtualization = 1u << 7;
inline constexpr uint16_t kOacsDoorbellBufferConfig = 1u << 8;
inline constexpr uint16_t kOacsGetLbaStatus = 1u << 9;
inline constexpr uint16_t kOacsLockdown = 1u << 10;

// NVMSR
inline constexpr uint8_t kNvmsrStorageDevice = 1u << 0;

// DSTO
inline constexpr uint8_t kDstoOneAtATime = 1u << 0;

// SANICAP: NODMMAS 31:30, 01b: the media are not changed further when blocks stay allocated.
inline constexpr uint32_t kSanicapCryptoErase = 1u << 0;
inline constexpr uint32_t kSanicapBlockErase = 1u << 1;
inline constexpr uint32_t kSanicapOverwrite = 1u << 2;
inline constexpr uint32_t kSanicapNotModifiedAfter = 1u << 30;

// FRMW: slot 1 read-only 0, number of slots 3:1, activation without reset 4, multiple update
// detection 5.
inline constexpr uint8_t kFrmwSlot1ReadOnly = 1u << 0;
inline constexpr uint8_t kFrmwActivateWithoutReset = 1u << 4;
inline constexpr uint8_t kFrmwOverlapDetection = 1u << 5;
constexpr uint8_t frmw_slots(uint8_t frmw) { return bits(frmw, 3, 1); }

// LPA
inline constexpr uint8_t kLpaSmartPerNamespace = 1u << 0;
inline constexpr uint8_t kLpaCommandsSupportedEffects = 1u << 1;
inline constexpr uint8_t kLpaExtendedData = 1u << 2;
inline constexpr uint8_t kLpaTelemetry = 1u << 3;
inline constexpr uint8_t kLpaPersistentEvent = 1u << 4;
inline constexpr uint8_t kLpaSupportedLogPages = 1u << 5;
inline constexpr uint8_t kLpaTelemetryArea4 = 1u << 6;

// ONCS
inline constexpr uint16_t kOncsCompare = 1u << 0;
inline constexpr uint16_t kOncsWriteUncorrectable = 1u << 1;
inline constexpr uint16_t kOncsDatasetManagement = 1u << 2;
inline constexpr uint16_t kOncsWriteZeroes = 1u << 3;
inline constexpr uint16_t kOncsSaveSelectFields = 1u << 4;
inline constexpr uint16_t kOncsReservations = 1u << 5;
inline constexpr uint16_t kOncsTimestamp = 1u << 6;
inline constexpr uint16_t kOncsVerify = 1u << 7;
inline constexpr uint16_t kOncsCopy = 1u << 8;

inline constexpr uint16_t kFusesCompareAndWrite = 1u << 0;

// FNA
inline constexpr uint8_t kFnaFormatAll = 1u << 0;
inline constexpr uint8_t kFnaSecureEraseAll = 1u << 1;
inline constexpr uint8_t kFnaCryptoErase = 1u << 2;
inline constexpr uint8_t kFnaNoBroadcast = 1u << 3;

// VWC: bits 2:1 say what Flush does with NSID FFFFFFFFh.
inline constexpr uint8_t kVwcPresent = 1u << 0;
inline constexpr uint8_t kVwcFlushBroadcastNotSupported = 2u << 1;
inline constexpr uint8_t kVwcFlushBroadcastSupported = 3u << 1;

// CTRATT
inline constexpr uint32_t kCtrattHostIdentifier128 = 1u << 0;
inline constexpr uint32_t kCtrattNonOperationalPermissive = 1u << 1;
inline constexpr uint32_t kCtrattExtendedLbaFormats = 1u << 15;

// NWPC
inline constexpr uint8_t kNwpcWriteProtect = 1u << 0;
inline constexpr uint8_t kNwpcUntilPowerCycle = 1u << 1;
inline constexpr uint8_t kNwpcPermanent = 1u << 2;

// OAES, at the bit positions of the Asynchronous Event Configuration feature.
inline constexpr uint32_t kOaesNamespaceAttribute = 1u << 8;
inline constexpr uint32_t kOaesFirmwareActivation = 1u << 9;
inline constexpr uint32_t kOaesNormalSubsystemShutdown = 1u << 15;

// Namespace Identification Descriptor (NVMe Base 2.0 §5.17.2.3, CNS 03h); nidl bytes follow, a
// descriptor with nidl 0 ends the list.
struct NamespaceIdDescriptor {
  uint8_t nidt;
  uint8_t nidl;
  uint8_t reserved2[2];
};
static_assert(kIsWire<NamespaceIdDescriptor> && sizeof(NamespaceIdDescriptor) == 4);

namespace nidt {
inline constexpr uint8_t kEui64 = 0x1;
inline constexpr uint8_t kNguid = 0x2;
inline constexpr uint8_t kUuid = 0x3;
inline constexpr uint8_t kCsi = 0x4;
}  // namespace nidt

// Namespace List: ascending, zero-terminated unless full.
struct NamespaceList {
  uint32_t nsid[1024];
};
static_assert(kIsWire<NamespaceList> && sizeof(NamespaceList) == kIdentifySize);

// Controller List: the number of identifiers, then the identifiers, ascending.
struct ControllerList {
  uint16_t count;
  uint16_t cntlid[2047];
};
static_assert(kIsWire<ControllerList> && sizeof(ControllerList) == kIdentifySize);
static_assert(offsetof(ControllerList, cntlid) == 2);

// Identify I/O Command Set (CNS 1Ch): one vector of CSI bits a combination.
struct IoCommandSets {
  uint64_t combination[512];
};
static_assert(kIsWire<IoCommandSets> && sizeof(IoCommandSets) == kIdentifySize);

}  // namespace pynvme::spec
