// Sanitize and Device Self-test (NVMe Base 2.0 §5.24, §5.9): their fields; what they start goes on
// in maintenance.cc.
#include "spec/command_fields.h"
#include "ssd/admin/admin.h"
#include "ssd/admin/firmware.h"
#include "ssd/admin/maintenance.h"
#include "ssd/frontend/queues.h"

namespace pynvme::ssd {

Outcome Admin::sanitize(const spec::Sqe& sqe, uint64_t now_ns) {
  if (parts_.firmware.activation_pending()) {
    return fail_specific(spec::sc::kFirmwareNeedsControllerReset);
  }
  // §8.12.1
  for (const auto& ns : parts_.namespaces.all()) {
    if (ns->write_protected) return fail(spec::sc::kNamespaceWriteProtected);
  }
  const Queues::IoLocked no_io(parts_.queues);
  telemetry_.forget_host();
  return parts_.maintenance.start_sanitize(sqe.cdw10, sqe.cdw11, now_ns);
}

Outcome Admin::device_self_test(const spec::Sqe& sqe, uint64_t now_ns) {
  namespace code = spec::self_test;
  const uint8_t stc = spec::self_test_code(sqe.cdw10);
  if (stc != code::kShort && stc != code::kExtended && stc != code::kAbort) return kInvalidField;
  // 0: the controller alone. Aborting is not about a namespace.
  if (stc != code::kAbort && sqe.nsid != spec::kNsidNone && sqe.nsid != spec::kNsidBroadcast &&
      parts_.namespaces.find(sqe.nsid) == nullptr) {
    return parts_.namespaces.refusal(sqe.nsid);
  }
  return parts_.maintenance.start_self_test(stc, sqe.nsid, now_ns);
}

}  // namespace pynvme::ssd
