// Get LBA Status (NVM Command Set 1.0 §4.2.1): the LBAs that reads will fail on. All of them are
// tracked, so that a scan finds no more.
#include <algorithm>
#include <cstring>

#include "spec/lba_status.h"
#include "ssd/admin/admin.h"

namespace pynvme::ssd {

Outcome Admin::get_lba_status(const spec::Sqe& sqe) {
  const uint8_t action = spec::lba_status_action(sqe.cdw13);
  if (action != spec::kLbaStatusScan && action != spec::kLbaStatusTracked) return kInvalidField;
  const Namespace* const ns = parts_.namespaces.find(sqe.nsid);
  if (ns == nullptr) return parts_.namespaces.refusal(sqe.nsid);
  const uint64_t slba = sqe.slba();
  uint64_t length = spec::lba_status_range(sqe.cdw13);
  if (slba >= ns->lba_count || length > ns->lba_count - slba) {
    return fail(spec::sc::kLbaOutOfRange);
  }
  if (length == 0) length = ns->lba_count - slba;

  uint64_t bytes_max = spec::lba_status_bytes_max(sqe.cdw12);
  if (parts_.config.mdts_bytes != 0) {
    bytes_max = std::min<uint64_t>(bytes_max, parts_.config.mdts_bytes);
  }
  spec::LbaStatusHeader header{};
  header.cmpc = spec::kLbaStatusComplete;
  std::vector<uint8_t> page(sizeof header);
  const uint64_t end = slba + length;
  for (uint64_t at = slba; at < end;) {
    const Media::Range bad = ns->media.next_uncorrectable(at, end);
    if (bad.begin >= end) break;
    spec::LbaStatusDescriptor descriptor{};
    if (page.size() + sizeof descriptor > bytes_max) {
      header.cmpc = spec::kLbaStatusMore;
      break;
    }
    descriptor.dslba = bad.begin;
    descriptor.nlb = static_cast<uint32_t>(std::min<uint64_t>(bad.end - bad.begin, UINT32_MAX));
    at = bad.begin + descriptor.nlb;
    const auto* from = reinterpret_cast<const uint8_t*>(&descriptor);
    page.insert(page.end(), from, from + sizeof descriptor);
    ++header.nlsd;
  }
  std::memcpy(page.data(), &header, sizeof header);
  return to_host(sqe, page.data(), std::min<uint64_t>(page.size(), bytes_max));
}

}  // namespace pynvme::ssd
