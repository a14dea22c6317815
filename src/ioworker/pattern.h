// The data pattern of written LBAs: ptype and pvalue as scripts give them to Buffer and ioworker.
#pragma once

#include <cstdint>
#include <span>

#include "base/rng.h"

namespace pynvme::ioworker {

// ptype 0: all zeroes or all ones (pvalue 0, 1); 32: pvalue repeated as a dword; 0xbeef: pvalue per
// cent of each LBA random, the rest zero, so that every LBA compresses alike.
void fill_pattern(std::span<uint8_t> data, uint32_t lba_bytes, uint32_t ptype, uint64_t pvalue,
                  base::Rng& rng);

// The LBA at `index` in the buffer of command slot `slot` of an IOWorker with this seed: each can
// be made again without those before it.
void fill_slot_lba(std::span<uint8_t> lba, uint32_t ptype, uint64_t pvalue, uint64_t seed,
                   uint32_t slot, uint32_t index);

}  // namespace pynvme::ioworker
