// Field positions of NVMe Base 2.0 §5.
#include "driver/admin_commands.h"

#include "spec/command_fields.h"
#include "spec/opcode.h"

namespace pynvme::driver {
namespace {

spec::Sqe admin_command(uint8_t opcode) {
  spec::Sqe sqe{};
  sqe.opcode = opcode;
  return sqe;
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

spec::Sqe async_event_command() { return admin_command(spec::admin::kAsyncEventRequest); }

}  // namespace pynvme::driver
