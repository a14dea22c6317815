// Bringing events and requests together.
#include "ssd/admin/events.h"

#include <algorithm>
#include <mutex>

#include "spec/log.h"

namespace pynvme::ssd {

Events::Events(uint8_t aerl, Queues& queues, const base::Clock& clock)
    : limit_(aerl + 1U), queues_(queues), clock_(clock) {}

Outcome Events::request(uint16_t cid) {
  const std::lock_guard guard(lock_);
  if (requests_.size() >= limit_) return fail_specific(spec::sc::kAerLimitExceeded);
  requests_.push_back(cid);
  something_ = !events_.empty();
  return Outcome::not_yet();
}

bool Events::take(uint16_t cid) {
  const std::lock_guard guard(lock_);
  const auto found = std::find(requests_.begin(), requests_.end(), cid);
  if (found == requests_.end()) return false;
  requests_.erase(found);
  return true;
}

bool Events::waits(uint16_t cid) {
  const std::lock_guard guard(lock_);
  return std::find(requests_.begin(), requests_.end(), cid) != requests_.end();
}

void Events::raise(uint8_t type, uint8_t info, uint8_t log_page) {
  const std::lock_guard guard(lock_);
  for (const Event& event : events_) {
    if (event.type == type && event.info == info) return;
  }
  // The log that the host was told to read, and has not yet, tells it anyway.
  if (masked_by_[type] == log_page + 1) return;
  events_.push_back({type, info, log_page});
  something_ = true;
}

void Events::log_read(uint8_t log_page) {
  const std::lock_guard guard(lock_);
  // What a request waits for is told all the same: it happened before the log was read, and only
  // nobody came to post it yet.
  std::erase_if(events_, [&](const Event& event) {
    return event.log_page == log_page && (requests_.empty() || masked_by_[event.type] != 0);
  });
  for (uint8_t& by : masked_by_) {
    if (by == log_page + 1) by = 0;
  }
}

void Events::deliver() {
  if (!something_.load(std::memory_order_relaxed)) return;
  const std::lock_guard guard(lock_);
  while (!requests_.empty()) {
    const auto event = std::find_if(events_.begin(), events_.end(),
                                    [&](const Event& e) { return masked_by_[e.type] == 0; });
    if (event == events_.end()) break;
    spec::Cqe cqe{};
    cqe.cdw0 = spec::aer::make_cdw0(event->type, event->info, event->log_page);
    cqe.sqhd = queues_.sq(0).head_for_completions.load(std::memory_order_relaxed);
    cqe.cid = requests_.front();
    if (!queues_.post_if_room(queues_.cq(0), cqe, clock_.now_ns())) break;
    // An immediate event has no log page to be read.
    if (event->type != spec::aer::kTypeImmediate) {
      masked_by_[event->type] = static_cast<uint8_t>(event->log_page + 1);
    }
    requests_.erase(requests_.begin());
    events_.erase(event);
  }
  something_ = !requests_.empty() && !events_.empty();
}

void Events::reset() {
  const std::lock_guard guard(lock_);
  requests_.clear();
  events_.clear();
  masked_by_ = {};
  something_ = false;
}

}  // namespace pynvme::ssd
