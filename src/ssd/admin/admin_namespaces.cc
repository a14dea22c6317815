// Namespace Management and Namespace Attachment (NVMe Base 2.0 §5.23, §5.22): which namespaces
// there are, and which of them this controller works on.
#include <algorithm>
#include <array>
#include <cstring>
#include <stdexcept>

#include "spec/command_fields.h"
#include "spec/feature.h"
#include "spec/log.h"
#include "ssd/admin/admin.h"
#include "ssd/admin/events.h"
#include "ssd/admin/maintenance.h"
#include "ssd/admin/persistent_events.h"
#include "ssd/frontend/queues.h"

namespace pynvme::ssd {
namespace {

constexpr uint32_t kVersion2 = 0x0002'0000;
// What a host must give to create a namespace; the rest of the 4 KiB means nothing here.
constexpr size_t kCreateBytes = offsetof(spec::IdentifyNamespace, vendor);

}  // namespace

Outcome Admin::namespace_management(const spec::Sqe& sqe, uint64_t now_ns) {
  switch (spec::namespace_select(sqe.cdw10)) {
    case spec::kNamespaceCreate:
      return create_namespace(sqe, now_ns);
    case spec::kNamespaceDelete:
      return delete_namespaces(sqe, now_ns);
    default:
      return kInvalidField;
  }
}

Outcome Admin::create_namespace(const spec::Sqe& sqe, uint64_t now_ns) {
  // The controller chooses the NSID, so that the field is not used (figure 87).
  if (sqe.nsid != spec::kNsidNone) return kInvalidField;
  if (parts_.config.version >= kVersion2 && spec::namespace_csi(sqe.cdw11) != spec::csi::kNvm) {
    return fail_specific(spec::sc::kIoCommandSetNotSupported);
  }
  spec::IdentifyNamespace asked{};
  if (const uint16_t status = from_host(sqe, &asked, kCreateBytes); status != kSuccess) {
    return status;
  }
  // Neither formats from 16 on, nor metadata, nor protection of it.
  const std::vector<uint32_t>& formats = parts_.config.lba_formats;
  const uint8_t format = spec::bits(asked.flbas, 3, 0);
  if (format >= formats.size() || (asked.dps & 0x7) != 0) {
    return fail_specific(spec::sc::kInvalidFormat);
  }
  if (asked.nsze == 0 || asked.ncap > asked.nsze || asked.nvmsetid != 0 || asked.endgid != 0) {
    return kInvalidField;
  }
  if (asked.ncap < asked.nsze) return fail_specific(spec::sc::kThinProvisioningNotSupported);
  Namespaces& namespaces = parts_.namespaces;
  if (asked.nsze > namespaces.unallocated_bytes() / formats[format] ||
      Namespaces::capacity_of(asked.nsze * formats[format]) > namespaces.unallocated_bytes()) {
    // The error log tells how much it would have taken (figure 98).
    Outcome refused(fail_specific(spec::sc::kNamespaceInsufficientCapacity));
    refused.information = asked.nsze <= UINT64_MAX / formats[format] - Media::kUnitBytes
                              ? Namespaces::capacity_of(asked.nsze * formats[format])
                              : UINT64_MAX;
    return refused;
  }
  const Queues::IoLocked no_io(parts_.queues);
  try {
    const Namespace* const made = namespaces.create(asked.nsze * formats[format], formats[format],
                                                    (asked.nmic & spec::kNmicShared) != 0);
    if (made == nullptr) return fail_specific(spec::sc::kNamespaceIdUnavailable);
    spec::pel::ChangeNamespace event{};
    event.cdw10 = sqe.cdw10;
    event.nsze = asked.nsze;
    event.ncap = asked.ncap;
    event.flbas = asked.flbas;
    event.nmic = asked.nmic;
    event.nsid = made->nsid;
    parts_.persistent_events.add(spec::pel::Type::kChangeNamespace, event, now_ns);
    return Outcome::with_cdw0(made->nsid);
  } catch (const std::runtime_error&) {
    return fail_once(spec::sc::kInternalError);  // the machine below has no more memory or disk
  }
}

Outcome Admin::delete_namespaces(const spec::Sqe& sqe, uint64_t now_ns) {
  Namespaces& namespaces = parts_.namespaces;
  const bool all = sqe.nsid == spec::kNsidBroadcast;
  if (!all && namespaces.find_allocated(sqe.nsid) == nullptr) return namespaces.refusal(sqe.nsid);
  const std::vector<Namespace*> there = namespaces.all();
  for (const Namespace* const ns : there) {
    // §8.12.1
    if ((all || ns->nsid == sqe.nsid) && ns->write_protected) {
      return fail(spec::sc::kNamespaceWriteProtected);
    }
  }
  parts_.maintenance.end_self_test(sqe.nsid, spec::self_test::kAbortedByNamespaceRemoval, now_ns);
  const Queues::IoLocked no_io(parts_.queues);
  for (const Namespace* const ns : there) {
    const uint32_t nsid = ns->nsid;
    if (!all && nsid != sqe.nsid) continue;
    const bool was_attached = namespaces.attached(*ns);
    namespaces.remove(nsid);
    parts_.features.forget_namespace(nsid);
    if (was_attached) note_namespace_change(nsid);
  }
  spec::pel::ChangeNamespace event{};
  event.cdw10 = sqe.cdw10;
  event.nsid = sqe.nsid;
  parts_.persistent_events.add(spec::pel::Type::kChangeNamespace, event, now_ns);
  return kSuccess;
}

// Ascending, none twice (§4.6), each of them there. What one is attached to, all are.
bool Admin::names_controllers(const spec::ControllerList& list) const {
  if (list.count == 0 || list.count > std::size(list.cntlid)) return false;
  const std::vector<uint16_t> there = controllers(parts_);
  for (size_t i = 0; i < list.count; ++i) {
    if (i > 0 && list.cntlid[i] <= list.cntlid[i - 1]) return false;
    if (!std::binary_search(there.begin(), there.end(), list.cntlid[i])) return false;
  }
  return true;
}

Outcome Admin::namespace_attachment(const spec::Sqe& sqe, uint64_t now_ns) {
  const uint8_t select = spec::namespace_select(sqe.cdw10);
  if (select != spec::kNamespaceAttach && select != spec::kNamespaceDetach) return kInvalidField;
  Namespaces& namespaces = parts_.namespaces;
  Namespace* const ns = namespaces.find_allocated(sqe.nsid);
  if (ns == nullptr) return namespaces.refusal(sqe.nsid);
  spec::ControllerList list;
  if (const uint16_t status = from_host(sqe, &list, sizeof list); status != kSuccess) return status;
  if (!names_controllers(list)) return fail_specific(spec::sc::kControllerListInvalid);
  const bool attach = select == spec::kNamespaceAttach;
  if (attach == namespaces.attached(*ns)) {
    return fail_specific(attach ? spec::sc::kNamespaceAlreadyAttached
                                : spec::sc::kNamespaceNotAttached);
  }
  if (!attach) {
    parts_.maintenance.end_self_test(sqe.nsid, spec::self_test::kAbortedByNamespaceRemoval, now_ns);
  }
  const Queues::IoLocked no_io(parts_.queues);
  namespaces.set_attached(*ns, attach);
  note_namespace_change(sqe.nsid);
  return kSuccess;
}

void Admin::note_namespace_change(uint32_t nsid) {
  const auto at = std::lower_bound(changed_namespaces_.begin(), changed_namespaces_.end(), nsid);
  if (at == changed_namespaces_.end() || *at != nsid) changed_namespaces_.insert(at, nsid);
  if ((parts_.features.current.async_events & spec::AsyncEventConfigFeature::kNamespaceAttribute) !=
      0) {
    parts_.events.raise(spec::aer::kTypeNotice, spec::aer::kNoticeNamespaceAttribute,
                        spec::lid::kChangedNamespaceList);
  }
}

}  // namespace pynvme::ssd
