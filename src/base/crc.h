// CRC-32C (Castagnoli, reflected, initial value and final XOR all ones): the checksum of every LBA
// the host remembers. ISA-L where it is installed, the processor's crc32 instruction otherwise.
#pragma once

#include <cstddef>
#include <cstdint>

namespace pynvme::base {

uint32_t crc32c(const void* data, size_t size) noexcept;

// crcs[i] = crc32c(data + i * block_bytes, block_bytes), quicker than that where it can be.
void crc32c_blocks(const void* data, size_t block_bytes, size_t count, uint32_t* crcs) noexcept;

}  // namespace pynvme::base
