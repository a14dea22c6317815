#include "ssd/faults/fault.h"

#include <algorithm>

#include "spec/command_fields.h"
#include "ssd/admin/error_location.h"

namespace pynvme::ssd {

FaultSubject::FaultSubject(const spec::Sqe& command, uint16_t sq)
    : sqe(command), sqid(sq), has_lbas(sq != 0 && has_slba(command)) {
  if (!has_lbas) return;
  slba = sqe.slba();
  nlb = spec::io_nlb(sqe.cdw12);
}

bool FaultMatch::fits(const FaultSubject& subject) const {
  const spec::Sqe& sqe = subject.sqe;
  if (!(subject.sqid == 0 ? admin : io)[sqe.opcode]) return false;
  if (!queues.empty() && std::find(queues.begin(), queues.end(), subject.sqid) == queues.end()) {
    return false;
  }
  if (nsid && sqe.nsid != *nsid) return false;
  if (cid && sqe.cid != *cid) return false;
  if (!has_lbas) return true;
  return subject.has_lbas && subject.slba < lba_end &&
         (subject.slba >= lba_begin || lba_begin - subject.slba < subject.nlb);
}

FaultMatch::Lbas FaultMatch::common(const FaultSubject& subject) const {
  const uint64_t end = subject.slba + subject.nlb;
  if (!has_lbas) return {subject.slba, end};
  return {std::max(lba_begin, subject.slba), std::min(lba_end, end)};
}

std::optional<FaultNumber> Fault::number(std::string_view key) const {
  const auto found = numbers.find(key);
  return found == numbers.end() ? std::nullopt : std::optional(found->second);
}

uint64_t Fault::value_or(std::string_view key, uint64_t otherwise) const {
  const auto found = numbers.find(key);
  return found == numbers.end() ? otherwise : static_cast<uint64_t>(found->second.value);
}

}  // namespace pynvme::ssd
