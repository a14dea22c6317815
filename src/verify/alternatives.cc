#include "verify/alternatives.h"

#include <algorithm>

#include "verify/lba_table.h"

namespace pynvme::verify {

void Alternatives::add(uint64_t lba, uint32_t value) {
  auto& values = lbas_[lba].values;
  if (std::find(values.begin(), values.end(), value) == values.end()) values.push_back(value);
}

uint32_t Alternatives::new_group() {
  groups_.emplace_back();
  return static_cast<uint32_t>(groups_.size() - 1);
}

void Alternatives::add_to_group(uint64_t lba, uint32_t group, uint32_t written) {
  lbas_[lba].group = group;
  lbas_[lba].written = written;
}

void Alternatives::clear() {
  lbas_.clear();
  groups_.clear();
}

std::vector<uint32_t> Alternatives::of(uint64_t lba) const {
  const auto found = lbas_.find(lba);
  return found == lbas_.end() ? std::vector<uint32_t>() : found->second.values;
}

Alternatives::Settled Alternatives::settle(uint64_t lba, uint32_t crc, bool zero) {
  const auto found = lbas_.find(lba);
  if (found == lbas_.end()) return {};
  const Lba& known = found->second;
  Settled settled{Verdict::kRefused, 0, 0};
  for (const uint32_t value : known.values) {
    if (value == crc || (zero && value == LbaTable::kZeroed)) {
      settled = {Verdict::kAccepted, value, 0};
      break;
    }
  }
  if (settled.verdict == Verdict::kRefused) return settled;
  if (known.group != kNoGroup) {
    Group& group = groups_[known.group];
    const bool written = settled.value == known.written;
    if (group.decided && group.written != written) return {Verdict::kTorn, 0, group.witness};
    if (!group.decided) group = {true, written, lba};
  }
  lbas_.erase(found);
  return settled;
}

}  // namespace pynvme::verify
