// Doorbell Buffer Config (NVMe Base 2.0 §5.8, §8.6).
#include <mutex>
#include <vector>

#include "ssd/admin/admin.h"
#include "ssd/frontend/queues.h"

namespace pynvme::ssd {

Outcome Admin::doorbell_buffer_config(const spec::Sqe& sqe) {
  if (sqe.prp1 % kHostPageBytes != 0 || sqe.prp2 % kHostPageBytes != 0) return kInvalidField;
  const Queues::IoLocked no_io(parts_.queues);
  std::vector<std::unique_lock<base::SpinLock>> no_heads;
  for (uint32_t id = 1; id < parts_.queues.count(); ++id) {
    no_heads.emplace_back(parts_.queues.cq(id).lock);
  }
  return parts_.queues.shadow().open(parts_.memory, sqe.prp1, sqe.prp2)
             ? kSuccess
             : fail_once(spec::sc::kDataTransferError);
}

}  // namespace pynvme::ssd
