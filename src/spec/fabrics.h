// Fabrics commands (NVMe Base 2.0 §6), their responses, the data of Connect and the Discovery log
// page (§5.16.1.23). Status codes are in status.h, SGL descriptors in sgl.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "spec/sgl.h"
#include "spec/wire.h"

namespace pynvme::spec::fabrics {

inline constexpr uint8_t kOpcode = 0x7F;  // in both queues

// FCTYPE, byte 4. Bits 1:0 are the direction of the data.
inline constexpr uint8_t kPropertySet = 0x00;
inline constexpr uint8_t kConnect = 0x01;
inline constexpr uint8_t kPropertyGet = 0x04;
inline constexpr uint8_t kAuthenticationSend = 0x05;
inline constexpr uint8_t kAuthenticationReceive = 0x06;
inline constexpr uint8_t kDisconnect = 0x08;

// The NQN that every Discovery controller answers to.
inline constexpr std::string_view kDiscoveryNqn = "nqn.2014-08.org.nvmexpress.discovery";
inline constexpr size_t kNqnBytesMax = 223;

// The dynamic controller model: any controller will do.
inline constexpr uint16_t kCntlidDynamic = 0xFFFF;
// The static one: any controller that is not in use.
inline constexpr uint16_t kCntlidStatic = 0xFFFE;

// What all of them begin with.
struct Command {
  uint8_t opcode;
  uint8_t flags;  // PSDT 7:6
  uint16_t cid;
  uint8_t fctype;
  uint8_t reserved5[19];
  SglDescriptor sgl1;  // reserved where there is no data
  uint8_t specific[24];
};
static_assert(kIsWire<Command> && sizeof(Command) == 64);
static_assert(offsetof(Command, cid) == 2 && offsetof(Command, fctype) == 4 &&
              offsetof(Command, sgl1) == 24 && offsetof(Command, specific) == 40);

struct Connect {
  uint8_t opcode;
  uint8_t flags;
  uint16_t cid;
  uint8_t fctype;
  uint8_t reserved5[19];
  SglDescriptor sgl1;
  uint16_t recfmt;  // 0
  uint16_t qid;
  uint16_t sqsize;  // 0's based
  uint8_t cattr;
  uint8_t reserved47;
  uint32_t kato;  // milliseconds, 0: no Keep Alive; for the admin queue
  uint8_t reserved52[12];
};
static_assert(kIsWire<Connect> && sizeof(Connect) == 64);
static_assert(offsetof(Connect, recfmt) == 40 && offsetof(Connect, qid) == 42 &&
              offsetof(Connect, sqsize) == 44 && offsetof(Connect, cattr) == 46 &&
              offsetof(Connect, kato) == 48);

// CATTR: priority class of an I/O queue 1:0.
inline constexpr uint8_t kCattrDisableSqFlowControl = 1u << 2;
inline constexpr uint8_t kCattrIndividualQueueDeletion = 1u << 3;

struct ConnectData {
  uint8_t hostid[16];
  uint16_t cntlid;
  uint8_t reserved18[238];
  char subnqn[256];  // null-terminated
  char hostnqn[256];
  uint8_t reserved768[256];
};
static_assert(kIsWire<ConnectData> && sizeof(ConnectData) == 1024);
static_assert(offsetof(ConnectData, cntlid) == 16 && offsetof(ConnectData, subnqn) == 256 &&
              offsetof(ConnectData, hostnqn) == 512);

// Dword 0 of a successful Connect.
constexpr uint16_t connect_cntlid(uint32_t cdw0) {
  return static_cast<uint16_t>(bits(cdw0, 15, 0));
}
inline constexpr uint32_t kAuthreqAtr = 1u << 17;   // authentication transaction required
inline constexpr uint32_t kAuthreqAscr = 1u << 18;  // ... and secure channel concatenation

// Dword 0 of Connect Invalid Parameters: IPO 15:0, IATTR 23:16.
inline constexpr uint32_t kIattrData = 1u << 16;  // IPO is an offset into the data, not the SQE
constexpr uint16_t connect_ipo(uint32_t cdw0) { return static_cast<uint16_t>(bits(cdw0, 15, 0)); }

// Property Get and Property Set.
struct Property {
  uint8_t opcode;
  uint8_t flags;
  uint16_t cid;
  uint8_t fctype;
  uint8_t reserved5[35];
  uint8_t attrib;  // size 2:0
  uint8_t reserved41[3];
  uint32_t ofst;
  uint64_t value;  // Property Set; Property Get answers in dwords 0 and 1
  uint8_t reserved56[8];
};
static_assert(kIsWire<Property> && sizeof(Property) == 64);
static_assert(offsetof(Property, attrib) == 40 && offsetof(Property, ofst) == 44 &&
              offsetof(Property, value) == 48);
inline constexpr uint8_t kAttribSize4 = 0;
inline constexpr uint8_t kAttribSize8 = 1;

// Authentication Send and Authentication Receive.
struct Authentication {
  uint8_t opcode;
  uint8_t flags;
  uint16_t cid;
  uint8_t fctype;
  uint8_t reserved5[19];
  SglDescriptor sgl1;
  uint8_t reserved40;
  uint8_t spsp0;
  uint8_t spsp1;
  uint8_t secp;
  uint32_t length;  // TL or AL, bytes
  uint8_t reserved48[16];
};
static_assert(kIsWire<Authentication> && sizeof(Authentication) == 64);
static_assert(offsetof(Authentication, spsp0) == 41 && offsetof(Authentication, spsp1) == 42 &&
              offsetof(Authentication, secp) == 43 && offsetof(Authentication, length) == 44);
inline constexpr uint8_t kSecpNvmeAuthentication = 0xE9;

struct Disconnect {
  uint8_t opcode;
  uint8_t flags;
  uint16_t cid;
  uint8_t fctype;
  uint8_t reserved5[35];
  uint16_t recfmt;  // 0
  uint8_t reserved42[22];
};
static_assert(kIsWire<Disconnect> && sizeof(Disconnect) == 64);
static_assert(offsetof(Disconnect, recfmt) == 40);

// LID 70h: this, then NUMREC entries.
struct DiscoveryLogHeader {
  uint64_t genctr;
  uint64_t numrec;
  uint16_t recfmt;  // 0
  uint8_t reserved18[1006];
};
static_assert(kIsWire<DiscoveryLogHeader> && sizeof(DiscoveryLogHeader) == 1024);
static_assert(offsetof(DiscoveryLogHeader, numrec) == 8 &&
              offsetof(DiscoveryLogHeader, recfmt) == 16);

struct DiscoveryLogEntry {
  uint8_t trtype;
  uint8_t adrfam;
  uint8_t subtype;
  uint8_t treq;  // secure channel 1:0, SQ flow control can be disabled 2
  uint16_t portid;
  uint16_t cntlid;
  uint16_t asqsz;
  uint16_t eflags;
  uint8_t reserved12[20];
  char trsvcid[32];  // ASCII, padded with spaces or zeroes
  uint8_t reserved64[192];
  char subnqn[256];  // null-terminated
  char traddr[256];  // ASCII, padded with spaces or zeroes
  uint8_t tsas[256];
};
static_assert(kIsWire<DiscoveryLogEntry> && sizeof(DiscoveryLogEntry) == 1024);
static_assert(offsetof(DiscoveryLogEntry, portid) == 4 &&
              offsetof(DiscoveryLogEntry, cntlid) == 6 && offsetof(DiscoveryLogEntry, asqsz) == 8 &&
              offsetof(DiscoveryLogEntry, eflags) == 10 &&
              offsetof(DiscoveryLogEntry, trsvcid) == 32 &&
              offsetof(DiscoveryLogEntry, subnqn) == 256 &&
              offsetof(DiscoveryLogEntry, traddr) == 512 &&
              offsetof(DiscoveryLogEntry, tsas) == 768);

inline constexpr uint8_t kTrtypeRdma = 1;
inline constexpr uint8_t kTrtypeFc = 2;
inline constexpr uint8_t kTrtypeTcp = 3;
inline constexpr uint8_t kAdrfamIpv4 = 1;
inline constexpr uint8_t kAdrfamIpv6 = 2;
inline constexpr uint8_t kSubtypeReferral = 1;
inline constexpr uint8_t kSubtypeNvm = 2;
inline constexpr uint8_t kSubtypeCurrentDiscovery = 3;
inline constexpr uint8_t kTreqSecureRequired = 1;
inline constexpr uint8_t kTreqSecureNotRequired = 2;
inline constexpr uint8_t kTreqSqFlowControlOptional = 1u << 2;
// TSAS of TCP, byte 0.
inline constexpr uint8_t kSectypeNone = 0;
inline constexpr uint8_t kSectypeTls12 = 1;
inline constexpr uint8_t kSectypeTls13 = 2;

// Never null: an unknown type is "Reserved" or "Vendor Specific".
constexpr const char* command_name(uint8_t fctype) {
  switch (fctype) {
    case kPropertySet:
      return "Property Set";
    case kConnect:
      return "Connect";
    case kPropertyGet:
      return "Property Get";
    case kAuthenticationSend:
      return "Authentication Send";
    case kAuthenticationReceive:
      return "Authentication Receive";
    case kDisconnect:
      return "Disconnect";
    default:
      return fctype >= 0xC0 ? "Vendor Specific" : "Reserved";
  }
}

}  // namespace pynvme::spec::fabrics
