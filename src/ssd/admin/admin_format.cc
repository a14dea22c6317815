// Format NVM (NVMe Base 2.0 §5.14): of one namespace or of all, with or without erasing.
#include "spec/command_fields.h"
#include "spec/log.h"
#include "ssd/admin/admin.h"
#include "ssd/admin/maintenance.h"
#include "ssd/admin/persistent_events.h"
#include "ssd/frontend/queues.h"

namespace pynvme::ssd {

Outcome Admin::format(const spec::Sqe& sqe, uint64_t now_ns) {
  const bool all = sqe.nsid == spec::kNsidBroadcast;
  if (!all && parts_.namespaces.find(sqe.nsid) == nullptr) {
    return parts_.namespaces.refusal(sqe.nsid);
  }
  // A cryptographic erase and a format leave the same: nothing. Reserved values of SES and PI are
  // wrong whatever the format; a known type of protection asks for what no format here has.
  constexpr uint32_t kPiType3 = 3;
  if (spec::format_ses(sqe.cdw10) > spec::kSesCryptographic ||
      spec::format_pi(sqe.cdw10) > kPiType3) {
    return kInvalidField;
  }
  // LBAFU belongs to controllers with more than 16 formats.
  const uint8_t lbaf = spec::format_lbafl(sqe.cdw10);
  const std::vector<uint32_t>& formats = parts_.config.lba_formats;
  if (lbaf >= formats.size() || spec::format_pi(sqe.cdw10) != 0) {
    return fail_specific(spec::sc::kInvalidFormat);
  }
  for (const Namespace* const ns : parts_.namespaces.all()) {
    if ((all ? parts_.namespaces.attached(*ns) : ns->nsid == sqe.nsid) && ns->write_protected) {
      return fail(spec::sc::kNamespaceWriteProtected);
    }
  }
  spec::pel::FormatStart event{};
  event.nsid = sqe.nsid;
  event.fna = spec::kFnaCryptoErase;
  event.cdw10 = sqe.cdw10;
  parts_.persistent_events.add(spec::pel::Type::kFormatStart, event, now_ns);
  parts_.maintenance.end_self_test(sqe.nsid, spec::self_test::kAbortedByFormat, now_ns);
  const Queues::IoLocked no_io(parts_.queues);
  for (Namespace* const ns : parts_.namespaces.all()) {
    // All means all that are attached to this controller.
    if (all ? !parts_.namespaces.attached(*ns) : ns->nsid != sqe.nsid) continue;
    const bool changes = ns->lba_bytes != formats[lbaf];
    ns->media.format(formats[lbaf]);
    ns->refresh();
    if (!changes) continue;
    parts_.features.forget_lba_ranges(ns->nsid);
    note_namespace_change(ns->nsid);
  }
  log_format(sqe, kSuccess, now_ns);
  return kSuccess;
}

}  // namespace pynvme::ssd
