// Which admin command goes where, and the way of their data.
#include "ssd/admin/admin.h"

#include "spec/opcode.h"
#include "ssd/admin/events.h"
#include "ssd/admin/firmware.h"
#include "ssd/admin/maintenance.h"
#include "ssd/admin/persistent_events.h"
#include "ssd/faults/faults.h"
#include "ssd/frontend/outstanding.h"
#include "ssd/frontend/trace.h"
#include "ssd/model/power.h"
#include "ssd/model/timing.h"

namespace pynvme::ssd {

Admin::Admin(const Parts& parts) : parts_(parts) {}

Outcome Admin::execute(const spec::Sqe& sqe, uint64_t now_ns) {
  namespace admin = spec::admin;
  if (parts_.outstanding.has_admin(sqe.cid) || parts_.events.waits(sqe.cid)) {
    return fail_once(spec::sc::kCommandIdConflict);
  }
  switch (sqe.opcode) {
    case admin::kDeleteIoSq:
    case admin::kCreateIoSq:
    case admin::kGetLogPage:
    case admin::kDeleteIoCq:
    case admin::kCreateIoCq:
    case admin::kIdentify:
    case admin::kAbort:
    case admin::kSetFeatures:
    case admin::kGetFeatures:
    case admin::kAsyncEventRequest:
    case admin::kFirmwareCommit:
    case admin::kFirmwareImageDownload:
    case admin::kFormatNvm:
    case admin::kNamespaceManagement:
    case admin::kNamespaceAttachment:
    case admin::kGetLbaStatus:
    case admin::kDeviceSelfTest:
    case admin::kSanitize:
    case admin::kSecuritySend:
    case admin::kSecurityReceive:
    case admin::kDirectiveSend:
    case admin::kDirectiveReceive:
    case admin::kDoorbellBufferConfig:
    case admin::kKeepAlive:
    case admin::kMiSend:
    case admin::kMiReceive:
      break;
    default:
      return fail(spec::sc::kInvalidOpcode);
  }
  // No admin command is fused, and over PCIe they use PRPs (NVMe Base 2.0 §3.3.3.1).
  if (sqe.fuse() != spec::Fuse::kNormal || sqe.psdt() != spec::Psdt::kPrp) return kInvalidField;
  parts_.maintenance.advance(now_ns);
  capture_controller_telemetry(now_ns);
  if (const uint16_t status = parts_.maintenance.admin_status(sqe); status != kSuccess) {
    return status;
  }
  if (parts_.faults.armed(FaultPoint::kExecute)) [[unlikely]] {
    if (const auto outcome = execute_faulty(sqe)) return *outcome;
  }
  switch (sqe.opcode) {
    case admin::kDeleteIoSq:
      return delete_io_sq(sqe, now_ns);
    case admin::kCreateIoSq:
      return create_io_sq(sqe);
    case admin::kGetLogPage:
      return get_log_page(sqe, now_ns);
    case admin::kDeleteIoCq:
      return delete_io_cq(sqe);
    case admin::kCreateIoCq:
      return create_io_cq(sqe);
    case admin::kIdentify:
      return identify(sqe);
    case admin::kAbort:
      return abort(sqe, now_ns);
    case admin::kSetFeatures:
      return set_features(sqe, now_ns);
    case admin::kGetFeatures:
      return get_features(sqe, now_ns);
    case admin::kAsyncEventRequest:
      return parts_.events.request(sqe.cid);
    case admin::kFirmwareCommit:
      return firmware_commit(sqe, now_ns);
    case admin::kFirmwareImageDownload:
      return firmware_download(sqe);
    case admin::kDeviceSelfTest:
      return device_self_test(sqe, now_ns);
    case admin::kSanitize:
      return sanitize(sqe, now_ns);
    case admin::kSecuritySend:
      return security_send(sqe);
    case admin::kSecurityReceive:
      return security_receive(sqe);
    case admin::kDirectiveSend:
      return directive_send(sqe);
    case admin::kDirectiveReceive:
      return directive_receive(sqe);
    case admin::kDoorbellBufferConfig:
      return doorbell_buffer_config(sqe);
    case admin::kMiSend:
    case admin::kMiReceive:
      return mi_command(sqe, now_ns);
    case admin::kKeepAlive:
      parts_.maintenance.keep_alive(now_ns);
      return kSuccess;
    case admin::kNamespaceManagement:
      return namespace_management(sqe, now_ns);
    case admin::kNamespaceAttachment:
      return namespace_attachment(sqe, now_ns);
    case admin::kGetLbaStatus:
      return get_lba_status(sqe);
    default:
      return format(sqe, now_ns);
  }
}

void Admin::reset(uint64_t now_ns) {
  parts_.firmware.reset();
  parts_.maintenance.reset(now_ns);
  parts_.persistent_events.release();
  parts_.features.reset();
  parts_.features.reset_timestamp(now_ns);
  changed_namespaces_.clear();
  apply_features();
  const uint8_t state = spec::PowerManagementFeature{parts_.features.current.power_management}.ps();
  parts_.power.set_state(state);
  parts_.timing.set_power_state(state);
}

uint16_t Admin::to_host(const spec::Sqe& sqe, const void* from, uint64_t bytes, uint64_t transfer) {
  const uint16_t status =
      parse_prps(parts_.memory, DmaAccess::kWrite, sqe.prp1, sqe.prp2, transfer, data_);
  if (status != kSuccess) return status;
  parts_.trace.moved(parts_.memory, 0, sqe, transfer, true);
  copy_to_host(data_.span(), from, bytes);
  return kSuccess;
}

uint16_t Admin::from_host(const spec::Sqe& sqe, void* to, uint64_t bytes) {
  const uint16_t status =
      parse_prps(parts_.memory, DmaAccess::kRead, sqe.prp1, sqe.prp2, bytes, data_);
  if (status != kSuccess) return status;
  parts_.trace.moved(parts_.memory, 0, sqe, bytes, false);
  copy_from_host(data_.span(), to, bytes);
  return kSuccess;
}

bool Admin::exceeds_mdts(uint64_t bytes) const {
  return parts_.config.mdts_bytes != 0 && bytes > parts_.config.mdts_bytes;
}

}  // namespace pynvme::ssd
