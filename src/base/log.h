// Log lines from C++ to whoever listens (Python's logging, through the bindings). Nothing is
// printed here; lines wait in a bounded queue until drained, so that any thread may log without the
// GIL.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace pynvme::base {

enum class LogLevel : uint8_t { kDebug, kInfo, kWarning, kError };

struct LogLine {
  LogLevel level;
  uint64_t wall_us;
  std::string text;
};

// printf-style. When the queue is full the oldest lines go; their number is told by the next drain.
void log(LogLevel level, const char* format, ...) __attribute__((format(printf, 2, 3)));

// Whether any line waits: cheap enough for every command.
bool log_waits() noexcept;

// Takes all lines that wait.
std::vector<LogLine> drain_log();

}  // namespace pynvme::base
