// The faults that are planted in one SSD. Commands ask fire() for those that are theirs, and only
// while armed() says that there may be one: without faults that flag is all it costs. Deciding,
// counting and recording is done here; what an action does is for those who asked. Thread safe.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/rng.h"
#include "base/spinlock.h"
#include "ssd/faults/fault.h"
#include "ssd/faults/history.h"

namespace pynvme::ssd {

// A fault that fires on the command at hand.
struct FiredFault {
  uint64_t id;
  uint64_t number;  // how often it has fired, this time included
  std::shared_ptr<const Fault> fault;
  base::Rng rng;  // of this time: the same seed and the same match, the same numbers
};

class Faults {
 public:
  using CanAct = std::function<bool(const Fault&)>;

  explicit Faults(const base::Clock& clock) : clock_(clock) {}

  // Whether a fault may fire there.
  bool armed(FaultPoint point) const {
    return (armed_.load(std::memory_order_relaxed) & mask(point)) != 0;
  }

  uint64_t add(Fault fault);  // its identifier, from 1 on
  // None of them fires any more, and they are no longer listed. False when there is none.
  bool clear(uint64_t id);
  void clear();
  std::vector<FaultState> list() const;
  // Of one; of those that were cleared only the last ones are known.
  std::optional<FaultState> state(uint64_t id) const;

  // Those that fire on a command, in the order in which they were planted. A fault for which
  // can_act is false does not match.
  std::vector<FiredFault> fire(FaultPoint point, const FaultSubject& subject,
                               const CanAct& can_act);
  // For the record: what was done, and which LBA is wrong now.
  struct Effect {
    std::optional<uint64_t> lba = std::nullopt;
    std::optional<uint64_t> to_lba = std::nullopt;
    std::optional<uint32_t> to_nsid = std::nullopt;
  };
  void describe(const FiredFault& fired, std::string text, const Effect& effect);

  // The device is gone from the bus, by this fault, until that is cleared or the power cut.
  void vanish(uint64_t id) { vanished_by_.store(id); }
  bool vanished() const { return vanished_by_.load(std::memory_order_relaxed) != 0; }
  void reappear() { vanished_by_.store(0); }

  // Older versions of LBAs, while a fault wants them.
  bool wants_history(const FaultSubject& subject) const;
  void keep_version(uint32_t nsid, uint64_t lba, std::vector<uint8_t> data);
  std::optional<std::vector<uint8_t>> version(uint32_t nsid, uint64_t lba, size_t lba_bytes) const;

 private:
  struct Planted {
    uint64_t id;
    std::shared_ptr<const Fault> fault;
    uint64_t matched = 0;
    uint64_t fired = 0;
    bool due = false;  // a command that was to be hit could not be: the next one that can is
    std::vector<FaultFiring> firings;

    bool armed() const { return fault->match.count == 0 || fired < fault->match.count; }
    FaultState state() const;
  };

  const Planted* find(uint64_t id) const;
  void forget(std::vector<Planted>::iterator from);
  bool has_version(const Fault& fault, const FaultSubject& subject) const;
  static uint32_t mask(FaultPoint point) { return 1U << static_cast<unsigned>(point); }
  void note_armed();  // with lock_ held, after anything changed

  const base::Clock& clock_;
  std::atomic<uint32_t> armed_{0};
  mutable base::SpinLock lock_;
  std::vector<Planted> planted_;
  std::vector<Planted> cleared_;  // the last kClearedKept
  uint64_t last_id_ = 0;
  FaultHistory history_;
  std::atomic<uint64_t> vanished_by_{0};
};

}  // namespace pynvme::ssd
