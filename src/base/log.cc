#include "base/log.h"

#include <atomic>
#include <cstdarg>
#include <cstdio>
#include <deque>
#include <mutex>

#include "base/clock.h"

namespace pynvme::base {
namespace {

constexpr size_t kMaxLines = 4096;

struct Queue {
  std::mutex mutex;
  std::deque<LogLine> lines;
  uint64_t lost = 0;
};

std::atomic<bool> waits{false};

Queue& queue() {
  // Never destroyed: threads may log while the process exits.
  static auto* instance = new Queue();
  return *instance;
}

}  // namespace

void log(LogLevel level, const char* format, ...) {
  char text[1024];
  va_list args;
  va_start(args, format);
  vsnprintf(text, sizeof(text), format, args);
  va_end(args);
  auto& q = queue();
  const std::lock_guard guard(q.mutex);
  if (q.lines.size() == kMaxLines) {
    q.lines.pop_front();
    ++q.lost;
  }
  q.lines.push_back({level, wall_time_us(), text});
  waits.store(true, std::memory_order_relaxed);
}

bool log_waits() noexcept { return waits.load(std::memory_order_relaxed); }

std::vector<LogLine> drain_log() {
  auto& q = queue();
  const std::lock_guard guard(q.mutex);
  std::vector<LogLine> taken;
  if (q.lost != 0) {
    taken.push_back({LogLevel::kWarning, wall_time_us(),
                     std::to_string(q.lost) + " log lines were lost: nobody read them in time"});
    q.lost = 0;
  }
  taken.insert(taken.end(), std::make_move_iterator(q.lines.begin()),
               std::make_move_iterator(q.lines.end()));
  q.lines.clear();
  waits.store(false, std::memory_order_relaxed);
  return taken;
}

}  // namespace pynvme::base
