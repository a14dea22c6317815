#include "ssd/faults/faults.h"

#include <algorithm>
#include <iterator>
#include <mutex>
#include <utility>

namespace pynvme::ssd {
namespace {

constexpr size_t kClearedKept = 100;

// Its own sequence for every match of a fault, so that what one command gets does not depend on
// how many numbers another one took.
base::Rng rng_of(uint64_t seed, uint64_t match) {
  return base::Rng(seed ^ match * 0x9E37'79B9'7F4A'7C15ULL);
}

bool by_chance(base::Rng& rng, double chance) {
  return static_cast<double>(rng.next() >> 11) * 0x1p-53 < chance;
}

}  // namespace

FaultState Faults::Planted::state() const {
  return {id,     fault->match_text, fault->action_text, fault->match.seed, armed(), matched, fired,
          firings};
}

void Faults::note_armed() {
  uint32_t armed = 0;
  for (const Planted& one : planted_) {
    if (one.armed()) armed |= mask(one.fault->point);
  }
  armed_.store(armed, std::memory_order_relaxed);
}

uint64_t Faults::add(Fault fault) {
  auto shared = std::make_shared<const Fault>(std::move(fault));
  const std::lock_guard guard(lock_);
  planted_.push_back({.id = ++last_id_, .fault = std::move(shared), .firings = {}});
  note_armed();
  return last_id_;
}

// Their figures can still be looked at.
void Faults::forget(std::vector<Planted>::iterator from) {
  std::move(from, planted_.end(), std::back_inserter(cleared_));
  planted_.erase(from, planted_.end());
  if (cleared_.size() > kClearedKept) {
    cleared_.erase(cleared_.begin(), cleared_.end() - kClearedKept);
  }
  if (planted_.empty()) history_.clear();
  const uint64_t by = vanished_by_.load();
  if (std::none_of(planted_.begin(), planted_.end(),
                   [&](const Planted& one) { return one.id == by; })) {
    reappear();
  }
  note_armed();
}

bool Faults::clear(uint64_t id) {
  const std::lock_guard guard(lock_);
  const auto gone = std::stable_partition(planted_.begin(), planted_.end(),
                                          [&](const Planted& one) { return one.id != id; });
  const bool found = gone != planted_.end();
  forget(gone);
  return found;
}

void Faults::clear() {
  const std::lock_guard guard(lock_);
  forget(planted_.begin());
}

const Faults::Planted* Faults::find(uint64_t id) const {
  for (const auto* list : {&planted_, &cleared_}) {
    for (const Planted& one : *list) {
      if (one.id == id) return &one;
    }
  }
  return nullptr;
}

std::vector<FaultState> Faults::list() const {
  const std::lock_guard guard(lock_);
  std::vector<FaultState> states;
  for (const Planted& one : planted_) states.push_back(one.state());
  return states;
}

std::optional<FaultState> Faults::state(uint64_t id) const {
  const std::lock_guard guard(lock_);
  const Planted* const one = find(id);
  if (one == nullptr) return std::nullopt;
  FaultState state = one->state();
  state.armed = state.armed && one >= planted_.data() && one < planted_.data() + planted_.size();
  return state;
}

bool Faults::has_version(const Fault& fault, const FaultSubject& subject) const {
  const auto [begin, end] = fault.match.common(subject);
  for (uint64_t lba = begin; lba < end; ++lba) {
    if (history_.find(subject.sqe.nsid, lba, subject.lba_bytes) != nullptr) return true;
  }
  return false;
}

std::vector<FiredFault> Faults::fire(FaultPoint point, const FaultSubject& subject,
                                     const CanAct& can_act) {
  std::vector<FiredFault> all;
  const std::lock_guard guard(lock_);
  for (Planted& one : planted_) {
    const FaultMatch& match = one.fault->match;
    if (one.fault->point != point || !one.armed() || !match.fits(subject)) continue;
    if (!can_act(*one.fault)) continue;
    base::Rng rng = rng_of(match.seed, ++one.matched);
    const bool wanted = one.matched > match.after && by_chance(rng, match.chance);
    if (!wanted && !one.due) continue;
    // Which LBAs have an older version is for the load to decide: a fault on the millionth Read is
    // not to be missed because that one has none.
    one.due = one.fault->action == FaultAction::kStale && !has_version(*one.fault, subject);
    if (one.due) continue;
    ++one.fired;
    if (one.firings.size() == kFiringsKept) one.firings.erase(one.firings.begin());
    one.firings.push_back({.time_ns = clock_.now_ns(),
                           .match = one.matched,
                           .qid = subject.sqid,
                           .cid = subject.sqe.cid,
                           .opcode = subject.sqe.opcode,
                           .nsid = subject.sqe.nsid,
                           .slba = subject.slba,
                           .nlb = subject.nlb,
                           .lba = std::nullopt,
                           .to_lba = std::nullopt,
                           .to_nsid = std::nullopt,
                           .text = {}});
    all.push_back({one.id, one.fired, one.fault, rng});
  }
  if (!all.empty()) note_armed();
  return all;
}

void Faults::describe(const FiredFault& fired, std::string text, const Effect& effect) {
  const std::lock_guard guard(lock_);
  for (Planted& one : planted_) {
    if (one.id != fired.id) continue;
    const uint64_t oldest = one.fired - one.firings.size();
    if (fired.number <= oldest) return;
    FaultFiring& firing = one.firings[fired.number - oldest - 1];
    firing.text = std::move(text);
    firing.lba = effect.lba;
    firing.to_lba = effect.to_lba;
    firing.to_nsid = effect.to_nsid;
    return;
  }
}

bool Faults::wants_history(const FaultSubject& subject) const {
  const std::lock_guard guard(lock_);
  return std::any_of(planted_.begin(), planted_.end(), [&](const Planted& one) {
    if (one.fault->action != FaultAction::kStale || !one.armed()) return false;
    FaultMatch match;
    match.io.set();
    match.nsid = one.fault->match.nsid;
    match.has_lbas = one.fault->match.has_lbas;
    match.lba_begin = one.fault->match.lba_begin;
    match.lba_end = one.fault->match.lba_end;
    return match.fits(subject);
  });
}

void Faults::keep_version(uint32_t nsid, uint64_t lba, std::vector<uint8_t> data) {
  const std::lock_guard guard(lock_);
  history_.keep(nsid, lba, std::move(data));
}

std::optional<std::vector<uint8_t>> Faults::version(uint32_t nsid, uint64_t lba,
                                                    size_t lba_bytes) const {
  const std::lock_guard guard(lock_);
  const std::vector<uint8_t>* const found = history_.find(nsid, lba, lba_bytes);
  return found == nullptr ? std::nullopt : std::optional(*found);
}

}  // namespace pynvme::ssd
