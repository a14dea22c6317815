// Log pages (NVMe Base 2.0 §5.16.1) and the completion of Asynchronous Event Request (§5.2.1).
// Reserved bytes are named by their offset. How counters advance is the device's business.
#pragma once

#include <cstddef>
#include <cstdint>

#include "spec/wire.h"

namespace pynvme::spec {

namespace lid {
inline constexpr uint8_t kSupportedLogPages = 0x00;
inline constexpr uint8_t kError = 0x01;
inline constexpr uint8_t kSmart = 0x02;
inline constexpr uint8_t kFirmwareSlot = 0x03;
inline constexpr uint8_t kChangedNamespaceList = 0x04;
inline constexpr uint8_t kCommandsSupportedEffects = 0x05;
inline constexpr uint8_t kDeviceSelfTest = 0x06;
inline constexpr uint8_t kTelemetryHost = 0x07;
inline constexpr uint8_t kTelemetryController = 0x08;
inline constexpr uint8_t kEnduranceGroup = 0x09;
inline constexpr uint8_t kPredictableLatencyNvmSet = 0x0A;
inline constexpr uint8_t kPredictableLatencyAggregate = 0x0B;
inline constexpr uint8_t kAna = 0x0C;
inline constexpr uint8_t kPersistentEvent = 0x0D;
inline constexpr uint8_t kLbaStatus = 0x0E;
inline constexpr uint8_t kEnduranceGroupAggregate = 0x0F;
inline constexpr uint8_t kMediaUnitStatus = 0x10;
inline constexpr uint8_t kSupportedCapacityConfigurationList = 0x11;
inline constexpr uint8_t kFeatureIdentifiersEffects = 0x12;
inline constexpr uint8_t kMiCommandsEffects = 0x13;
inline constexpr uint8_t kCommandFeatureLockdown = 0x14;
inline constexpr uint8_t kBootPartition = 0x15;
inline constexpr uint8_t kRotationalMedia = 0x16;
inline constexpr uint8_t kDiscovery = 0x70;
inline constexpr uint8_t kReservationNotification = 0x80;
inline constexpr uint8_t kSanitizeStatus = 0x81;
inline constexpr uint8_t kChangedZoneList = 0xBF;
inline constexpr uint8_t kVendorFirst = 0xC0;
}  // namespace lid

// LID 00h: a LID Supported and Effects dword a log page.
struct SupportedLogPages {
  uint32_t lids[256];

  static constexpr uint32_t kLsupp = 1u << 0;
  static constexpr uint32_t kIos = 1u << 1;  // index offset supported
};
static_assert(kIsWire<SupportedLogPages> && sizeof(SupportedLogPages) == 1024);

// LID 01h, one entry.
struct ErrorLogEntry {
  uint64_t error_count;  // 0 is an entry that is not valid
  uint16_t sqid;
  uint16_t cid;
  uint16_t status;                    // as in the CQE, Phase Tag in bit 0
  uint16_t parameter_error_location;  // byte 7:0, bit 10:8; FFFFh is no parameter
  uint64_t lba;
  uint32_t nsid;
  uint8_t vendor_log_page;
  uint8_t trtype;
  uint8_t reserved30[2];
  uint64_t command_specific;
  uint16_t transport_specific;
  uint8_t reserved42[22];
};
static_assert(kIsWire<ErrorLogEntry> && sizeof(ErrorLogEntry) == 64);
static_assert(offsetof(ErrorLogEntry, sqid) == 8 && offsetof(ErrorLogEntry, status) == 12 &&
              offsetof(ErrorLogEntry, lba) == 16 && offsetof(ErrorLogEntry, nsid) == 24 &&
              offsetof(ErrorLogEntry, vendor_log_page) == 28 &&
              offsetof(ErrorLogEntry, command_specific) == 32 &&
              offsetof(ErrorLogEntry, transport_specific) == 40);

constexpr uint16_t make_parameter_error_location(uint8_t byte_offset, uint8_t bit_offset = 0) {
  return static_cast<uint16_t>((bit_offset & 0x7) << 8 | byte_offset);
}

// LID 02h. The temperature is two bytes because it lies at byte 1; packing the whole structure
// instead would forbid references to its counters.
struct SmartLog {
  uint8_t critical_warning;
  uint8_t temperature_bytes[2];  // use composite_temperature()
  uint8_t available_spare;       // percent
  uint8_t available_spare_threshold;
  uint8_t percentage_used;
  uint8_t endurance_group_critical_warning;
  uint8_t reserved7[25];
  Uint128 data_units_read;  // thousands of 512 bytes, rounded up
  Uint128 data_units_written;
  Uint128 host_read_commands;
  Uint128 host_write_commands;
  Uint128 controller_busy_time;  // minutes
  Uint128 power_cycles;
  Uint128 power_on_hours;
  Uint128 unsafe_shutdowns;
  Uint128 media_errors;
  Uint128 error_log_entries;
  uint32_t warning_temperature_time;   // minutes
  uint32_t critical_temperature_time;  // minutes
  uint16_t temperature_sensor[8];      // Kelvin; 0 is not implemented
  uint32_t tmt1_transition_count;
  uint32_t tmt2_transition_count;
  uint32_t tmt1_total_time;  // seconds
  uint32_t tmt2_total_time;  // seconds
  uint8_t reserved232[280];

  constexpr uint16_t composite_temperature() const {  // Kelvin
    return static_cast<uint16_t>(temperature_bytes[1] << 8 | temperature_bytes[0]);
  }
  constexpr void set_composite_temperature(uint16_t kelvin) {
    temperature_bytes[0] = static_cast<uint8_t>(kelvin);
    temperature_bytes[1] = static_cast<uint8_t>(kelvin >> 8);
  }
};
static_assert(kIsWire<SmartLog> && sizeof(SmartLog) == 512);
static_assert(offsetof(SmartLog, temperature_bytes) == 1 &&
              offsetof(SmartLog, available_spare) == 3 && offsetof(SmartLog, reserved7) == 7 &&
              offsetof(SmartLog, data_units_read) == 32 &&
              offsetof(SmartLog, power_on_hours) == 128 &&
              offsetof(SmartLog, error_log_entries) == 176 &&
              offsetof(SmartLog, warning_temperature_time) == 192 &&
              offsetof(SmartLog, temperature_sensor) == 200 &&
              offsetof(SmartLog, tmt1_transition_count) == 216);

// SmartLog::critical_warning, and bits 7:0 of the Asynchronous Event Configuration feature.
inline constexpr uint8_t kWarningSpare = 1u << 0;
inline constexpr uint8_t kWarningTemperature = 1u << 1;
inline constexpr uint8_t kWarningReliability = 1u << 2;
inline constexpr uint8_t kWarningReadOnly = 1u << 3;
inline constexpr uint8_t kWarningVolatileBackup = 1u << 4;
inline constexpr uint8_t kWarningPmrReadOnly = 1u << 5;

// LID 03h.
struct FirmwareSlotLog {
  uint8_t afi;  // active slot 2:0, slot for the next Controller Level Reset 6:4 (0: the same)
  uint8_t reserved1[7];
  char frs[7][8];  // ASCII, slots 1 to 7; all zeros is an empty slot
  uint8_t reserved64[448];
};
static_assert(kIsWire<FirmwareSlotLog> && sizeof(FirmwareSlotLog) == 512);
static_assert(offsetof(FirmwareSlotLog, frs) == 8 && offsetof(FirmwareSlotLog, reserved64) == 64);

// LID 04h: ascending; nsid[0] FFFFFFFFh is more than 1024 changes.
struct ChangedNamespaceList {
  uint32_t nsid[1024];
};
static_assert(kIsWire<ChangedNamespaceList> && sizeof(ChangedNamespaceList) == 4096);

// LID 05h.
struct CommandsSupportedEffects {
  uint32_t acs[256];
  uint32_t iocs[256];
  uint8_t reserved2048[2048];

  static constexpr uint32_t kCsupp = 1u << 0;
  static constexpr uint32_t kLbcc = 1u << 1;
  static constexpr uint32_t kNcc = 1u << 2;
  static constexpr uint32_t kNic = 1u << 3;
  static constexpr uint32_t kCcc = 1u << 4;
  static constexpr uint32_t kCseNamespaceExclusive = 1u << 16;
  static constexpr uint32_t kCseControllerExclusive = 2u << 16;
  static constexpr uint32_t kUss = 1u << 19;
  static constexpr uint32_t kCspNamespace = 1u << 20;
  static constexpr uint32_t kCspController = 1u << 21;
  static constexpr uint32_t kCspNvmSet = 1u << 22;
  static constexpr uint32_t kCspEnduranceGroup = 1u << 23;
  static constexpr uint32_t kCspDomain = 1u << 24;
  static constexpr uint32_t kCspSubsystem = 1u << 25;
};
static_assert(kIsWire<CommandsSupportedEffects> && sizeof(CommandsSupportedEffects) == 4096);
static_assert(offsetof(CommandsSupportedEffects, iocs) == 1024 &&
              offsetof(CommandsSupportedEffects, reserved2048) == 2048);

// LID 06h. Packed: the 28-byte results begin at byte 4 and put their 8-byte fields off alignment.
struct [[gnu::packed]] DeviceSelfTestResult {
  uint8_t status;  // result 3:0, Self-test Code 7:4; result Fh is an unused entry
  uint8_t segment;
  uint8_t valid;  // NSID 0, FLBA 1, SCT 2, SC 3
  uint8_t reserved3;
  uint64_t power_on_hours;
  uint32_t nsid;
  uint64_t failing_lba;
  uint8_t status_code_type;  // 2:0
  uint8_t status_code;
  uint8_t vendor[2];
};
static_assert(kIsWire<DeviceSelfTestResult> && sizeof(DeviceSelfTestResult) == 28);
static_assert(offsetof(DeviceSelfTestResult, power_on_hours) == 4 &&
              offsetof(DeviceSelfTestResult, nsid) == 12 &&
              offsetof(DeviceSelfTestResult, failing_lba) == 16 &&
              offsetof(DeviceSelfTestResult, status_code) == 25);

struct DeviceSelfTestLog {
  uint8_t current_operation;   // 3:0
  uint8_t current_completion;  // percent, 6:0
  uint8_t reserved2[2];
  DeviceSelfTestResult result[20];  // newest first
};
static_assert(kIsWire<DeviceSelfTestLog> && sizeof(DeviceSelfTestLog) == 564);
static_assert(offsetof(DeviceSelfTestLog, result) == 4);

// Device Self-test (§5.9): STC of the command, result codes of the log.
namespace self_test {
inline constexpr uint8_t kShort = 0x1;
inline constexpr uint8_t kExtended = 0x2;
inline constexpr uint8_t kAbort = 0xF;

inline constexpr uint8_t kPassed = 0x0;
inline constexpr uint8_t kAbortedByCommand = 0x1;
inline constexpr uint8_t kAbortedByReset = 0x2;
inline constexpr uint8_t kAbortedByNamespaceRemoval = 0x3;
inline constexpr uint8_t kAbortedByFormat = 0x4;
inline constexpr uint8_t kAbortedBySanitize = 0x9;
inline constexpr uint8_t kResultUnused = 0xF;

inline constexpr uint8_t kValidNsid = 1u << 0;
}  // namespace self_test

// LID 07h and 08h: blocks of 512 bytes follow. The generation number of a host-initiated log is
// there since NVMe Base 2.0.
struct TelemetryHeader {
  uint8_t lid;
  uint8_t reserved1[4];
  uint8_t ieee[3];
  uint16_t last_block[3];  // of Data Areas 1 to 3
  uint8_t reserved14[2];
  uint32_t last_block_4;
  uint8_t reserved20[361];
  uint8_t host_generation;
  uint8_t controller_available;
  uint8_t controller_generation;
  uint8_t reason[128];  // Reason Identifier
};
static_assert(kIsWire<TelemetryHeader> && sizeof(TelemetryHeader) == 512);
static_assert(offsetof(TelemetryHeader, last_block) == 8 &&
              offsetof(TelemetryHeader, last_block_4) == 16 &&
              offsetof(TelemetryHeader, host_generation) == 381 &&
              offsetof(TelemetryHeader, controller_available) == 382 &&
              offsetof(TelemetryHeader, reason) == 384);
inline constexpr uint8_t kTelemetryCreate = 1u << 0;  // LSP

// LID 12h: a FID Supported and Effects dword a feature.
struct FeatureIdentifiersEffects {
  uint32_t fis[256];

  static constexpr uint32_t kFsupp = 1u << 0;
  static constexpr uint32_t kUdcc = 1u << 1;
  static constexpr uint32_t kNcc = 1u << 2;
  static constexpr uint32_t kNic = 1u << 3;
  static constexpr uint32_t kCcc = 1u << 4;
  static constexpr uint32_t kUss = 1u << 19;
  static constexpr uint32_t kFspNamespace = 1u << 20;
  static constexpr uint32_t kFspController = 1u << 21;
};
static_assert(kIsWire<FeatureIdentifiersEffects> && sizeof(FeatureIdentifiersEffects) == 1024);

// LID 81h.
struct SanitizeStatusLog {
  uint16_t sprog;           // of 65536
  uint16_t sstat;           // status 2:0, overwrite passes 7:3, Global Data Erased 8
  uint32_t scdw10;          // CDW10 of the Sanitize command
  uint32_t overwrite_time;  // seconds, FFFFFFFFh is not reported; as are the next five
  uint32_t block_erase_time;
  uint32_t crypto_erase_time;
  uint32_t overwrite_no_deallocate_time;
  uint32_t block_erase_no_deallocate_time;
  uint32_t crypto_erase_no_deallocate_time;
  uint8_t reserved32[480];
};
static_assert(kIsWire<SanitizeStatusLog> && sizeof(SanitizeStatusLog) == 512);
static_assert(offsetof(SanitizeStatusLog, sstat) == 2 && offsetof(SanitizeStatusLog, scdw10) == 4 &&
              offsetof(SanitizeStatusLog, overwrite_time) == 8 &&
              offsetof(SanitizeStatusLog, reserved32) == 32);

// SSTAT
namespace sstat {
inline constexpr uint8_t kNever = 0;
inline constexpr uint8_t kCompleted = 1;
inline constexpr uint8_t kInProgress = 2;
inline constexpr uint8_t kFailed = 3;
inline constexpr uint16_t kGlobalDataErased = 1u << 8;
}  // namespace sstat

// Completion of Asynchronous Event Request: type 2:0, information 15:8, log page 23:16 of CDW0.
namespace aer {
inline constexpr uint8_t kTypeError = 0;
inline constexpr uint8_t kTypeSmart = 1;
inline constexpr uint8_t kTypeNotice = 2;
inline constexpr uint8_t kTypeImmediate = 3;
inline constexpr uint8_t kTypeIoCommandSpecific = 6;
inline constexpr uint8_t kTypeVendor = 7;

inline constexpr uint8_t kErrorInvalidDoorbellRegister = 0x00;
inline constexpr uint8_t kErrorInvalidDoorbellValue = 0x01;
inline constexpr uint8_t kErrorDiagnosticFailure = 0x02;
inline constexpr uint8_t kErrorPersistentInternal = 0x03;
inline constexpr uint8_t kErrorTransientInternal = 0x04;
inline constexpr uint8_t kErrorFirmwareImageLoad = 0x05;

inline constexpr uint8_t kSmartReliability = 0x00;
inline constexpr uint8_t kSmartTemperature = 0x01;
inline constexpr uint8_t kSmartSpare = 0x02;

inline constexpr uint8_t kNoticeNamespaceAttribute = 0x00;
inline constexpr uint8_t kNoticeFirmwareActivation = 0x01;
inline constexpr uint8_t kNoticeTelemetryLog = 0x02;
inline constexpr uint8_t kNoticeAna = 0x03;
inline constexpr uint8_t kNoticePredictableLatency = 0x04;
inline constexpr uint8_t kNoticeLbaStatus = 0x05;
inline constexpr uint8_t kNoticeEnduranceGroup = 0x06;

inline constexpr uint8_t kImmediateNormalSubsystemShutdown = 0x00;

inline constexpr uint8_t kIoReservationLog = 0x00;
inline constexpr uint8_t kIoSanitizeCompleted = 0x01;
inline constexpr uint8_t kIoSanitizeUnexpectedDeallocation = 0x02;

constexpr uint32_t make_cdw0(uint8_t type, uint8_t info, uint8_t log_page) {
  return static_cast<uint32_t>(log_page) << 16 | static_cast<uint32_t>(info) << 8 | (type & 0x7u);
}
constexpr uint8_t type(uint32_t cdw0) { return static_cast<uint8_t>(bits(cdw0, 2, 0)); }
constexpr uint8_t info(uint32_t cdw0) { return static_cast<uint8_t>(bits(cdw0, 15, 8)); }
constexpr uint8_t log_page(uint32_t cdw0) { return static_cast<uint8_t>(bits(cdw0, 23, 16)); }
}  // namespace aer

}  // namespace pynvme::spec
