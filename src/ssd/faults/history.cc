#include "ssd/faults/history.h"

namespace pynvme::ssd {

void FaultHistory::keep(uint32_t nsid, uint64_t lba, std::vector<uint8_t> data) {
  const Key key(nsid, lba);
  const auto [at, fresh] = versions_.insert_or_assign(key, std::move(data));
  if (!fresh) return;
  order_.push_back(key);
  if (order_.size() <= kLbasKept) return;
  versions_.erase(order_.front());
  order_.pop_front();
}

const std::vector<uint8_t>* FaultHistory::find(uint32_t nsid, uint64_t lba,
                                               size_t lba_bytes) const {
  const auto found = versions_.find({nsid, lba});
  return found == versions_.end() || found->second.size() != lba_bytes ? nullptr : &found->second;
}

void FaultHistory::clear() {
  versions_.clear();
  order_.clear();
}

}  // namespace pynvme::ssd
