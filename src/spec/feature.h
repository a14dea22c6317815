// Features (NVMe Base 2.0 §5.27.1 and NVM Command Set 1.0 §4.1.3): identifiers, fields of CDW11 and
// of the Get Features completion, and the data structures some of them carry. Defaults and what is
// saveable or changeable are the device's business.
#pragma once

#include <cstddef>
#include <cstdint>

#include "spec/wire.h"

namespace pynvme::spec {

namespace fid {
inline constexpr uint8_t kArbitration = 0x01;
inline constexpr uint8_t kPowerManagement = 0x02;
inline constexpr uint8_t kLbaRangeType = 0x03;
inline constexpr uint8_t kTemperatureThreshold = 0x04;
inline constexpr uint8_t kErrorRecovery = 0x05;
inline constexpr uint8_t kVolatileWriteCache = 0x06;
inline constexpr uint8_t kNumberOfQueues = 0x07;
inline constexpr uint8_t kInterruptCoalescing = 0x08;
inline constexpr uint8_t kInterruptVectorConfig = 0x09;
inline constexpr uint8_t kWriteAtomicityNormal = 0x0A;
inline constexpr uint8_t kAsyncEventConfig = 0x0B;
inline constexpr uint8_t kAutonomousPowerStateTransition = 0x0C;
inline constexpr uint8_t kHostMemoryBuffer = 0x0D;
inline constexpr uint8_t kTimestamp = 0x0E;
inline constexpr uint8_t kKeepAliveTimer = 0x0F;
inline constexpr uint8_t kHostControlledThermal = 0x10;
inline constexpr uint8_t kNonOperationalPowerState = 0x11;
inline constexpr uint8_t kReadRecoveryLevel = 0x12;
inline constexpr uint8_t kPredictableLatencyConfig = 0x13;
inline constexpr uint8_t kPredictableLatencyWindow = 0x14;
inline constexpr uint8_t kLbaStatusReportInterval = 0x15;
inline constexpr uint8_t kHostBehavior = 0x16;
inline constexpr uint8_t kSanitizeConfig = 0x17;
inline constexpr uint8_t kEnduranceGroupEventConfig = 0x18;
inline constexpr uint8_t kIoCommandSetProfile = 0x19;
inline constexpr uint8_t kSpinupControl = 0x1A;
inline constexpr uint8_t kPowerLossSignaling = 0x1B;          // NVMe Base 2.1
inline constexpr uint8_t kPerformanceCharacteristics = 0x1C;  // NVM Command Set 1.1
inline constexpr uint8_t kFlexibleDataPlacement = 0x1D;       // NVMe Base 2.1
inline constexpr uint8_t kFdpEvents = 0x1E;                   // NVMe Base 2.1
inline constexpr uint8_t kNamespaceAdminLabel = 0x1F;         // NVMe Base 2.1
inline constexpr uint8_t kEnhancedControllerMetadata = 0x7D;
inline constexpr uint8_t kControllerMetadata = 0x7E;
inline constexpr uint8_t kNamespaceMetadata = 0x7F;
inline constexpr uint8_t kSoftwareProgressMarker = 0x80;
inline constexpr uint8_t kHostIdentifier = 0x81;
inline constexpr uint8_t kReservationNotificationMask = 0x82;
inline constexpr uint8_t kReservationPersistence = 0x83;
inline constexpr uint8_t kNamespaceWriteProtection = 0x84;
inline constexpr uint8_t kVendorFirst = 0xC0;
}  // namespace fid

// SEL, CDW10 bits 10:8 of Get Features.
enum class Sel : uint8_t {
  kCurrent = 0,
  kDefault = 1,
  kSaved = 2,
  kSupportedCapabilities = 3,
};

// FID is CDW10 bits 7:0 of both commands; SV is CDW10 bit 31 of Set Features.
constexpr uint8_t feature_fid(uint32_t cdw10) { return static_cast<uint8_t>(bits(cdw10, 7, 0)); }
constexpr uint8_t feature_sel(uint32_t cdw10) { return static_cast<uint8_t>(bits(cdw10, 10, 8)); }
constexpr bool feature_sv(uint32_t cdw10) { return bit(cdw10, 31); }
inline constexpr uint32_t kFeatureSv = 1u << 31;

// CDW0 of a Get Features completion with SEL 3h.
inline constexpr uint32_t kFeatureCapSaveable = 1u << 0;
inline constexpr uint32_t kFeatureCapNamespaceSpecific = 1u << 1;
inline constexpr uint32_t kFeatureCapChangeable = 1u << 2;

// The fields below are those of CDW11 in Set Features, and of CDW0 of the completion in Get
// Features. Every type is the dword with names: read with the accessors, build with the with_
// functions.

// FID 01h
struct ArbitrationFeature {
  uint32_t value;
  constexpr uint8_t ab() const { return static_cast<uint8_t>(bits(value, 2, 0)); }    // 7: no limit
  constexpr uint8_t lpw() const { return static_cast<uint8_t>(bits(value, 15, 8)); }  // 0's based
  constexpr uint8_t mpw() const { return static_cast<uint8_t>(bits(value, 23, 16)); }  // 0's based
  constexpr uint8_t hpw() const { return static_cast<uint8_t>(bits(value, 31, 24)); }  // 0's based
  static constexpr ArbitrationFeature make(uint8_t ab, uint8_t lpw, uint8_t mpw, uint8_t hpw) {
    return {static_cast<uint32_t>(hpw) << 24 | static_cast<uint32_t>(mpw) << 16 |
            static_cast<uint32_t>(lpw) << 8 | (ab & 0x7u)};
  }
};

// FID 02h
struct PowerManagementFeature {
  uint32_t value;
  constexpr uint8_t ps() const { return static_cast<uint8_t>(bits(value, 4, 0)); }
  constexpr uint8_t wh() const { return static_cast<uint8_t>(bits(value, 7, 5)); }
  static constexpr PowerManagementFeature make(uint8_t ps, uint8_t wh = 0) {
    return {(wh & 0x7u) << 5 | (ps & 0x1Fu)};
  }
};

// FID 03h
struct LbaRangeTypeFeature {
  uint32_t value;
  constexpr uint8_t num() const { return static_cast<uint8_t>(bits(value, 5, 0)); }  // 0's based
};

// FID 04h
struct TemperatureThresholdFeature {
  uint32_t value;
  constexpr uint16_t tmpth() const { return static_cast<uint16_t>(bits(value, 15, 0)); }  // Kelvin
  constexpr uint8_t tmpsel() const { return static_cast<uint8_t>(bits(value, 19, 16)); }
  constexpr uint8_t thsel() const { return static_cast<uint8_t>(bits(value, 21, 20)); }
  static constexpr uint8_t kComposite = 0x0;    // TMPSEL 1 to 8 are the sensors
  static constexpr uint8_t kAllSensors = 0xF;   // TMPSEL, Set Features only
  static constexpr uint8_t kOverThreshold = 0;  // THSEL
  static constexpr uint8_t kUnderThreshold = 1;
  static constexpr TemperatureThresholdFeature make(uint16_t tmpth, uint8_t tmpsel, uint8_t thsel) {
    return {(thsel & 0x3u) << 20 | (tmpsel & 0xFu) << 16 | tmpth};
  }
};

// FID 05h
struct ErrorRecoveryFeature {
  uint32_t value;
  constexpr uint16_t tler() const { return static_cast<uint16_t>(bits(value, 15, 0)); }  // 100 ms
  constexpr bool dulbe() const { return bit(value, 16); }
  static constexpr ErrorRecoveryFeature make(uint16_t tler, bool dulbe) {
    return {(dulbe ? 1u << 16 : 0u) | tler};
  }
};

// FID 06h
struct VolatileWriteCacheFeature {
  uint32_t value;
  constexpr bool wce() const { return bit(value, 0); }
};

// FID 07h: requested numbers in CDW11, allocated ones in CDW0; both 0's based.
struct NumberOfQueuesFeature {
  uint32_t value;
  constexpr uint16_t nsq() const { return static_cast<uint16_t>(bits(value, 15, 0)); }
  constexpr uint16_t ncq() const { return static_cast<uint16_t>(bits(value, 31, 16)); }
  static constexpr NumberOfQueuesFeature make(uint16_t nsq, uint16_t ncq) {
    return {static_cast<uint32_t>(ncq) << 16 | nsq};
  }
};

// FID 08h
struct InterruptCoalescingFeature {
  uint32_t value;
  constexpr uint8_t thr() const { return static_cast<uint8_t>(bits(value, 7, 0)); }    // 0's based
  constexpr uint8_t time() const { return static_cast<uint8_t>(bits(value, 15, 8)); }  // 100 us
  static constexpr InterruptCoalescingFeature make(uint8_t thr, uint8_t time) {
    return {static_cast<uint32_t>(time) << 8 | thr};
  }
};

// FID 09h
struct InterruptVectorConfigFeature {
  uint32_t value;
  constexpr uint16_t iv() const { return static_cast<uint16_t>(bits(value, 15, 0)); }
  constexpr bool cd() const { return bit(value, 16); }
  static constexpr InterruptVectorConfigFeature make(uint16_t iv, bool cd) {
    return {(cd ? 1u << 16 : 0u) | iv};
  }
};

// FID 0Ah
struct WriteAtomicityFeature {
  uint32_t value;
  constexpr bool dn() const { return bit(value, 0); }
};

// FID 0Bh: bits 7:0 are the kWarning bits of log.h.
struct AsyncEventConfigFeature {
  uint32_t value;
  constexpr uint8_t smart() const { return static_cast<uint8_t>(bits(value, 7, 0)); }
  static constexpr uint32_t kNamespaceAttribute = 1u << 8;
  static constexpr uint32_t kFirmwareActivation = 1u << 9;
  static constexpr uint32_t kTelemetryLog = 1u << 10;
  static constexpr uint32_t kAna = 1u << 11;
  static constexpr uint32_t kPredictableLatency = 1u << 12;
  static constexpr uint32_t kLbaStatus = 1u << 13;
  static constexpr uint32_t kEnduranceGroup = 1u << 14;
  static constexpr uint32_t kNormalSubsystemShutdown = 1u << 15;
  static constexpr uint32_t kZoneDescriptor = 1u << 27;
  static constexpr uint32_t kDiscoveryLog = 1u << 31;
};

// FID 0Ch
struct ApstFeature {
  uint32_t value;
  constexpr bool apste() const { return bit(value, 0); }
};

// FID 0Ch, data: one entry for each power state.
struct ApstEntry {
  uint64_t value;
  constexpr uint8_t itps() const { return static_cast<uint8_t>(bits(value, 7, 3)); }
  constexpr uint32_t itpt_ms() const { return static_cast<uint32_t>(bits(value, 31, 8)); }
  static constexpr ApstEntry make(uint8_t itps, uint32_t itpt_ms) {
    return {(uint64_t{itpt_ms} & 0xFFFFFF) << 8 | (itps & 0x1Fu) << 3};
  }
};
static_assert(kIsWire<ApstEntry> && sizeof(ApstEntry) == 8);

struct ApstTable {
  ApstEntry entry[32];
};
static_assert(kIsWire<ApstTable> && sizeof(ApstTable) == 256);

// FID 0Dh. CDW12 is HSIZE in memory pages, CDW13 and CDW14 HMDLLA and HMDLUA, CDW15 HMDLEC.
struct HostMemoryBufferFeature {
  uint32_t value;
  constexpr bool ehm() const { return bit(value, 0); }
  constexpr bool mr() const { return bit(value, 1); }
};

// FID 0Dh, an entry of the Host Memory Descriptor List.
struct HostMemoryDescriptor {
  uint64_t badd;
  uint32_t bsize;  // memory pages
  uint32_t reserved12;
};
static_assert(kIsWire<HostMemoryDescriptor> && sizeof(HostMemoryDescriptor) == 16);
static_assert(offsetof(HostMemoryDescriptor, bsize) == 8);

// FID 0Dh, data of Get Features.
struct HostMemoryBufferAttributes {
  uint32_t hsize;
  uint32_t hmdlal;
  uint32_t hmdlau;
  uint32_t hmdlec;
  uint8_t reserved16[4080];
};
static_assert(kIsWire<HostMemoryBufferAttributes> && sizeof(HostMemoryBufferAttributes) == 4096);
static_assert(offsetof(HostMemoryBufferAttributes, hmdlec) == 12);

// FID 0Eh, data.
struct Timestamp {
  uint8_t ms[6];       // milliseconds since 1970-01-01 UTC, least significant byte first
  uint8_t attributes;  // Synch bit 0, Timestamp Origin bits 3:1
  uint8_t reserved7;

  constexpr uint64_t milliseconds() const {
    uint64_t value = 0;
    for (unsigned i = 0; i < 6; ++i) value |= uint64_t{ms[i]} << (8 * i);
    return value;
  }
  constexpr void set_milliseconds(uint64_t value) {
    for (unsigned i = 0; i < 6; ++i) ms[i] = static_cast<uint8_t>(value >> (8 * i));
  }
  constexpr bool synch() const { return bit(attributes, 0); }
  constexpr uint8_t origin() const { return bits(attributes, 3, 1); }
  static constexpr uint8_t kSynch = 1u << 0;
  static constexpr uint8_t kOriginReset = 0;  // cleared by a Controller Level Reset
  static constexpr uint8_t kOriginSetFeatures = 1;
};
static_assert(kIsWire<Timestamp> && sizeof(Timestamp) == 8);
static_assert(offsetof(Timestamp, attributes) == 6);

// FID 0Fh: the dword is KATO in milliseconds.
struct KeepAliveFeature {
  uint32_t value;
  constexpr uint32_t kato_ms() const { return value; }
};

// FID 10h
struct HostControlledThermalFeature {
  uint32_t value;
  constexpr uint16_t tmt2() const { return static_cast<uint16_t>(bits(value, 15, 0)); }   // Kelvin
  constexpr uint16_t tmt1() const { return static_cast<uint16_t>(bits(value, 31, 16)); }  // Kelvin
  static constexpr HostControlledThermalFeature make(uint16_t tmt1, uint16_t tmt2) {
    return {static_cast<uint32_t>(tmt1) << 16 | tmt2};
  }
};

// FID 11h
struct NonOperationalPowerStateFeature {
  uint32_t value;
  constexpr bool noppme() const { return bit(value, 0); }
};

// FID 12h: NVMSETID in CDW11, RRL in CDW12.
constexpr uint8_t read_recovery_level(uint32_t cdw12) {
  return static_cast<uint8_t>(bits(cdw12, 3, 0));
}

// FID 15h
struct LbaStatusReportIntervalFeature {
  uint32_t value;
  constexpr uint16_t lsiri() const { return static_cast<uint16_t>(bits(value, 15, 0)); }   // 100 ms
  constexpr uint16_t lsipi() const { return static_cast<uint16_t>(bits(value, 31, 16)); }  // 100 ms
};

// FID 16h, data.
struct HostBehaviorSupport {
  uint8_t acre;
  uint8_t etdas;
  uint8_t lbafee;
  uint8_t reserved3[509];
};
static_assert(kIsWire<HostBehaviorSupport> && sizeof(HostBehaviorSupport) == 512);
static_assert(offsetof(HostBehaviorSupport, lbafee) == 2);

// FID 17h
struct SanitizeConfigFeature {
  uint32_t value;
  constexpr bool nodrm() const { return bit(value, 0); }
};

// FID 18h
struct EnduranceGroupEventConfigFeature {
  uint32_t value;
  constexpr uint16_t endgid() const { return static_cast<uint16_t>(bits(value, 15, 0)); }
  constexpr uint8_t egcw() const { return static_cast<uint8_t>(bits(value, 23, 16)); }
};

// FID 19h
struct IoCommandSetProfileFeature {
  uint32_t value;
  constexpr uint16_t iocsci() const { return static_cast<uint16_t>(bits(value, 8, 0)); }
};

// FID 1Ah
struct SpinupControlFeature {
  uint32_t value;
  constexpr bool spinupc() const { return bit(value, 0); }
};

// FID 80h
struct SoftwareProgressMarkerFeature {
  uint32_t value;
  constexpr uint8_t pbslc() const { return static_cast<uint8_t>(bits(value, 7, 0)); }
};

// FID 81h: EXHID selects a 16-byte identifier in place of an 8-byte one.
struct HostIdentifierFeature {
  uint32_t value;
  constexpr bool exhid() const { return bit(value, 0); }
};

// FID 82h: a set bit masks the notification.
struct ReservationNotificationMaskFeature {
  uint32_t value;
  constexpr bool regpre() const { return bit(value, 1); }
  constexpr bool resrel() const { return bit(value, 2); }
  constexpr bool respre() const { return bit(value, 3); }
};

// FID 83h
struct ReservationPersistenceFeature {
  uint32_t value;
  constexpr bool ptpl() const { return bit(value, 0); }
};

// FID 84h
struct NamespaceWriteProtectionFeature {
  uint32_t value;
  constexpr uint8_t wps() const { return static_cast<uint8_t>(bits(value, 2, 0)); }
  static constexpr uint8_t kNone = 0;
  static constexpr uint8_t kWriteProtect = 1;
  static constexpr uint8_t kUntilPowerCycle = 2;
  static constexpr uint8_t kPermanent = 3;
};

// FID 03h, data: one LBA Range Type entry of up to 64.
struct LbaRangeType {
  uint8_t type;
  uint8_t attributes;
  uint8_t reserved2[14];
  uint64_t slba;
  uint64_t nlb;  // 0's based
  uint8_t guid[16];
  uint8_t reserved48[16];
};
static_assert(kIsWire<LbaRangeType> && sizeof(LbaRangeType) == 64);
static_assert(offsetof(LbaRangeType, slba) == 16 && offsetof(LbaRangeType, nlb) == 24 &&
              offsetof(LbaRangeType, guid) == 32);

}  // namespace pynvme::spec
