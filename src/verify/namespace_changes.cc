#include "verify/namespace_changes.h"

#include "spec/command_fields.h"
#include "spec/identify.h"
#include "spec/opcode.h"

namespace pynvme::verify {

NamespaceChange classify_admin(const spec::Sqe& sqe, uint8_t fna) {
  switch (sqe.opcode) {
    case spec::admin::kFormatNvm: {
      const bool secure = spec::format_ses(sqe.cdw10) != spec::kSesNone;
      const bool of_all = (fna & (secure ? spec::kFnaSecureEraseAll : spec::kFnaFormatAll)) != 0;
      return {true, true, of_all ? spec::kNsidBroadcast : sqe.nsid};
    }
    case spec::admin::kSanitize:
      return {true, true, spec::kNsidBroadcast};
    case spec::admin::kNamespaceManagement:
      if (spec::namespace_select(sqe.cdw10) != spec::kNamespaceDelete) return {};
      return {true, true, sqe.nsid};
    case spec::admin::kNamespaceAttachment:
      return {true, false, sqe.nsid};
    default:
      return {};
  }
}

void NamespaceChanges::note(const NamespaceChange& change) noexcept {
  if (!change.any) return;
  if (change.erases) {
    const std::lock_guard guard(mutex_);
    ++erasures_[change.nsid];
  }
  count_.fetch_add(1, std::memory_order_release);
}

uint64_t NamespaceChanges::erasures(uint32_t nsid) const noexcept {
  const std::lock_guard guard(mutex_);
  const auto of = [this](uint32_t id) {
    const auto found = erasures_.find(id);
    return found == erasures_.end() ? 0 : found->second;
  };
  return of(nsid) + of(spec::kNsidBroadcast);
}

}  // namespace pynvme::verify
