// NVM commands without user data: Flush, Verify, Write Zeroes, Write Uncorrectable, Dataset
// Management.
#include <array>

#include "spec/command_fields.h"
#include "spec/dsm.h"
#include "ssd/frontend/trace.h"
#include "ssd/nvm/nvm.h"

namespace pynvme::ssd {

uint16_t Nvm::flush(const spec::Sqe& sqe) {
  for (const auto& ns : namespaces_.all()) {
    if (sqe.nsid == spec::kNsidBroadcast || sqe.nsid == ns->nsid) ns->media.flush();
  }
  return kSuccess;
}

uint16_t Nvm::verify(const spec::Sqe& sqe, Tally& tally) {
  Namespace& ns = *namespaces_.find(sqe.nsid);
  const uint32_t nlb = spec::io_nlb(sqe.cdw12);
  uint64_t bad_lba = 0;
  const MediaError error = ns.media.verify(sqe.slba(), nlb, &bad_lba, deallocated_is_error(ns));
  // Counts as data read, but is no SMART Host Read Command (NVM Command Set 1.0 §4.1.4.2).
  tally.read_bytes += uint64_t{nlb} << ns.lba_shift;
  return media_status(error, bad_lba, tally);
}

uint16_t Nvm::write_zeroes(const spec::Sqe& sqe) {
  Namespace& ns = *namespaces_.find(sqe.nsid);
  const uint32_t nlb = spec::io_nlb(sqe.cdw12);
  // Deallocated blocks read as zeroes (DLFEAT), so DEAC may always be granted.
  if ((sqe.cdw12 & spec::kIoDeac) != 0) {
    ns.media.deallocate(sqe.slba(), nlb, durable(sqe));
  } else {
    ns.media.write_zeroes(sqe.slba(), nlb, durable(sqe));
  }
  return kSuccess;
}

uint16_t Nvm::write_uncorrectable(const spec::Sqe& sqe) {
  Namespace& ns = *namespaces_.find(sqe.nsid);
  ns.media.write_uncorrectable(sqe.slba(), spec::io_nlb(sqe.cdw12), durable(sqe));
  return kSuccess;
}

uint16_t Nvm::dataset_management(const spec::Sqe& sqe, DataPointer& data) {
  Namespace& ns = *namespaces_.find(sqe.nsid);
  const uint32_t count = spec::dsm_ranges(sqe.cdw10);
  const uint64_t bytes = count * sizeof(spec::DsmRange);
  const uint16_t status = parse_prps(memory_, DmaAccess::kRead, sqe.prp1, sqe.prp2, bytes, data);
  if (status != kSuccess) return status;
  parts_.trace.moved(memory_, data.sqid, sqe, bytes, false);
  std::array<spec::DsmRange, spec::kDsmRangesMax> ranges;
  copy_from_host(data.span(), ranges.data(), bytes);
  // All ranges are looked at before any is touched.
  for (uint32_t i = 0; i < count; ++i) {
    if (ranges[i].nlb > ns.lba_count || ranges[i].slba > ns.lba_count - ranges[i].nlb) {
      return fail(spec::sc::kLbaOutOfRange);
    }
  }
  // The other attributes are hints that make no difference to memory.
  if ((sqe.cdw11 & spec::kDsmAd) == 0) return kSuccess;
  const bool durable_now = !write_cache_.load(std::memory_order_relaxed);
  for (uint32_t i = 0; i < count; ++i) {
    if (ranges[i].nlb != 0) ns.media.deallocate(ranges[i].slba, ranges[i].nlb, durable_now);
  }
  return kSuccess;
}

}  // namespace pynvme::ssd
