// One table row per named field: where it lies and how it is written. NVMe Base 2.0 §5 and §7, NVM
// Command Set 1.0 §3.2 and §4.1, Zoned Namespace Command Set 1.1 §3.4.
#include "driver/cmdlog_fields.h"

#include <span>

#include "spec/opcode.h"
#include "spec/wire.h"

namespace pynvme::driver {
namespace {

using spec::Sqe;

enum Form : uint8_t { kDecimal, kHex, kZeroBased };

struct Field {
  const char* name;
  uint8_t dword;  // 10..15
  uint8_t high;   // 63: the dword and the one after it
  uint8_t low;
  Form form = kDecimal;
};

constexpr Field kQid = {"qid", 10, 15, 0};
constexpr Field kQsize = {"qsize", 10, 31, 16, kZeroBased};
constexpr Field kPc = {"pc", 11, 0, 0};
constexpr Field kUuidIndex = {"uuid_index", 14, 6, 0};
constexpr Field kDeleteQueue[] = {kQid};
constexpr Field kCreateSq[] = {
    kQid, kQsize, kPc, {"qprio", 11, 2, 1}, {"cqid", 11, 31, 16}, {"nvmsetid", 12, 15, 0}};
constexpr Field kCreateCq[] = {kQid, kQsize, kPc, {"ien", 11, 1, 1}, {"iv", 11, 31, 16}};
constexpr Field kGetLogPage[] = {{"lid", 10, 7, 0, kHex},    {"lsp", 10, 14, 8},
                                 {"rae", 10, 15, 15},        {"numdl", 10, 31, 16, kHex},
                                 {"numdu", 11, 15, 0, kHex}, {"lsi", 11, 31, 16},
                                 {"lpo", 12, 63, 0, kHex},   kUuidIndex,
                                 {"ot", 14, 23, 23},         {"csi", 14, 31, 24}};
constexpr Field kIdentify[] = {{"cns", 10, 7, 0, kHex},
                               {"cntid", 10, 31, 16},
                               {"cnssid", 11, 15, 0},
                               {"csi", 11, 31, 24},
                               kUuidIndex};
// SQID and CID of the command to abort, told apart from those of this one.
constexpr Field kAbort[] = {{"sqid_abort", 10, 15, 0}, {"cid_abort", 10, 31, 16}};
constexpr Field kSetFeatures[] = {{"fid", 10, 7, 0, kHex},    {"sv", 10, 31, 31},
                                  {"cdw11", 11, 31, 0, kHex}, {"cdw12", 12, 31, 0, kHex},
                                  {"cdw13", 13, 31, 0, kHex}, kUuidIndex,
                                  {"cdw15", 15, 31, 0, kHex}};
constexpr Field kGetFeatures[] = {
    {"fid", 10, 7, 0, kHex}, {"sel", 10, 10, 8}, {"cdw11", 11, 31, 0, kHex}, kUuidIndex};
constexpr Field kNamespaceManagement[] = {{"sel", 10, 3, 0}, {"csi", 11, 31, 24}};
constexpr Field kNamespaceAttachment[] = {{"sel", 10, 3, 0}};
constexpr Field kFirmwareCommit[] = {{"fs", 10, 2, 0}, {"ca", 10, 5, 3}, {"bpid", 10, 31, 31}};
constexpr Field kFirmwareDownload[] = {{"numd", 10, 31, 0, kZeroBased}, {"ofst", 11, 31, 0, kHex}};
constexpr Field kSelfTest[] = {{"stc", 10, 3, 0, kHex}};
constexpr Field kDirective[] = {
    {"numd", 10, 31, 0, kZeroBased}, {"doper", 11, 7, 0, kHex},  {"dtype", 11, 15, 8},
    {"dspec", 11, 31, 16},           {"cdw12", 12, 31, 0, kHex}, {"cdw13", 13, 31, 0, kHex}};
constexpr Field kVirtualization[] = {
    {"act", 10, 3, 0}, {"rt", 10, 10, 8}, {"cntlid", 10, 31, 16}, {"nr", 11, 15, 0}};
constexpr Field kCapacity[] = {
    {"oper", 10, 3, 0}, {"elid", 10, 31, 16}, {"capl", 11, 31, 0, kHex}, {"capu", 12, 31, 0, kHex}};
constexpr Field kLockdown[] = {{"scp", 10, 3, 0},
                               {"prhbt", 10, 4, 4},
                               {"ifc", 10, 6, 5},
                               {"ofi", 10, 15, 8, kHex},
                               kUuidIndex};
constexpr Field kFormat[] = {{"lbafl", 10, 3, 0}, {"mset", 10, 4, 4}, {"pi", 10, 7, 5},
                             {"pil", 10, 8, 8},   {"ses", 10, 11, 9}, {"lbafu", 10, 13, 12}};
constexpr Field kSecurity[] = {
    {"secp", 10, 31, 24, kHex}, {"spsp", 10, 23, 8, kHex}, {"nssf", 10, 7, 0, kHex}};
constexpr Field kSecurityLength[] = {{"tl", 11, 31, 0}};
constexpr Field kSecurityAllocation[] = {{"al", 11, 31, 0}};
constexpr Field kSanitize[] = {{"sanact", 10, 2, 0}, {"ause", 10, 3, 3},
                               {"owpass", 10, 7, 4}, {"oipbp", 10, 8, 8},
                               {"ndas", 10, 9, 9},   {"ovrpat", 11, 31, 0, kHex}};
constexpr Field kSlba[] = {{"slba", 10, 63, 0, kHex}};
constexpr Field kLbaStatus[] = {
    {"mndw", 12, 31, 0, kZeroBased}, {"rl", 13, 15, 0}, {"atype", 13, 31, 24, kHex}};

constexpr Field kNlb[] = {{"nlb", 12, 15, 0, kZeroBased}};
constexpr Field kProtected[] = {
    {"prinfo", 12, 29, 26, kHex}, {"fua", 12, 30, 30}, {"lr", 12, 31, 31}};
constexpr Field kStc[] = {{"stc", 12, 24, 24}};
constexpr Field kReadHints[] = {{"dsm", 13, 7, 0, kHex}};
constexpr Field kWriteHints[] = {
    {"dtype", 12, 23, 20}, {"dsm", 13, 7, 0, kHex}, {"dspec", 13, 31, 16}};
constexpr Field kExpectedTags[] = {
    {"eilbrt", 14, 31, 0, kHex}, {"elbat", 15, 15, 0, kHex}, {"elbatm", 15, 31, 16, kHex}};
constexpr Field kInitialTags[] = {
    {"ilbrt", 14, 31, 0, kHex}, {"lbat", 15, 15, 0, kHex}, {"lbatm", 15, 31, 16, kHex}};
constexpr Field kDeac[] = {{"deac", 12, 25, 25}};
constexpr Field kDsm[] = {
    {"nr", 10, 7, 0, kZeroBased}, {"idr", 11, 0, 0}, {"idw", 11, 1, 1}, {"ad", 11, 2, 2}};
constexpr Field kCopy[] = {
    {"sdlba", 10, 63, 0, kHex},    {"nr", 12, 7, 0, kZeroBased}, {"desfmt", 12, 11, 8},
    {"prinfor", 12, 15, 12, kHex}, {"dtype", 12, 23, 20},        {"prinfow", 12, 29, 26, kHex},
    {"fua", 12, 30, 30},           {"lr", 12, 31, 31},           {"dspec", 13, 31, 16}};
constexpr Field kRegister[] = {{"rrega", 10, 2, 0}, {"iekey", 10, 3, 3}, {"cptpl", 10, 31, 30}};
constexpr Field kReport[] = {{"numd", 10, 31, 0, kZeroBased}, {"eds", 11, 0, 0}};
constexpr Field kAcquire[] = {{"racqa", 10, 2, 0}, {"iekey", 10, 3, 3}, {"rtype", 10, 15, 8}};
constexpr Field kRelease[] = {{"rrela", 10, 2, 0}, {"iekey", 10, 3, 3}, {"rtype", 10, 15, 8}};
constexpr Field kZoneSend[] = {{"zsa", 13, 7, 0, kHex}, {"select_all", 13, 8, 8}};
constexpr Field kZoneReceive[] = {{"numd", 12, 31, 0, kZeroBased},
                                  {"zra", 13, 7, 0, kHex},
                                  {"zrasf", 13, 15, 8, kHex},
                                  {"partial", 13, 16, 16}};
constexpr Field kZslba[] = {{"zslba", 10, 63, 0, kHex}};

class Collector {
 public:
  explicit Collector(const Sqe& sqe)
      : dwords_{sqe.cdw10, sqe.cdw11, sqe.cdw12, sqe.cdw13, sqe.cdw14, sqe.cdw15} {}

  void take(std::span<const Field> fields) {
    for (const Field& field : fields) {
      const unsigned at = field.dword - 10U;
      uint64_t value = dwords_[at];
      if (field.high == 63) {
        value |= uint64_t{dwords_[at + 1]} << 32;
        named_[at] = named_[at + 1] = UINT32_MAX;
      } else {
        value = spec::bits(dwords_[at], field.high, field.low);
        named_[at] |= (UINT32_MAX >> (31 - field.high)) & (UINT32_MAX << field.low);
      }
      // The first field says what the command is about.
      const bool telling = found_.empty() || field.form == kZeroBased;
      if (field.form == kZeroBased) ++value;
      found_.push_back({field.name, value, field.form == kHex, telling});
    }
  }
  template <class... More>
  void take(std::span<const Field> fields, const More&... more) {
    take(fields);
    take(more...);
  }

  std::vector<NamedField> finish() {
    static constexpr const char* kNames[] = {"cdw10", "cdw11", "cdw12", "cdw13", "cdw14", "cdw15"};
    for (unsigned at = 0; at < 6; ++at) {
      if ((dwords_[at] & ~named_[at]) != 0) found_.push_back({kNames[at], dwords_[at], true, true});
    }
    return std::move(found_);
  }

 private:
  const uint32_t dwords_[6];
  uint32_t named_[6] = {};  // bits that have a name
  std::vector<NamedField> found_;
};

void take_admin(Collector& fields, uint8_t opcode) {
  namespace admin = spec::admin;
  switch (opcode) {
    case admin::kDeleteIoSq:
    case admin::kDeleteIoCq:
      return fields.take(kDeleteQueue);
    case admin::kCreateIoSq:
      return fields.take(kCreateSq);
    case admin::kCreateIoCq:
      return fields.take(kCreateCq);
    case admin::kGetLogPage:
      return fields.take(kGetLogPage);
    case admin::kIdentify:
      return fields.take(kIdentify);
    case admin::kAbort:
      return fields.take(kAbort);
    case admin::kSetFeatures:
      return fields.take(kSetFeatures);
    case admin::kGetFeatures:
      return fields.take(kGetFeatures);
    case admin::kNamespaceManagement:
      return fields.take(kNamespaceManagement);
    case admin::kNamespaceAttachment:
      return fields.take(kNamespaceAttachment);
    case admin::kFirmwareCommit:
      return fields.take(kFirmwareCommit);
    case admin::kFirmwareImageDownload:
      return fields.take(kFirmwareDownload);
    case admin::kDeviceSelfTest:
      return fields.take(kSelfTest);
    case admin::kDirectiveSend:
    case admin::kDirectiveReceive:
      return fields.take(kDirective);
    case admin::kVirtualizationManagement:
      return fields.take(kVirtualization);
    case admin::kCapacityManagement:
      return fields.take(kCapacity);
    case admin::kLockdown:
      return fields.take(kLockdown);
    case admin::kFormatNvm:
      return fields.take(kFormat);
    case admin::kSecuritySend:
      return fields.take(kSecurity, kSecurityLength);
    case admin::kSecurityReceive:
      return fields.take(kSecurity, kSecurityAllocation);
    case admin::kSanitize:
      return fields.take(kSanitize);
    case admin::kGetLbaStatus:
      return fields.take(kSlba, kLbaStatus);
    default:
      return;
  }
}

void take_io(Collector& fields, uint8_t opcode) {
  namespace io = spec::io;
  switch (opcode) {
    case io::kWrite:
      return fields.take(kSlba, kNlb, kProtected, kStc, kWriteHints, kInitialTags);
    case io::kRead:
      return fields.take(kSlba, kNlb, kProtected, kStc, kReadHints, kExpectedTags);
    case io::kCompare:
    case io::kVerify:
      return fields.take(kSlba, kNlb, kProtected, kStc, kExpectedTags);
    case io::kWriteUncorrectable:
      return fields.take(kSlba, kNlb);
    case io::kWriteZeroes:
      return fields.take(kSlba, kNlb, kDeac, kProtected, kStc, kInitialTags);
    case io::kDatasetManagement:
      return fields.take(kDsm);
    case io::kCopy:
      return fields.take(kCopy, kInitialTags);
    case io::kReservationRegister:
      return fields.take(kRegister);
    case io::kReservationReport:
      return fields.take(kReport);
    case io::kReservationAcquire:
      return fields.take(kAcquire);
    case io::kReservationRelease:
      return fields.take(kRelease);
    case io::kZoneManagementSend:
      return fields.take(kSlba, kZoneSend);
    case io::kZoneManagementReceive:
      return fields.take(kSlba, kZoneReceive);
    case io::kZoneAppend:
      return fields.take(kZslba, kNlb, kProtected, kInitialTags);
    default:
      return;
  }
}

}  // namespace

std::vector<NamedField> command_fields(const Sqe& sqe, uint16_t sqid) {
  Collector fields(sqe);
  if (sqid == 0) {
    take_admin(fields, sqe.opcode);
  } else {
    take_io(fields, sqe.opcode);
  }
  return fields.finish();
}

const char* log_page_name(uint8_t lid) {
  static constexpr const char* kNames[] = {"Supported Log Pages",
                                           "Error Information",
                                           "SMART / Health Information",
                                           "Firmware Slot Information",
                                           "Changed Namespace List",
                                           "Commands Supported and Effects",
                                           "Device Self-test",
                                           "Telemetry Host-Initiated",
                                           "Telemetry Controller-Initiated",
                                           "Endurance Group Information",
                                           "Predictable Latency Per NVM Set",
                                           "Predictable Latency Event Aggregate",
                                           "Asymmetric Namespace Access",
                                           "Persistent Event Log",
                                           "LBA Status Information",
                                           "Endurance Group Event Aggregate",
                                           "Media Unit Status",
                                           "Supported Capacity Configuration List",
                                           "Feature Identifiers Supported and Effects",
                                           "NVMe-MI Commands Supported and Effects",
                                           "Command and Feature Lockdown",
                                           "Boot Partition",
                                           "Rotational Media Information"};
  if (lid < std::size(kNames)) return kNames[lid];
  switch (lid) {
    case 0x70:
      return "Discovery";
    case 0x80:
      return "Reservation Notification";
    case 0x81:
      return "Sanitize Status";
    case 0xBF:
      return "Changed Zone List";
    default:
      return "";
  }
}

const char* feature_name(uint8_t fid) {
  static constexpr const char* kNames[] = {"",
                                           "Arbitration",
                                           "Power Management",
                                           "LBA Range Type",
                                           "Temperature Threshold",
                                           "Error Recovery",
                                           "Volatile Write Cache",
                                           "Number of Queues",
                                           "Interrupt Coalescing",
                                           "Interrupt Vector Configuration",
                                           "Write Atomicity Normal",
                                           "Asynchronous Event Configuration",
                                           "Autonomous Power State Transition",
                                           "Host Memory Buffer",
                                           "Timestamp",
                                           "Keep Alive Timer",
                                           "Host Controlled Thermal Management",
                                           "Non-Operational Power State Config",
                                           "Read Recovery Level Config",
                                           "Predictable Latency Mode Config",
                                           "Predictable Latency Mode Window",
                                           "LBA Status Information Report Interval",
                                           "Host Behavior Support",
                                           "Sanitize Config",
                                           "Endurance Group Event Configuration",
                                           "I/O Command Set Profile",
                                           "Spinup Control"};
  if (fid < std::size(kNames)) return kNames[fid];
  switch (fid) {
    case 0x7D:
      return "Enhanced Controller Metadata";
    case 0x7E:
      return "Controller Metadata";
    case 0x7F:
      return "Namespace Metadata";
    case 0x80:
      return "Software Progress Marker";
    case 0x81:
      return "Host Identifier";
    case 0x82:
      return "Reservation Notification Mask";
    case 0x83:
      return "Reservation Persistence";
    case 0x84:
      return "Namespace Write Protection Config";
    default:
      return "";
  }
}

}  // namespace pynvme::driver
