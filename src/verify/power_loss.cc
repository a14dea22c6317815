#include "verify/power_loss.h"

#include <algorithm>
#include <tuple>

namespace pynvme::verify {
namespace {

bool is_durable(const LoggedChange& change, uint32_t durable_epoch) {
  return change.epoch <= durable_epoch;
}

// The command was given up by the host before it completed.
bool is_open(const LoggedChange& change) {
  return change.epoch == LoggedChange::kUnderWay || change.epoch == LoggedChange::kInterrupted;
}

// One LBA of one change.
struct Step {
  uint64_t lba;
  uint32_t order;
  uint32_t before;
  uint32_t after;
  bool durable;
};

// Everything that may not be durable, in the order in which it was sent. Of two changes of one LBA
// the locks let the second begin when the first was over, so tokens order them; an unstamped change
// has the token of the next stamped one.
bool collect(const std::vector<std::shared_ptr<WriteLog>>& logs, uint32_t durable_epoch,
             std::vector<LoggedChange>* changes) {
  bool complete = true;
  for (const auto& log : logs) {
    const uint64_t first = std::max(log->oldest(), log->settled() + 1);
    LoggedChange change;
    bool values_gone = false;
    for (uint64_t sequence = first; sequence <= log->head(); ++sequence) {
      if (!log->read(sequence, &change)) continue;
      if (change.before.empty()) {
        values_gone = values_gone || !is_durable(change, durable_epoch);
        continue;
      }
      // The oldest that is left is durable, so those before it are as well.
      if (sequence == first && first > log->settled() + 1)
        complete = complete && is_durable(change, durable_epoch);
      changes->push_back(change);
    }
    if (values_gone) complete = false;
    log->settle();
  }
  std::stable_sort(changes->begin(), changes->end(), [](const auto& a, const auto& b) {
    return std::tuple(a.token, a.stamped) < std::tuple(b.token, b.stamped);
  });
  return complete;
}

bool is_atomic(const LoggedChange& change, Atomicity atomicity) {
  if (atomicity.lbas <= 1 || change.nlb > atomicity.lbas || change.nlb == 1) return false;
  return atomicity.boundary == 0 ||
         change.slba / atomicity.boundary == (change.slba + change.nlb - 1) / atomicity.boundary;
}

}  // namespace

bool apply_power_loss(const std::vector<std::shared_ptr<WriteLog>>& logs, uint32_t durable_epoch,
                      Atomicity atomicity, LbaTable& table, Alternatives& alternatives) {
  std::vector<LoggedChange> changes;
  const bool complete = collect(logs, durable_epoch, &changes);
  std::vector<Step> steps;
  for (uint32_t order = 0; order < changes.size(); ++order) {
    const LoggedChange& change = changes[order];
    const bool durable = is_durable(change, durable_epoch);
    for (uint32_t i = 0; i < change.nlb; ++i) {
      steps.push_back({change.slba + i, order, change.before[i], change.after[i], durable});
    }
  }
  std::sort(steps.begin(), steps.end(), [](const Step& a, const Step& b) {
    return std::tuple(a.lba, a.order) < std::tuple(b.lba, b.order);
  });
  for (size_t at = 0; at < steps.size();) {
    const uint64_t lba = steps[at].lba;
    std::vector<uint32_t> values;
    for (; at < steps.size() && steps[at].lba == lba; ++at) {
      if (steps[at].durable) {
        values.clear();
      } else {
        values.push_back(steps[at].before);
        values.push_back(steps[at].after);
      }
    }
    if (values.empty()) continue;
    values.push_back(table.get(lba));
    if (std::find(values.begin(), values.end(), LbaTable::kAmbiguous) != values.end()) {
      const std::vector<uint32_t> earlier = alternatives.of(lba);
      values.insert(values.end(), earlier.begin(), earlier.end());
      std::erase(values, LbaTable::kAmbiguous);
    }
    std::sort(values.begin(), values.end());
    values.erase(std::unique(values.begin(), values.end()), values.end());
    alternatives.forget(lba);
    // Deallocated LBAs may read as anything that was there before (NVM Command Set 1.0 §3.2.3.2.1).
    if (values.front() == LbaTable::kUnknown ||
        std::find(values.begin(), values.end(), LbaTable::kDeallocated) != values.end()) {
      table.set(lba, LbaTable::kUnknown);
    } else if (values.size() == 1) {
      table.set(lba, values.front());
    } else {
      for (const uint32_t value : values) alternatives.add(lba, value);
      table.set(lba, LbaTable::kAmbiguous);
    }
  }
  for (const LoggedChange& change : changes) {
    if (!is_open(change) || !is_atomic(change, atomicity)) continue;
    const uint32_t group = alternatives.new_group();
    for (uint32_t i = 0; i < change.nlb; ++i) {
      const uint64_t lba = change.slba + i;
      if (alternatives.knows(lba)) alternatives.add_to_group(lba, group, change.after[i]);
    }
  }
  return complete;
}

}  // namespace pynvme::verify
