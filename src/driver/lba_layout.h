// The LBA format of a namespace as its commands see it: how LBAs lie in the memory of a transfer,
// where their metadata go, and the protection information that commands carry (NVM Command Set 1.0
// §2.1.6, §5.2). What is in data and metadata is up to others.
#pragma once

#include <algorithm>
#include <cstdint>

#include "spec/command.h"
#include "spec/command_fields.h"
#include "spec/identify_namespace.h"
#include "spec/opcode.h"

namespace pynvme::driver {

struct LbaLayout {
  uint32_t data_bytes = 512;
  uint16_t metadata_bytes = 0;
  bool extended = false;   // metadata behind the data of each LBA, else in memory of their own
  uint8_t protection = 0;  // information of type 1 to 3
  uint8_t protection_bytes = 8;  // of the metadata: 8 with a 16-bit guard, else 16
  uint8_t reference_tag_bits = 32;

  bool operator==(const LbaLayout&) const = default;

  // Where metadata are protection information alone, PRACT leaves nothing of them to transfer
  // (§5.2.2).
  constexpr bool transfers_metadata(bool pract) const {
    return metadata_bytes != 0 && !(pract && protection != 0 && metadata_bytes == protection_bytes);
  }
  // From one LBA to the next in the data of a command.
  constexpr uint32_t stride(bool pract) const {
    return data_bytes + (extended && transfers_metadata(pract) ? metadata_bytes : 0U);
  }
  // Of one LBA in the memory at MPTR.
  constexpr uint32_t separate_bytes(bool pract) const {
    return !extended && transfers_metadata(pract) ? metadata_bytes : 0U;
  }
  // Compare and Verify do not have it.
  constexpr bool takes_pract(uint8_t opcode) const {
    return protection != 0 && (opcode == spec::io::kRead || opcode == spec::io::kWrite ||
                               opcode == spec::io::kWriteZeroes);
  }
};

// `elbaf`: of the format, from Identify CNS 05h; 0 where the controller has no such formats.
inline LbaLayout lba_layout_of(const spec::IdentifyNamespace& ns, uint32_t elbaf) {
  const spec::LbaFormat& format = ns.lbaf[ns.format_index()];
  LbaLayout layout;
  layout.data_bytes = format.lbads == 0 ? 512 : 1U << format.lbads;
  layout.metadata_bytes = format.ms;
  layout.extended = ns.extended_lba();
  layout.protection = ns.protection_type();
  // §5.2.1: storage and reference tag share 32, 80 or 48 bits; SLBA has no more than 64.
  const uint8_t pif = spec::elbaf_pif(elbaf);
  layout.protection_bytes = pif == spec::kPif16bGuard ? 8 : 16;
  const unsigned tags = pif == spec::kPif16bGuard ? 32 : pif == spec::kPif32bGuard ? 80 : 48;
  layout.reference_tag_bits =
      static_cast<uint8_t>(std::min(tags - std::min<unsigned>(spec::elbaf_sts(elbaf), tags), 64U));
  return layout;
}

// The memory at MPTR that a command of a script needs.
inline uint32_t separate_metadata_bytes(const spec::Sqe& sqe, const LbaLayout& layout) {
  switch (sqe.opcode) {
    case spec::io::kRead:
    case spec::io::kWrite:
    case spec::io::kCompare:
    case spec::io::kZoneAppend:
      return spec::io_nlb(sqe.cdw12) * layout.separate_bytes(spec::io_pract(sqe.cdw12));
    default:
      return 0;
  }
}

// Lets the controller make protection information and check it, for Read, Write and Write Zeroes of
// a namespace that has it: the guard, and the reference tag where the type makes it the address
// (§5.2.3). Application and storage tags are 0 and not checked.
inline void protect(spec::Sqe& sqe, const LbaLayout& layout) {
  constexpr uint8_t kNoReferenceTag = 3;
  const bool has_tag = layout.protection != kNoReferenceTag;
  uint8_t prinfo = spec::kPract;
  if (sqe.opcode != spec::io::kWriteZeroes) {  // that checks nothing
    prinfo |= spec::kPrchkGuard | (has_tag ? spec::kPrchkReference : uint8_t{0});
  }
  sqe.cdw12 = spec::io_with_prinfo(sqe.cdw12, prinfo);
  if (!has_tag) return;
  const unsigned bits = layout.reference_tag_bits;
  const uint64_t tag = bits == 64 ? sqe.slba() : sqe.slba() & ((uint64_t{1} << bits) - 1);
  sqe.cdw14 = static_cast<uint32_t>(tag);
  sqe.cdw3 = static_cast<uint32_t>(tag >> 32);
}

}  // namespace pynvme::driver
