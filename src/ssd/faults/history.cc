#include "ssd/faults/history.h"

namespace pynvme::ssd {

void FaultHistory::keep(uint32_t nsid, uint64_t lba, std::vector<uint8_t> data) {
  const Key key(nsid, lba);
  const auto [at, fresh] = versions_.try_emplace(key);
  Version& version = at->second;
  if (fresh) {
    version.place = order_.insert(order_.end(), key);
  } else {
    bytes_ -= version.data.size();
    order_.splice(order_.end(), order_, version.place);
  }
  bytes_ += data.size();
  version.data = std::move(data);
  while (bytes_ > kBytesKept) {
    const auto oldest = versions_.find(order_.front());
    bytes_ -= oldest->second.data.size();
    versions_.erase(oldest);
    order_.pop_front();
  }
}

const std::vector<uint8_t>* FaultHistory::find(uint32_t nsid, uint64_t lba,
                                               size_t lba_bytes) const {
  const auto found = versions_.find({nsid, lba});
  if (found == versions_.end() || found->second.data.size() != lba_bytes) return nullptr;
  return &found->second.data;
}

void FaultHistory::clear() {
  versions_.clear();
  order_.clear();
  bytes_ = 0;
}

}  // namespace pynvme::ssd
