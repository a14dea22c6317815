// SQEs of the admin commands that the driver itself sends.
#pragma once

#include <cstddef>
#include <cstdint>

#include "spec/command.h"

namespace pynvme::driver {

spec::Sqe identify_command(uint8_t cns, uint32_t nsid, uint16_t cntid = 0, uint8_t csi = 0,
                           uint16_t nvmsetid = 0);
spec::Sqe get_features_command(uint8_t fid, uint8_t sel = 0, uint32_t cdw11 = 0, uint32_t nsid = 0);
spec::Sqe set_features_command(uint8_t fid, bool save, uint32_t cdw11, uint32_t nsid = 0);
// entries: how many, not 0-based.
spec::Sqe create_cq_command(uint16_t id, uint32_t entries, uint64_t iova, bool interrupts,
                            uint16_t vector);
spec::Sqe create_sq_command(uint16_t id, uint32_t entries, uint64_t iova, uint16_t cqid,
                            uint8_t priority);
spec::Sqe delete_sq_command(uint16_t id);
spec::Sqe delete_cq_command(uint16_t id);
spec::Sqe abort_command(uint16_t sqid, uint16_t cid);
spec::Sqe async_event_command();

// How much of a buffer of `size` bytes an admin command transfers, where the command alone says so.
size_t admin_data_bytes(const spec::Sqe& sqe, size_t size);
// The same of an IO command of the NVM command set, with so many bytes from one LBA to the next.
size_t io_data_bytes(const spec::Sqe& sqe, size_t size, uint64_t lba_stride);

}  // namespace pynvme::driver
