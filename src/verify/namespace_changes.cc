#include "verify/namespace_changes.h"

#include "spec/command_fields.h"
#include "spec/feature.h"
#include "spec/identify.h"
#include "spec/opcode.h"

namespace pynvme::verify {

NamespaceChange classify_admin(const spec::Sqe& sqe, uint8_t fna) {
  switch (sqe.opcode) {
    case spec::admin::kFormatNvm: {
      const bool secure = spec::format_ses(sqe.cdw10) != spec::kSesNone;
      const bool of_all = (fna & (secure ? spec::kFnaSecureEraseAll : spec::kFnaFormatAll)) != 0;
      return {.any = true, .erases = true, .nsid = of_all ? spec::kNsidBroadcast : sqe.nsid};
    }
    case spec::admin::kSanitize:
      return {.any = true, .erases = true, .nsid = spec::kNsidBroadcast};
    case spec::admin::kNamespaceManagement:
      if (spec::namespace_select(sqe.cdw10) != spec::kNamespaceDelete) return {};
      return {.any = true, .erases = true, .nsid = sqe.nsid};
    case spec::admin::kNamespaceAttachment:
      return {.any = true, .erases = false, .nsid = sqe.nsid};
    case spec::admin::kSetFeatures:
      // Volatile Write Cache, WCE: CDW11 bit 0 (NVMe Base 2.0 §5.27.1.4).
      if (spec::feature_fid(sqe.cdw10) != spec::fid::kVolatileWriteCache) return {};
      return {true, false, 0,
              (sqe.cdw11 & 1) != 0 ? NamespaceChange::Cache::kOn : NamespaceChange::Cache::kOff};
    default:
      return {};
  }
}

void NamespaceChanges::note(const NamespaceChange& change) noexcept {
  if (!change.any) return;
  if (change.cache != NamespaceChange::Cache::kNoChange) {
    write_through_->store(change.cache == NamespaceChange::Cache::kOff || !cache_present_.load());
    return;
  }
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
