// The Persistent Event log (NVMe Base 2.0 §5.16.1.14): its header, the header of an event, and the
// data of the events that this project knows. Numbers that lie off their alignment are packed.
#pragma once

#include <cstddef>
#include <cstdint>

#include "spec/wire.h"

namespace pynvme::spec::pel {

// CDW10 LSP 1:0
inline constexpr uint8_t kReadData = 0;
inline constexpr uint8_t kEstablishContext = 1;
inline constexpr uint8_t kReleaseContext = 2;

inline constexpr uint8_t kRevision = 0x01;

struct [[gnu::packed]] Header {
  uint8_t lid;
  uint8_t reserved1[3];
  uint32_t events;  // TNEV
  uint64_t bytes;   // TLL
  uint8_t revision;
  uint8_t reserved17;
  uint16_t header_bytes;  // of what follows this field
  uint64_t timestamp;
  Uint128 power_on_hours;
  uint64_t power_cycles;
  uint16_t vid;
  uint16_t ssvid;
  char sn[20];
  char mn[40];
  char subnqn[256];
  uint8_t reserved372[108];
  uint8_t supported[32];  // a bit an event type
};
static_assert(kIsWire<Header> && sizeof(Header) == 512);
static_assert(offsetof(Header, header_bytes) == 18 && offsetof(Header, timestamp) == 20 &&
              offsetof(Header, power_cycles) == 44 && offsetof(Header, sn) == 56 &&
              offsetof(Header, subnqn) == 116 && offsetof(Header, supported) == 480);

struct [[gnu::packed]] EventHeader {
  uint8_t type;
  uint8_t revision;
  uint8_t header_bytes;  // EHL: of what follows this field
  uint8_t reserved3;
  uint16_t cntlid;
  uint64_t timestamp;
  uint8_t reserved14[6];
  uint16_t vendor_bytes;  // VSIL
  uint16_t data_bytes;    // EL
};
static_assert(kIsWire<EventHeader> && sizeof(EventHeader) == 24);
static_assert(offsetof(EventHeader, timestamp) == 6 && offsetof(EventHeader, data_bytes) == 22);

enum class Type : uint8_t {
  kSmartSnapshot = 0x01,
  kFirmwareCommit = 0x02,
  kTimestampChange = 0x03,
  kPowerOnOrReset = 0x04,
  kChangeNamespace = 0x06,
  kFormatStart = 0x07,
  kFormatCompletion = 0x08,
  kSanitizeStart = 0x09,
  kSanitizeCompletion = 0x0A,
};

struct FirmwareCommit {
  char old_revision[8];
  char new_revision[8];
  uint8_t action;
  uint8_t slot;
  uint8_t sct;
  uint8_t sc;
  uint16_t vendor;
};
static_assert(kIsWire<FirmwareCommit> && sizeof(FirmwareCommit) == 22);

struct TimestampChange {
  uint64_t previous;
  uint64_t ms_since_reset;
};
static_assert(kIsWire<TimestampChange> && sizeof(TimestampChange) == 16);

// With one controller in its list.
struct [[gnu::packed]] PowerOnOrReset {
  char revision[8];
  uint16_t cntlid;
  uint8_t firmware_activation;
  uint8_t operation_in_progress;
  uint8_t reserved12[12];
  uint32_t controller_power_cycle;
  uint64_t power_on_ms;
  uint64_t timestamp;
};
static_assert(kIsWire<PowerOnOrReset> && sizeof(PowerOnOrReset) == 44);

// Of a delete, all but CDW10 and the NSID are cleared.
struct ChangeNamespace {
  uint32_t cdw10;
  uint32_t reserved4;
  uint64_t nsze;
  uint64_t reserved16;
  uint64_t ncap;
  uint8_t flbas;
  uint8_t dps;
  uint8_t nmic;
  uint8_t reserved35;
  uint32_t anagrpid;
  uint16_t nvmsetid;
  uint16_t endgid;
  uint32_t nsid;
};
static_assert(kIsWire<ChangeNamespace> && sizeof(ChangeNamespace) == 48);

struct FormatStart {
  uint32_t nsid;
  uint8_t fna;
  uint8_t reserved5[3];
  uint32_t cdw10;
};
static_assert(kIsWire<FormatStart> && sizeof(FormatStart) == 12);

struct FormatCompletion {
  uint32_t nsid;
  uint8_t smallest_fpi;
  uint8_t format_status;
  uint16_t completion;
  uint32_t status;
};
static_assert(kIsWire<FormatCompletion> && sizeof(FormatCompletion) == 12);

struct SanitizeStart {
  uint32_t sanicap;
  uint32_t cdw10;
  uint32_t cdw11;
};
static_assert(kIsWire<SanitizeStart> && sizeof(SanitizeStart) == 12);

struct SanitizeCompletion {
  uint16_t sprog;
  uint16_t sstat;
  uint16_t completion;
  uint16_t reserved6;
};
static_assert(kIsWire<SanitizeCompletion> && sizeof(SanitizeCompletion) == 8);

}  // namespace pynvme::spec::pel
