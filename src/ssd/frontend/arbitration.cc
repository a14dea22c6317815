// The arbiter's bookkeeping.
#include "ssd/frontend/arbitration.h"

#include <algorithm>

namespace pynvme::ssd {

void Arbiter::start(bool weighted) {
  weighted_ = weighted;
  cursor_ = {};
  credits_ = {};
}

void Arbiter::fetched(uint8_t priority, uint32_t commands) {
  credits_[priority] -= std::min(credits_[priority], commands);
}

}  // namespace pynvme::ssd
