// Features that each namespace has its own value of: LBA Range Type and Error Recovery (NVM Command
// Set 1.0 §4.1.3), Namespace Write Protection (NVMe Base 2.0 §5.27.1.28, §8.12).
#include <algorithm>
#include <array>
#include <vector>

#include "ssd/admin/admin.h"
#include "ssd/frontend/queues.h"

namespace pynvme::ssd {
namespace {

namespace f = spec::fid;
using Protection = spec::NamespaceWriteProtectionFeature;

constexpr uint8_t kRangeTypeReservedFirst = 0x05;
constexpr uint8_t kRangeTypeReservedLast = 0x7F;
constexpr uint8_t kRangeAttributes = 0x3;  // overwriteable, hidden

uint16_t check_ranges(std::vector<spec::LbaRangeType> ranges, uint64_t lba_count) {
  for (const spec::LbaRangeType& range : ranges) {
    if (range.type >= kRangeTypeReservedFirst && range.type <= kRangeTypeReservedLast) {
      return kInvalidField;
    }
    if ((range.attributes & ~kRangeAttributes) != 0) return kInvalidField;
    if (range.slba >= lba_count || range.nlb >= lba_count - range.slba) {
      return fail(spec::sc::kLbaOutOfRange);
    }
  }
  std::sort(ranges.begin(), ranges.end(),
            [](const auto& a, const auto& b) { return a.slba < b.slba; });
  for (size_t i = 1; i < ranges.size(); ++i) {
    if (ranges[i].slba - ranges[i - 1].slba <= ranges[i - 1].nlb) {
      return fail_specific(spec::sc::kOverlappingRange);
    }
  }
  return kSuccess;
}

}  // namespace

Outcome Admin::read_namespace_feature(const spec::Sqe& sqe, const FeatureValues& values) {
  const uint8_t fid = spec::feature_fid(sqe.cdw10);
  // Before namespaces had one each (NVMe 1.1) Error Recovery was asked for without an NSID, and
  // still is.
  const uint32_t nsid = sqe.nsid == 0 && fid == f::kErrorRecovery ? 1 : sqe.nsid;
  const Namespace* const ns = parts_.namespaces.find(nsid);
  // All of them have no common value (§4.4.2).
  if (nsid == spec::kNsidBroadcast) return fail(spec::sc::kInvalidNamespaceOrFormat);
  if (ns == nullptr) return parts_.namespaces.refusal(nsid);
  const NamespaceFeatures of = values.of(nsid);
  if (fid == f::kErrorRecovery) return Outcome::with_cdw0(of.error_recovery);
  if (fid == f::kNamespaceWriteProtection) return Outcome::with_cdw0(of.write_protection);
  std::array<spec::LbaRangeType, kLbaRangesMax> ranges{};
  ranges[0].nlb = ns->lba_count - 1;
  std::copy(of.lba_ranges.begin(), of.lba_ranges.end(), ranges.begin());
  Outcome outcome = to_host(sqe, ranges.data(), sizeof ranges);
  outcome.cdw0 = static_cast<uint32_t>(std::max<size_t>(of.lba_ranges.size(), 1) - 1);
  return outcome;
}

Outcome Admin::write_namespace_feature(const spec::Sqe& sqe, FeatureValues& values) {
  const uint8_t fid = spec::feature_fid(sqe.cdw10);
  const bool all = sqe.nsid == spec::kNsidBroadcast || (sqe.nsid == 0 && fid == f::kErrorRecovery);
  std::vector<Namespace*> concerned;
  for (Namespace* const ns : parts_.namespaces.all()) {
    if (!parts_.namespaces.attached(*ns)) continue;
    if (all || ns->nsid == sqe.nsid) concerned.push_back(ns);
  }
  if (concerned.empty()) return parts_.namespaces.refusal(sqe.nsid);
  if (fid == f::kErrorRecovery) {
    for (const Namespace* ns : concerned) {
      values.of_namespace[ns->nsid].error_recovery = sqe.cdw11;
    }
    return kSuccess;
  }
  if (fid == f::kNamespaceWriteProtection) return set_write_protection(sqe.cdw11, concerned);
  std::vector<spec::LbaRangeType> ranges(spec::LbaRangeTypeFeature{sqe.cdw11}.num() + 1U);
  uint16_t status = from_host(sqe, ranges.data(), ranges.size() * sizeof ranges[0]);
  for (const Namespace* ns : concerned) {
    if (status == kSuccess) status = check_ranges(ranges, ns->lba_count);
  }
  if (status != kSuccess) return status;
  for (const Namespace* ns : concerned) values.of_namespace[ns->nsid].lba_ranges = ranges;
  return kSuccess;
}

uint16_t Admin::set_write_protection(uint32_t state, const std::vector<Namespace*>& concerned) {
  if (state > Protection::kPermanent) return kInvalidField;
  auto& values = parts_.features.current.of_namespace;
  for (const Namespace* ns : concerned) {
    // Out of these states leads a power cycle, or nothing (§8.12.1).
    const uint8_t now = values[ns->nsid].write_protection;
    if (now != state && (now == Protection::kUntilPowerCycle || now == Protection::kPermanent)) {
      return fail_specific(spec::sc::kFeatureNotChangeable);
    }
  }
  const Queues::IoLocked no_io(parts_.queues);
  for (Namespace* ns : concerned) {
    values[ns->nsid].write_protection = static_cast<uint8_t>(state);
    ns->write_protected = state != Protection::kNone;
    // What was written before is on the media when the protection holds.
    if (ns->write_protected) ns->media.flush();
  }
  return kSuccess;
}

}  // namespace pynvme::ssd
