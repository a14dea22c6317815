// PRP entries and lists to pieces of host memory (NVMe Base 2.0 §4.1.1): every offset, every list
// entry, every chain pointer is checked, every address translated. On a fabric the data pointer is
// a buffer of the transport's.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "ssd/frontend/host_memory.h"
#include "ssd/frontend/iovec.h"
#include "ssd/status_word.h"

namespace pynvme::ssd {

inline constexpr uint32_t kHostPageBytes = 4096;  // CAP.MPSMIN = CAP.MPSMAX = 0

// Where one queue's commands put their data: reused, so that no command allocates.
struct DataPointer {
  std::vector<IoVec> pieces = std::vector<IoVec>(2);
  uint32_t count = 0;
  uint32_t hint = 0;  // of HostMemory
  uint16_t sqid = 0;

  std::span<const IoVec> span() const { return {pieces.data(), count}; }
};

// On a fabric: how long the SGL is, and how much of that are the command's data.
struct DirectBuffer {
  uint64_t length = 0;
  uint64_t used = 0;
};

// The slow path, for anything. Returns kSuccess or the status the command ends with.
uint16_t parse_prp_list(const HostMemory& memory, DmaAccess access, uint64_t prp1, uint64_t prp2,
                        uint64_t bytes, DataPointer& data);

// `access`: what the command does with its data (kWrite: they go to the host).
inline uint16_t parse_prps(const HostMemory& memory, DmaAccess access, uint64_t prp1, uint64_t prp2,
                           uint64_t bytes, DataPointer& data) {
  // What nearly every command is: one whole page, or within one.
  const uint64_t offset = prp1 % kHostPageBytes;
  if (bytes <= kHostPageBytes - offset && prp1 % 4 == 0) [[likely]] {
    uint8_t* const base = memory.translate(access, prp1, bytes, data.hint);
    if (base != nullptr) [[likely]] {
      data.pieces[0] = {base, static_cast<uint32_t>(bytes)};
      data.count = 1;
      return kSuccess;
    }
  }
  return parse_prp_list(memory, access, prp1, prp2, bytes, data);
}

// The walk once more, by address: the pieces of data and of the lists in the order in which the SSD
// goes there, up to the first entry that is wrong. For the trace.
struct PrpPiece {
  uint64_t iova;
  uint32_t bytes;
  bool list;
};
void list_prps(const HostMemory& memory, DmaAccess access, uint64_t prp1, uint64_t prp2,
               uint64_t bytes, std::vector<PrpPiece>& pieces);

// Copies between host pieces and a buffer of the device, as far as both reach. What is left of the
// host's pieces is zeroed.
void copy_to_host(std::span<const IoVec> host, const void* from, uint64_t bytes);
void copy_from_host(std::span<const IoVec> host, void* to, uint64_t bytes);

}  // namespace pynvme::ssd
