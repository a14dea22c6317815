// By status first, then by command.
#include "ssd/admin/error_location.h"

#include "spec/command_fields.h"
#include "spec/identify.h"
#include "spec/log.h"
#include "spec/mi.h"
#include "spec/opcode.h"
#include "spec/status.h"
#include "ssd/admin/features.h"

namespace pynvme::ssd {
namespace {

using spec::make_parameter_error_location;

constexpr uint16_t kNone = 0xFFFF;
// Bytes of the SQE.
constexpr uint8_t kOpcode = 0;
constexpr uint8_t kFlags = 1;
constexpr uint8_t kNsid = 4;
constexpr uint8_t kPrp1 = 24;
constexpr uint8_t kPrp2 = 32;
constexpr uint8_t kCdw10 = 40;
constexpr uint8_t kCdw11 = 44;
constexpr uint8_t kCdw12 = 48;
constexpr uint8_t kCdw13 = 52;
constexpr uint8_t kCdw14 = 56;

constexpr uint16_t at(uint8_t byte, uint8_t bit = 0) {
  return make_parameter_error_location(byte, bit);
}

uint16_t of_log(const spec::Sqe& sqe, const Config& config) {
  const uint8_t lid = spec::log_lid(sqe.cdw10);
  if (lid == spec::lid::kSmart && sqe.nsid != spec::kNsidNone && sqe.nsid != spec::kNsidBroadcast) {
    return at(kNsid);
  }
  if (config.mdts_bytes != 0 && spec::log_bytes(sqe.cdw10, sqe.cdw11) > config.mdts_bytes) {
    return at(kCdw10 + 2);
  }
  // Telemetry comes in blocks of the length of its header.
  if ((lid == spec::lid::kTelemetryHost || lid == spec::lid::kTelemetryController) &&
      spec::log_bytes(sqe.cdw10, sqe.cdw11) % sizeof(spec::TelemetryHeader) != 0) {
    return at(kCdw10 + 2);
  }
  if (lid == spec::lid::kPersistentEvent && (spec::log_lsp(sqe.cdw10) & 3) == 3) {
    return at(kCdw10 + 1);
  }
  if ((sqe.cdw14 & spec::kLogOffsetIsIndex) != 0) return at(kCdw14 + 2, 7);
  return at(kCdw12);
}

uint16_t of_feature(const spec::Sqe& sqe, const Config& config) {
  if (!Features::kind(spec::feature_fid(sqe.cdw10), config).there) return at(kCdw10);
  const bool bad_select =
      sqe.opcode == spec::admin::kGetFeatures &&
      spec::feature_sel(sqe.cdw10) > static_cast<uint8_t>(spec::Sel::kSupportedCapabilities);
  return bad_select ? at(kCdw10 + 1) : at(kCdw11);
}

uint16_t invalid_admin_field(const spec::Sqe& sqe, const Config& config) {
  namespace admin = spec::admin;
  switch (sqe.opcode) {
    case admin::kGetLogPage:
      return of_log(sqe, config);
    case admin::kGetFeatures:
    case admin::kSetFeatures:
      return of_feature(sqe, config);
    case admin::kIdentify:
      return spec::identify_csi(sqe.cdw11) != spec::csi::kNvm ? at(kCdw11 + 3) : at(kCdw10);
    case admin::kFormatNvm:
      return spec::format_ses(sqe.cdw10) > spec::kSesCryptographic ? at(kCdw10 + 1, 1)
                                                                   : at(kCdw10, 5);  // PI
    case admin::kNamespaceManagement:
      return spec::namespace_select(sqe.cdw10) == spec::kNamespaceCreate
                 ? at(sqe.nsid != spec::kNsidNone ? kNsid : kPrp1)
                 : at(sqe.nsid == spec::kNsidBroadcast ? kNsid : kCdw10);
    case admin::kNamespaceAttachment:
      return at(sqe.nsid == spec::kNsidBroadcast ? kNsid : kCdw10);
    case admin::kGetLbaStatus:
      return at(kCdw13 + 3);  // ATYPE
    case admin::kFirmwareCommit:
      return at(kCdw10, 3);  // CA
    case admin::kFirmwareImageDownload:
      return config.mdts_bytes != 0 && (uint64_t{sqe.cdw10} + 1) * 4 > config.mdts_bytes
                 ? at(kCdw10)
                 : at(kCdw11);
    case admin::kSecuritySend:
    case admin::kSecurityReceive:
      return at(kCdw10 + 3);  // SECP
    case admin::kDirectiveSend:
    case admin::kDirectiveReceive:
      return at(spec::directive_type(sqe.cdw11) != 0 ? kCdw11 + 1 : kCdw11);
    case admin::kDoorbellBufferConfig:
      return at(kPrp1);
    case admin::kMiSend:
    case admin::kMiReceive:
      return spec::mi::message_type(sqe.cdw10) != spec::mi::kMessageTypeNvme ? at(kCdw10)
                                                                             : at(kCdw10 + 1, 3);
    case admin::kSanitize:
    case admin::kDeviceSelfTest:
      return at(kCdw10);
    default:
      return kNone;
  }
}

// Of Create I/O Submission Queue, which names two queues.
bool cqid_is_wrong(const spec::Sqe& sqe, const Config& config) {
  if (sqe.opcode != spec::admin::kCreateIoSq) return false;
  const uint16_t cqid = spec::create_sq_cqid(sqe.cdw11);
  const uint16_t qid = spec::queue_id(sqe.cdw10);
  return qid != 0 && qid <= config.io_queues && (cqid == 0 || cqid > config.io_queues);
}

uint16_t command_specific(const spec::Sqe& sqe, uint8_t sc, const Config& config) {
  switch (sc) {
    case spec::sc::kInvalidQueueIdentifier:
      return at(cqid_is_wrong(sqe, config) ? kCdw11 + 2 : kCdw10);
    case spec::sc::kCompletionQueueInvalid:
    case spec::sc::kInvalidInterruptVector:
      return at(kCdw11 + 2);
    case spec::sc::kInvalidQueueSize:
      return at(kCdw10 + 2);
    case spec::sc::kInvalidQueueDeletion:
    case spec::sc::kInvalidLogPage:
    case spec::sc::kInvalidFirmwareSlot:
      return at(kCdw10);
    case spec::sc::kNamespaceInsufficientCapacity:
    case spec::sc::kThinProvisioningNotSupported:
    case spec::sc::kControllerListInvalid:
      return at(kPrp1);
    case spec::sc::kNamespaceAlreadyAttached:
    case spec::sc::kNamespaceNotAttached:
      return at(kNsid);
    case spec::sc::kInvalidFormat:
      if (sqe.opcode == spec::admin::kNamespaceManagement) return at(kPrp1);
      return spec::format_pi(sqe.cdw10) != 0 ? at(kCdw10, 5) : at(kCdw10);
    case spec::sc::kFeatureNotSaveable:
      return at(kCdw10 + 3, 7);
    case spec::sc::kFeatureNotNamespaceSpecific:
      return at(kNsid);
    default:
      return kNone;
  }
}

// What both kinds of commands have in common; false when there is more to look at.
bool common(const spec::Sqe& sqe, uint16_t status, uint16_t* location) {
  if (spec::status_sct(status) != spec::sct::kGeneric) return false;
  switch (spec::status_sc(status)) {
    case spec::sc::kInvalidOpcode:
      *location = at(kOpcode);
      return true;
    case spec::sc::kInvalidNamespaceOrFormat:
      *location = at(kNsid);
      return true;
    case spec::sc::kPrpOffsetInvalid:
      *location = at(sqe.prp1 % 4 != 0 || sqe.prp2 == 0 ? kPrp1 : kPrp2);
      return true;
    case spec::sc::kInvalidField:
      if (sqe.psdt() != spec::Psdt::kPrp) {
        *location = at(kFlags, 6);
        return true;
      }
      return false;
    default:
      return false;
  }
}

}  // namespace

bool names_one_namespace(const spec::Sqe& sqe, const Config& config) {
  switch (sqe.opcode) {
    case spec::admin::kGetFeatures:
    case spec::admin::kSetFeatures:
      return (Features::kind(spec::feature_fid(sqe.cdw10), config).capabilities &
              spec::kFeatureCapNamespaceSpecific) != 0;
    case spec::admin::kFormatNvm:
    case spec::admin::kNamespaceManagement:
    case spec::admin::kNamespaceAttachment:
    case spec::admin::kGetLbaStatus:
      return true;
    default:
      return false;
  }
}

uint16_t admin_error_location(const spec::Sqe& sqe, uint16_t status, const Config& config) {
  uint16_t location = kNone;
  if (common(sqe, status, &location)) return location;
  const uint8_t sc = spec::status_sc(status);
  if (spec::status_sct(status) == spec::sct::kCommandSpecific) {
    return command_specific(sqe, sc, config);
  }
  if (spec::status_sct(status) != spec::sct::kGeneric || sc != spec::sc::kInvalidField) {
    return kNone;
  }
  return sqe.fuse() != spec::Fuse::kNormal ? at(kFlags) : invalid_admin_field(sqe, config);
}

bool has_slba(const spec::Sqe& sqe) {
  namespace io = spec::io;
  switch (sqe.opcode) {
    case io::kWrite:
    case io::kRead:
    case io::kWriteUncorrectable:
    case io::kCompare:
    case io::kWriteZeroes:
    case io::kVerify:
      return true;
    default:
      return false;
  }
}

uint16_t io_error_location(const spec::Sqe& sqe, uint16_t status, const Config& config) {
  uint16_t location = kNone;
  if (common(sqe, status, &location)) return location;
  if (spec::status_sct(status) != spec::sct::kGeneric) return kNone;
  switch (spec::status_sc(status)) {
    case spec::sc::kLbaOutOfRange:
      return has_slba(sqe) ? at(kCdw10) : kNone;
    case spec::sc::kAtomicWriteUnitExceeded:
      return at(kCdw12);
    case spec::sc::kInvalidField:
      if (sqe.nsid == spec::kNsidBroadcast) return at(kNsid);
      if (sqe.fuse() == spec::Fuse::kFirst || sqe.fuse() == spec::Fuse::kSecond) {
        // The right half of a pair is wrong only beside the other one.
        const bool first = sqe.fuse() == spec::Fuse::kFirst;
        return sqe.opcode == (first ? spec::io::kCompare : spec::io::kWrite) ? kNone : at(kFlags);
      }
      if (sqe.fuse() == spec::Fuse::kReserved) return at(kFlags);
      // DTYPE, or more than MDTS.
      if (sqe.opcode == spec::io::kWrite && spec::bits(sqe.cdw12, 23, 20) != 0) {
        return at(kCdw12 + 2, 4);
      }
      return has_slba(sqe) && config.mdts_bytes != 0 ? at(kCdw12) : kNone;
    default:
      return kNone;
  }
}

}  // namespace pynvme::ssd
