// Reading and writing the two pages.
#include "ssd/frontend/shadow_doorbells.h"

#include "ssd/frontend/prp.h"

namespace pynvme::ssd {

bool ShadowDoorbells::open(const HostMemory& memory, uint64_t doorbells, uint64_t event_indices) {
  on_ = false;
  doorbells_iova_ = doorbells;
  event_indices_iova_ = event_indices;
  resolve(memory);
  if (doorbells_ == nullptr || event_indices_ == nullptr) return false;
  for (uint32_t index = 0; index < seen_.size(); ++index) restart(index);
  on_ = true;
  return true;
}

void ShadowDoorbells::resolve(const HostMemory& memory) {
  uint32_t hint = 0;
  doorbells_ = memory.translate_mapped(DmaAccess::kRead, doorbells_iova_, kHostPageBytes, hint);
  event_indices_ =
      memory.translate_mapped(DmaAccess::kWrite, event_indices_iova_, kHostPageBytes, hint);
  if (doorbells_ == nullptr || event_indices_ == nullptr) on_ = false;
}

uint32_t* ShadowDoorbells::dword(uint8_t* page, uint32_t index) const {
  const uint64_t at = (uint64_t{index} << stride_) * sizeof(uint32_t);
  return at < kHostPageBytes ? reinterpret_cast<uint32_t*>(page + at) : nullptr;
}

bool ShadowDoorbells::moved(uint32_t index) const {
  const uint32_t* const shadow = dword(doorbells_, index);
  return shadow != nullptr && __atomic_load_n(shadow, __ATOMIC_ACQUIRE) != seen_[index].value;
}

uint32_t ShadowDoorbells::take(uint32_t index) {
  const uint32_t* const shadow = dword(doorbells_, index);
  if (shadow == nullptr) return seen_[index].value;
  seen_[index] = {__atomic_load_n(shadow, __ATOMIC_ACQUIRE), true};
  return seen_[index].value;
}

void ShadowDoorbells::set_event_index(uint32_t index, uint32_t value) {
  uint32_t* const event_index = dword(event_indices_, index);
  if (event_index == nullptr) return;
  // The host stores its shadow and then looks here; here it is the other way round, so one of the
  // two sees the other. An exchange is a barrier that ThreadSanitizer knows, too.
  __atomic_exchange_n(event_index, value, __ATOMIC_SEQ_CST);
}

void ShadowDoorbells::restart(uint32_t index) {
  const uint32_t* const shadow = doorbells_ == nullptr ? nullptr : dword(doorbells_, index);
  seen_[index] = {shadow == nullptr ? 0 : __atomic_load_n(shadow, __ATOMIC_RELAXED), false};
}

}  // namespace pynvme::ssd
