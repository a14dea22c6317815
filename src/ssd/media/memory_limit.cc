#include "ssd/media/memory_limit.h"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <iterator>
#include <string>

namespace pynvme::ssd {
namespace {

std::string text_of(const std::string& path) {
  std::ifstream stream(path);
  return {std::istreambuf_iterator<char>(stream), {}};
}

uint64_t number_in(const std::string& path, uint64_t fallback) {
  const std::string text = text_of(path);
  uint64_t value = fallback;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

// Control groups version 2: each group on the way up to the root may set a limit.
uint64_t available_in_groups() {
  const std::string own = text_of("/proc/self/cgroup");
  const size_t start = own.find("0::/");
  if (start == std::string::npos) return UINT64_MAX;
  std::string group = own.substr(start + 3, own.find('\n', start) - start - 3);
  uint64_t available = UINT64_MAX;
  while (true) {
    const std::string folder = "/sys/fs/cgroup" + group;
    const uint64_t limit = number_in(folder + "/memory.max", UINT64_MAX);  // or the word "max"
    if (limit != UINT64_MAX) {
      // The page cache counts as used, but goes before anything is killed.
      const uint64_t cache = number_after(text_of(folder + "/memory.stat"), "inactive_file", 0);
      const uint64_t used = number_in(folder + "/memory.current", 0);
      const uint64_t needed = used - std::min(used, cache);
      available = std::min(available, limit - std::min(limit, needed));
    }
    if (group.size() <= 1) return available;
    group.resize(std::max<size_t>(group.rfind('/'), 1));
  }
}

}  // namespace

uint64_t number_after(std::string_view text, std::string_view key, uint64_t fallback) {
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    if (line.substr(0, key.size()) != key) continue;
    const std::string_view rest = line.substr(key.size());
    if (rest.empty() || (rest[0] != ':' && rest[0] != ' ')) continue;
    const size_t digit = rest.find_first_of("0123456789");
    if (digit == std::string_view::npos) return fallback;
    uint64_t value = fallback;
    std::from_chars(rest.data() + digit, rest.data() + rest.size(), value);
    return value;
  }
  return fallback;
}

uint64_t available_memory_bytes() {
  const uint64_t kib = number_after(text_of("/proc/meminfo"), "MemAvailable", UINT64_MAX / 1024);
  return std::min(kib * 1024, available_in_groups());
}

}  // namespace pynvme::ssd
