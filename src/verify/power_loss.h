// What LBAs may hold after a loss of power, from the write logs of a namespace: the content that
// was durable last and every later one that was not (NVMe Base 2.0 §5.27.1.4, NVM Command Set 1.0
// §3.2.1). A write is durable when it completed before a Flush was sent that succeeded, when it had
// FUA, or while there was no volatile write cache. One that was under way may be done or not, LBA
// by LBA, or as a whole up to AWUPF (§2.1.4).
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "verify/alternatives.h"
#include "verify/lba_table.h"
#include "verify/write_log.h"

namespace pynvme::verify {

struct Atomicity {
  uint32_t lbas = 1;      // AWUPF or NAWUPF, as a count
  uint32_t boundary = 0;  // NABSPF, as a count; 0: none
};

// Puts kAmbiguous into the table where more than one content is right, and kUnknown where any is;
// settles the logs. False: some changes that were not durable are not in the logs any more.
bool apply_power_loss(const std::vector<std::shared_ptr<WriteLog>>& logs, uint32_t durable_epoch,
                      Atomicity atomicity, LbaTable& table, Alternatives& alternatives);

}  // namespace pynvme::verify
