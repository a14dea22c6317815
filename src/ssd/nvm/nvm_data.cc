// NVM commands that move data between the host and the media, and the fused pair.
#include <stdexcept>

#include "spec/command_fields.h"
#include "spec/opcode.h"
#include "ssd/faults/faults.h"
#include "ssd/frontend/trace.h"
#include "ssd/nvm/nvm.h"

namespace pynvme::ssd {

uint16_t Nvm::execute(const spec::Sqe& sqe, DataPointer& data, Tally& tally) {
  if (const uint16_t status = check(sqe); status != kSuccess) return status;
  try {
    if (parts_.faults.armed(FaultPoint::kExecute)) [[unlikely]]
      return carry_out_faulty(sqe, data, tally);
    return carry_out(sqe, data, tally);
  } catch (const std::runtime_error&) {
    // The machine below has no more memory or disk, which a drive knows as a write that failed.
    tally.error_lba = sqe.slba();
    return fail_media(spec::sc::kWriteFault);
  }
}

uint16_t Nvm::carry_out(const spec::Sqe& sqe, DataPointer& data, Tally& tally) {
  switch (sqe.opcode) {
    case spec::io::kRead:
      return read(sqe, data, tally);
    case spec::io::kWrite:
      return write(sqe, data, tally);
    case spec::io::kCompare:
      return compare(sqe, data, tally);
    case spec::io::kVerify:
      return verify(sqe, tally);
    case spec::io::kWriteZeroes:
      return write_zeroes(sqe);
    case spec::io::kWriteUncorrectable:
      return write_uncorrectable(sqe);
    case spec::io::kDatasetManagement:
      return dataset_management(sqe, data);
    default:
      return flush(sqe);
  }
}

uint32_t Nvm::epoch(const spec::Sqe& sqe) const {
  const Namespace* const ns = namespaces_.find(sqe.nsid);
  return ns == nullptr ? 0 : ns->epoch;
}

uint16_t Nvm::execute_late(const spec::Sqe& sqe, uint32_t epoch_then, DataPointer& data,
                           Tally& tally) {
  // LBAs of another size would not fit the host's memory. The same command may succeed when it is
  // sent again.
  if (const uint32_t now = epoch(sqe); now != 0 && now != epoch_then) {
    return fail_once(spec::sc::kFormatInProgress);
  }
  return execute(sqe, data, tally);
}

uint16_t Nvm::media_status(MediaError error, uint64_t bad_lba, Tally& tally) {
  if (error == MediaError::kNone) [[likely]]
    return kSuccess;
  tally.error_lba = bad_lba;
  if (error == MediaError::kMiscompare) return fail_media(spec::sc::kCompareFailure);
  if (error == MediaError::kDeallocated) return fail_media(spec::sc::kDeallocatedOrUnwritten);
  ++tally.media_errors;
  return fail_media(spec::sc::kUnrecoveredReadError);
}

// Apart from read(), which would have to keep all of this for after the media's work.
MediaError Nvm::traced_read(Namespace& ns, const spec::Sqe& sqe, const DataPointer& data,
                            uint64_t* bad_lba) {
  const uint32_t nlb = spec::io_nlb(sqe.cdw12);
  const MediaError error =
      ns.media.read(sqe.slba(), nlb, data.span(), bad_lba, deallocated_is_error(ns));
  // A block that cannot be read ends the transfer.
  const uint64_t moved = error == MediaError::kNone ? nlb : *bad_lba - sqe.slba();
  parts_.trace.moved(memory_, data.sqid, sqe, moved << ns.lba_shift, true);
  return error;
}

uint16_t Nvm::read(const spec::Sqe& sqe, DataPointer& data, Tally& tally) {
  Namespace& ns = *namespaces_.find(sqe.nsid);
  const uint32_t nlb = spec::io_nlb(sqe.cdw12);
  const uint64_t bytes = uint64_t{nlb} << ns.lba_shift;
  const uint16_t status = parse_prps(memory_, DmaAccess::kWrite, sqe.prp1, sqe.prp2, bytes, data);
  if (status != kSuccess) return status;
  uint64_t bad_lba = 0;
  const MediaError error = !parts_.trace.on() ? ns.media.read(sqe.slba(), nlb, data.span(),
                                                              &bad_lba, deallocated_is_error(ns))
                                              : traced_read(ns, sqe, data, &bad_lba);
  ++tally.read_commands;
  tally.read_bytes += bytes;
  return media_status(error, bad_lba, tally);
}

uint16_t Nvm::write(const spec::Sqe& sqe, DataPointer& data, Tally& tally) {
  Namespace& ns = *namespaces_.find(sqe.nsid);
  const uint32_t nlb = spec::io_nlb(sqe.cdw12);
  const uint64_t bytes = uint64_t{nlb} << ns.lba_shift;
  const uint16_t status = parse_prps(memory_, DmaAccess::kRead, sqe.prp1, sqe.prp2, bytes, data);
  if (status != kSuccess) return status;
  parts_.trace.moved(memory_, data.sqid, sqe, bytes, false);
  ns.media.write(sqe.slba(), nlb, data.span(), durable(sqe));
  ++tally.write_commands;
  tally.written_bytes += bytes;
  return kSuccess;
}

uint16_t Nvm::compare(const spec::Sqe& sqe, DataPointer& data, Tally& tally) {
  Namespace& ns = *namespaces_.find(sqe.nsid);
  const uint32_t nlb = spec::io_nlb(sqe.cdw12);
  const uint64_t bytes = uint64_t{nlb} << ns.lba_shift;
  const uint16_t status = parse_prps(memory_, DmaAccess::kRead, sqe.prp1, sqe.prp2, bytes, data);
  if (status != kSuccess) return status;
  parts_.trace.moved(memory_, data.sqid, sqe, bytes, false);
  uint64_t bad_lba = 0;
  const MediaError error =
      ns.media.compare(sqe.slba(), nlb, data.span(), &bad_lba, deallocated_is_error(ns));
  // Compare is one of the SMART Host Read Commands (NVM Command Set 1.0 §4.1.4.2).
  ++tally.read_commands;
  tally.read_bytes += bytes;
  return media_status(error, bad_lba, tally);
}

void Nvm::compare_and_write(const spec::Sqe& compare_sqe, const spec::Sqe& write_sqe,
                            DataPointer& data, Tally& tally, uint16_t* compare_status,
                            uint16_t* write_status) {
  constexpr uint16_t kOtherFailed = fail_once(spec::sc::kAbortedFailedFused);
  *compare_status = *write_status = kSuccess;
  // Only compare-and-write is a fused operation, and both name the same range (NVM Command Set 1.0
  // §3.2.1.1).
  if (compare_sqe.opcode != spec::io::kCompare || write_sqe.opcode != spec::io::kWrite) {
    *compare_status = *write_status = kInvalidField;
    return;
  }
  *compare_status = check(compare_sqe);
  *write_status = check(write_sqe);
  const uint32_t nlb = spec::io_nlb(compare_sqe.cdw12);
  if (*compare_status == kSuccess && *write_status == kSuccess) {
    if (compare_sqe.nsid != write_sqe.nsid || compare_sqe.slba() != write_sqe.slba() ||
        nlb != spec::io_nlb(write_sqe.cdw12)) {
      *compare_status = *write_status = kInvalidField;
      return;
    }
    if (nlb > kCompareAndWriteLbasMax) {
      *compare_status = *write_status = fail(spec::sc::kAtomicWriteUnitExceeded);
      return;
    }
    // The write's data pointer counts before anything is compared: a pair fails as one.
    const Namespace& ns = *namespaces_.find(write_sqe.nsid);
    *write_status = parse_prps(memory_, DmaAccess::kRead, write_sqe.prp1, write_sqe.prp2,
                               uint64_t{nlb} << ns.lba_shift, data);
  }
  if (*compare_status == kSuccess && *write_status == kSuccess) {
    *compare_status = execute(compare_sqe, data, tally);
    if (*compare_status == kSuccess) *write_status = execute(write_sqe, data, tally);
  }
  if (*compare_status != kSuccess && *write_status == kSuccess) *write_status = kOtherFailed;
  if (*write_status != kSuccess && *compare_status == kSuccess) *compare_status = kOtherFailed;
}

}  // namespace pynvme::ssd
