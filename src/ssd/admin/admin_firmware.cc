// Firmware Image Download and Firmware Commit (NVMe Base 2.0 §5.12, §5.13).
#include <utility>

#include "spec/command_fields.h"
#include "spec/log.h"
#include "ssd/admin/admin.h"
#include "ssd/admin/events.h"
#include "ssd/admin/firmware.h"

namespace pynvme::ssd {

Outcome Admin::firmware_download(const spec::Sqe& sqe) {
  const uint64_t bytes = (uint64_t{sqe.cdw10} + 1) * 4;
  if (exceeds_mdts(bytes)) return kInvalidField;
  const uint64_t offset = uint64_t{sqe.cdw11} * 4;
  if (!parts_.firmware.accepts(offset, bytes)) return kInvalidField;
  std::vector<uint8_t> piece(bytes);
  const uint16_t status = from_host(sqe, piece.data(), bytes);
  if (status != kSuccess) return status;
  return parts_.firmware.download(offset, std::move(piece));
}

Outcome Admin::firmware_commit(const spec::Sqe& sqe, uint64_t now_ns) {
  const std::string old_revision = parts_.firmware.revision();
  bool activates_now = false;
  const uint16_t status = parts_.firmware.commit(spec::firmware_slot(sqe.cdw10),
                                                 spec::firmware_action(sqe.cdw10), &activates_now);
  log_firmware_commit(sqe, old_revision, status, now_ns);
  if (activates_now && (parts_.features.current.async_events &
                        spec::AsyncEventConfigFeature::kFirmwareActivation) != 0) {
    parts_.events.raise(spec::aer::kTypeNotice, spec::aer::kNoticeFirmwareActivation,
                        spec::lid::kFirmwareSlot);
  }
  return status;
}

}  // namespace pynvme::ssd
