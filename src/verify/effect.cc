#include "verify/effect.h"

#include <algorithm>
#include <cstring>

#include "spec/opcode.h"

namespace pynvme::verify {

Access classify_io(const spec::Sqe& sqe) {
  const auto lbas = [&](Effect effect) {
    // CDW12 bit 30: FUA, of Write, Write Zeroes and Read.
    const bool fua = (sqe.cdw12 & 1U << 30) != 0 && effect != Effect::kUncorrectable;
    return Access{effect, sqe.slba(), (sqe.cdw12 & 0xFFFF) + 1, fua};
  };
  switch (sqe.opcode) {
    case spec::io::kFlush:
      return {Effect::kFlush, 0, 0};
    case spec::io::kWrite:
      return lbas(Effect::kWrite);
    case spec::io::kRead:
      return lbas(Effect::kRead);
    case spec::io::kCompare:
      // The Write it is fused with has the same LBAs: the pair is one operation (NVMe Base 2.0
      // §3.4.2).
      return sqe.fuse() == spec::Fuse::kNormal ? lbas(Effect::kObserve) : Access{};
    case spec::io::kVerify:
      return lbas(Effect::kObserve);
    case spec::io::kWriteZeroes:
      // With DEAC too: reads of the LBAs return zeroes (NVM Command Set 1.0 §3.2.8).
      return lbas(Effect::kZero);
    case spec::io::kWriteUncorrectable:
      return lbas(Effect::kUncorrectable);
    case spec::io::kDatasetManagement:
      // CDW11 bit 2, AD: the other attributes are hints and change no data.
      return {(sqe.cdw11 & 0x4) != 0 ? Effect::kDeallocate : Effect::kNone, 0, 0};
    case spec::io::kCopy:
    case spec::io::kZoneAppend:
    case spec::io::kZoneManagementSend:
      return {Effect::kForget, 0, 0};
    default:
      return {};
  }
}

std::vector<LbaRange> dataset_ranges(const spec::Sqe& sqe, const uint8_t* data, size_t bytes) {
  // Range: context attributes in bytes 3:0, length in 7:4, starting LBA in 15:8 (NVM Command
  // Set 1.0 §3.2.3, Figure 38).
  constexpr size_t kRangeBytes = 16;
  const size_t count = std::min<size_t>((sqe.cdw10 & 0xFF) + 1, bytes / kRangeBytes);
  std::vector<LbaRange> ranges;
  ranges.reserve(count);
  for (size_t i = 0; i < count; ++i, data += kRangeBytes) {
    uint32_t nlb = 0;
    uint64_t slba = 0;
    std::memcpy(&nlb, data + 4, sizeof(nlb));
    std::memcpy(&slba, data + 8, sizeof(slba));
    if (nlb != 0) ranges.push_back({slba, nlb});
  }
  return ranges;
}

}  // namespace pynvme::verify
