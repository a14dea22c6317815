// What an NVM command's fields must satisfy, in the order in which a wrong one is told.
#include "spec/command_fields.h"
#include "spec/dsm.h"
#include "spec/opcode.h"
#include "ssd/admin/features.h"
#include "ssd/admin/maintenance.h"
#include "ssd/nvm/nvm.h"

namespace pynvme::ssd {
namespace {

namespace io = spec::io;

// CDW12 bits 23:20 of Write and Write Zeroes: a directive, and there are none.
constexpr uint32_t kDirectiveType = 0x00F0'0000;

}  // namespace

Nvm::Nvm(const Parts& parts)
    : parts_(parts),
      memory_(parts.memory),
      namespaces_(parts.namespaces),
      write_cache_(parts.features.write_cache),
      maintenance_(parts.maintenance),
      transfer_bytes_max_(parts.config.mdts_bytes == 0 ? UINT64_MAX : parts.config.mdts_bytes) {}

uint16_t Nvm::check(const spec::Sqe& sqe) const {
  switch (sqe.opcode) {
    case io::kFlush:
    case io::kWrite:
    case io::kRead:
    case io::kWriteUncorrectable:
    case io::kCompare:
    case io::kWriteZeroes:
    case io::kDatasetManagement:
    case io::kVerify:
      break;
    default:
      return fail(spec::sc::kInvalidOpcode);
  }
  if (sqe.fuse() == spec::Fuse::kReserved || sqe.psdt() != spec::Psdt::kPrp) return kInvalidField;
  if (const uint16_t status = maintenance_.io_status(); status != kSuccess) [[unlikely]]
    return status;
  if (sqe.opcode == io::kFlush && sqe.nsid == spec::kNsidBroadcast) return kSuccess;
  const Namespace* const ns = namespaces_.find(sqe.nsid);
  if (ns == nullptr) return namespaces_.refusal(sqe.nsid);
  switch (sqe.opcode) {
    case io::kRead:
    case io::kCompare:
      return check_transfer(sqe, *ns);
    case io::kWrite:
      if ((sqe.cdw12 & kDirectiveType) != 0) return kInvalidField;
      if (const uint16_t status = check_transfer(sqe, *ns); status != kSuccess) return status;
      return check_writable(*ns);
    case io::kWriteUncorrectable:
    case io::kWriteZeroes:
      if (const uint16_t status = check_range(sqe, *ns); status != kSuccess) return status;
      return check_writable(*ns);
    case io::kVerify:
      return check_range(sqe, *ns);
    case io::kDatasetManagement:
      return (sqe.cdw11 & spec::kDsmAd) != 0 ? check_writable(*ns) : kSuccess;
    default:
      return kSuccess;
  }
}

// NVMe Base 2.0 §3.4.2: only Compare and Write fuse, in this order; what is no half of that pair
// fails for good.
uint16_t Nvm::lone_half(const spec::Sqe& sqe) {
  const uint8_t half = sqe.fuse() == spec::Fuse::kFirst ? io::kCompare : io::kWrite;
  return sqe.opcode == half ? fail_once(spec::sc::kAbortedMissingFused) : kInvalidField;
}

// NVMe Base 2.0 §8.12.2: whatever changes data is refused.
uint16_t Nvm::check_writable(const Namespace& ns) {
  return ns.write_protected.load(std::memory_order_relaxed)
             ? fail(spec::sc::kNamespaceWriteProtected)
             : kSuccess;
}

bool Nvm::deallocated_is_error(const Namespace& ns) {
  return ns.deallocated_is_error.load(std::memory_order_relaxed);
}

uint16_t Nvm::check_range(const spec::Sqe& sqe, const Namespace& ns) const {
  const uint64_t nlb = spec::io_nlb(sqe.cdw12);
  if (nlb > ns.lba_count || sqe.slba() > ns.lba_count - nlb) {
    return fail(spec::sc::kLbaOutOfRange);
  }
  return kSuccess;
}

uint16_t Nvm::check_transfer(const spec::Sqe& sqe, const Namespace& ns) const {
  if (uint64_t{spec::io_nlb(sqe.cdw12)} << ns.lba_shift > transfer_bytes_max_) {
    return kInvalidField;
  }
  return check_range(sqe, ns);
}

bool Nvm::durable(const spec::Sqe& sqe) const {
  return (sqe.cdw12 & spec::kIoFua) != 0 || !write_cache_.load(std::memory_order_relaxed);
}

bool Nvm::reads_media(uint8_t opcode) {
  return opcode == io::kRead || opcode == io::kCompare || opcode == io::kVerify;
}

Nvm::Cost Nvm::cost(const spec::Sqe& sqe) const {
  const Namespace* const ns = namespaces_.find(sqe.nsid);
  const uint32_t bytes = ns == nullptr ? 0 : spec::io_nlb(sqe.cdw12) << ns->lba_shift;
  switch (sqe.opcode) {
    case io::kRead:
    case io::kCompare:
    case io::kVerify:
      return {Work::kRead, bytes, false};
    case io::kWrite:
      return {Work::kWrite, bytes, durable(sqe)};
    case io::kFlush:
      return {Work::kFlush, 0, false};
    case io::kDatasetManagement:
      return {(sqe.cdw11 & spec::kDsmAd) != 0 ? Work::kDeallocate : Work::kOther, 0, false};
    case io::kWriteZeroes:
      return {(sqe.cdw12 & spec::kIoDeac) != 0 ? Work::kDeallocate : Work::kOther, 0, false};
    default:
      return {Work::kOther, 0, false};
  }
}

void Nvm::prefetch_map(const spec::Sqe& sqe) const {
  const Namespace* const ns = namespaces_.find(sqe.nsid);
  if (ns != nullptr && sqe.slba() < ns->lba_count) ns->media.prefetch_map(sqe.slba());
}

void Nvm::prefetch_data(const spec::Sqe& sqe) const {
  if (!reads_media(sqe.opcode)) return;
  const Namespace* const ns = namespaces_.find(sqe.nsid);
  if (ns != nullptr && sqe.slba() < ns->lba_count) ns->media.prefetch(sqe.slba());
}

}  // namespace pynvme::ssd
