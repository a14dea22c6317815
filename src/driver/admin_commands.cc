// Field positions of NVMe Base 2.0 §5.
#include "driver/admin_commands.h"

#include <algorithm>

#include "spec/command_fields.h"
#include "spec/dsm.h"
#include "spec/feature.h"
#include "spec/identify.h"
#include "spec/opcode.h"

namespace pynvme::driver {
namespace {

spec::Sqe admin_command(uint8_t opcode) {
  spec::Sqe sqe{};
  sqe.opcode = opcode;
  return sqe;
}

// The data structures of §5.27.1; what is not known may have any.
size_t feature_data_bytes(uint8_t fid, size_t size) {
  switch (fid) {
    case spec::fid::kAutonomousPowerStateTransition:
      return 256;
    case spec::fid::kTimestamp:
      return 8;
    case spec::fid::kHostIdentifier:
      return 16;
    case spec::fid::kPredictableLatencyConfig:
    case spec::fid::kHostBehavior:
      return 512;
    case spec::fid::kLbaRangeType:
    case spec::fid::kHostMemoryBuffer:
      return 4096;
    case spec::fid::kIoCommandSetProfile:
    case spec::fid::kSanitizeConfig:
    case spec::fid::kSoftwareProgressMarker:
    case spec::fid::kReservationNotificationMask:
    case spec::fid::kReservationPersistence:
    case spec::fid::kNamespaceWriteProtection:
      return 0;
    default:
      return fid <= spec::fid::kEnduranceGroupEventConfig ? 0 : size;
  }
}

}  // namespace

spec::Sqe identify_command(uint8_t cns, uint32_t nsid, uint16_t cntid, uint8_t csi,
                           uint16_t nvmsetid) {
  spec::Sqe sqe = admin_command(spec::admin::kIdentify);
  sqe.nsid = nsid;
  sqe.cdw10 = static_cast<uint32_t>(cntid) << 16 | cns;
  sqe.cdw11 = static_cast<uint32_t>(csi) << 24 | nvmsetid;
  return sqe;
}

spec::Sqe get_features_command(uint8_t fid, uint8_t sel, uint32_t cdw11, uint32_t nsid) {
  spec::Sqe sqe = admin_command(spec::admin::kGetFeatures);
  sqe.nsid = nsid;
  sqe.cdw10 = static_cast<uint32_t>(sel & 7) << 8 | fid;
  sqe.cdw11 = cdw11;
  return sqe;
}

spec::Sqe set_features_command(uint8_t fid, bool save, uint32_t cdw11, uint32_t nsid) {
  spec::Sqe sqe = admin_command(spec::admin::kSetFeatures);
  sqe.nsid = nsid;
  sqe.cdw10 = (save ? 1U << 31 : 0U) | fid;
  sqe.cdw11 = cdw11;
  return sqe;
}

spec::Sqe create_cq_command(uint16_t id, uint32_t entries, uint64_t iova, bool interrupts,
                            uint16_t vector) {
  spec::Sqe sqe = admin_command(spec::admin::kCreateIoCq);
  sqe.prp1 = iova;
  sqe.cdw10 = (entries - 1) << 16 | id;
  sqe.cdw11 =
      static_cast<uint32_t>(vector) << 16 | (interrupts ? spec::kCqIen : 0) | spec::kQueuePc;
  return sqe;
}

spec::Sqe create_sq_command(uint16_t id, uint32_t entries, uint64_t iova, uint16_t cqid,
                            uint8_t priority) {
  spec::Sqe sqe = admin_command(spec::admin::kCreateIoSq);
  sqe.prp1 = iova;
  sqe.cdw10 = (entries - 1) << 16 | id;
  sqe.cdw11 = static_cast<uint32_t>(cqid) << 16 | (priority & 3U) << 1 | spec::kQueuePc;
  return sqe;
}

spec::Sqe delete_sq_command(uint16_t id) {
  spec::Sqe sqe = admin_command(spec::admin::kDeleteIoSq);
  sqe.cdw10 = id;
  return sqe;
}

spec::Sqe delete_cq_command(uint16_t id) {
  spec::Sqe sqe = admin_command(spec::admin::kDeleteIoCq);
  sqe.cdw10 = id;
  return sqe;
}

spec::Sqe abort_command(uint16_t sqid, uint16_t cid) {
  spec::Sqe sqe = admin_command(spec::admin::kAbort);
  sqe.cdw10 = static_cast<uint32_t>(cid) << 16 | sqid;
  return sqe;
}

size_t admin_data_bytes(const spec::Sqe& sqe, size_t size) {
  if (spec::data_direction(sqe.opcode) == spec::DataDirection::kNone) return 0;
  uint64_t bytes = size;
  switch (sqe.opcode) {
    case spec::admin::kIdentify:
      bytes = spec::kIdentifySize;
      break;
    case spec::admin::kGetLogPage:
      bytes = spec::log_bytes(sqe.cdw10, sqe.cdw11);
      break;
    case spec::admin::kSetFeatures:
    case spec::admin::kGetFeatures:
      bytes = feature_data_bytes(static_cast<uint8_t>(sqe.cdw10), size);
      // Supported capabilities are asked for in CDW0 alone (NVMe Base 2.0 §5.15.1).
      if (sqe.opcode == spec::admin::kGetFeatures && (sqe.cdw10 >> 8 & 7) == 3) bytes = 0;
      break;
    default:
      break;
  }
  return std::min<uint64_t>(bytes, size);
}

size_t io_data_bytes(const spec::Sqe& sqe, size_t size, uint64_t lba_stride) {
  uint64_t bytes = size;
  switch (sqe.opcode) {
    case spec::io::kRead:
    case spec::io::kWrite:
    case spec::io::kCompare:
      bytes = spec::io_nlb(sqe.cdw12) * lba_stride;
      break;
    case spec::io::kDatasetManagement:
      bytes = ((sqe.cdw10 & 0xFF) + 1ULL) * sizeof(spec::DsmRange);
      break;
    default:
      break;
  }
  return std::min<uint64_t>(bytes, size);
}

spec::Sqe async_event_command() { return admin_command(spec::admin::kAsyncEventRequest); }

}  // namespace pynvme::driver
