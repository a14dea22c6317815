#include "base/wire_faults.h"

namespace pynvme::base {

void WireFaults::add(const WireFault& fault) {
  const std::lock_guard guard(mutex_);
  if (fault.count == 0) return;
  faults_.push_back(fault);
  armed_ = true;
}

void WireFaults::clear() {
  const std::lock_guard guard(mutex_);
  faults_.clear();
  armed_ = false;
}

uint32_t WireFaults::left() const {
  const std::lock_guard guard(mutex_);
  uint32_t left = 0;
  for (const WireFault& fault : faults_) left += fault.count;
  return left;
}

std::optional<WireFault> WireFaults::take(uint8_t pdu_type, uint16_t qid) {
  const std::lock_guard guard(mutex_);
  for (auto one = faults_.begin(); one != faults_.end(); ++one) {
    if (one->pdu_type.value_or(pdu_type) != pdu_type || one->qid.value_or(qid) != qid) continue;
    if (one->skip != 0) {
      --one->skip;
      continue;
    }
    const WireFault taken = *one;
    if (--one->count == 0) faults_.erase(one);
    armed_ = !faults_.empty();
    return taken;
  }
  return std::nullopt;
}

}  // namespace pynvme::base
