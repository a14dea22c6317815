#include "ssd/config.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <optional>
#include <set>
#include <stdexcept>

namespace pynvme::ssd {
namespace {

constexpr uint64_t kMiB = 1ULL << 20;
constexpr uint32_t kNamespacesMax = 128;

[[noreturn]] void refuse(std::string_view key, std::string_view given, std::string_view possible) {
  std::string text(key);
  text.append("=").append(given).append(": this is not possible; give ").append(possible);
  throw std::invalid_argument(text);
}

std::optional<uint64_t> whole_number(std::string_view text) {
  int base = 10;
  if (text.substr(0, 2) == "0x") {
    text.remove_prefix(2);
    base = 16;
  }
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<double> real_number(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

struct Unit {
  std::string_view name;
  uint64_t bytes;
};
constexpr Unit kUnits[] = {
    {"KiB", 1ULL << 10}, {"MiB", 1ULL << 20}, {"GiB", 1ULL << 30},   {"TiB", 1ULL << 40},
    {"KB", 1'000},       {"MB", 1'000'000},   {"GB", 1'000'000'000}, {"TB", 1'000'000'000'000},
};

std::optional<uint64_t> bytes_number(std::string_view text) {
  for (const Unit& unit : kUnits) {
    if (!text.ends_with(unit.name)) continue;
    text.remove_suffix(unit.name.size());
    if (const auto whole = whole_number(text)) {
      if (*whole > std::numeric_limits<uint64_t>::max() / unit.bytes) return std::nullopt;
      return *whole * unit.bytes;
    }
    const auto real = real_number(text);  // 1.92TB
    if (!real || !(*real >= 0) || *real * static_cast<double>(unit.bytes) > 1e18) {
      return std::nullopt;
    }
    return static_cast<uint64_t>(std::llround(*real * static_cast<double>(unit.bytes)));
  }
  return whole_number(text);
}

template <typename T>
void set_whole(T& field, std::string_view key, std::string_view value, uint64_t low,
               uint64_t high) {
  const auto number = whole_number(value);
  if (!number || *number < low || *number > high) {
    std::string possible("a whole number from ");
    possible.append(std::to_string(low)).append(" to ").append(std::to_string(high));
    refuse(key, value, possible);
  }
  field = static_cast<T>(*number);
}

// As in Identify: printable ASCII, padded with spaces to a fixed length.
void set_text(std::string& field, std::string_view key, std::string_view value, size_t longest) {
  const bool printable =
      std::all_of(value.begin(), value.end(), [](char c) { return c >= ' ' && c <= '~'; });
  if (value.empty() || value.size() > longest || !printable) {
    std::string possible("1 to ");
    possible.append(std::to_string(longest)).append(" printable ASCII characters, no comma");
    refuse(key, value, possible);
  }
  field = value;
}

void set_capacity(Config& config, std::string_view key, std::string_view value) {
  const auto bytes = bytes_number(value);
  // A map entry names a frame by 32 bits; a part of them is for the write cache.
  if (!bytes || *bytes < kMiB || *bytes > 8 * (1ULL << 40)) {
    refuse(key, value,
           "1MiB to 8TiB as plain bytes or in KB, MB, GB, TB, KiB, MiB, GiB, TiB, such as 256GB");
  }
  // Rounded down to whole units of the media: 1GB is no multiple of 4096.
  config.capacity_bytes = *bytes & ~uint64_t{4095};
}

// The parts of "a+b+c".
std::vector<std::string_view> listed(std::string_view text) {
  std::vector<std::string_view> items;
  for (;;) {
    const size_t plus = text.find('+');
    items.push_back(text.substr(0, plus));
    if (plus == std::string_view::npos) return items;
    text.remove_prefix(plus + 1);
  }
}

constexpr std::string_view kLbaSizes = "512, 1024, 2048 or 4096";

// 0: no size of an LBA.
uint32_t lba_size(std::string_view text) {
  for (const uint32_t size : {512U, 1024U, 2048U, 4096U}) {
    if (whole_number(text) == size) return size;
  }
  return 0;
}

void set_lba(Config& config, std::string_view key, std::string_view value) {
  const auto size = whole_number(value);
  // Which ones are possible shows when "lbaformats" is known.
  if (!size || *size > 4096) refuse(key, value, "512 or 4096");
  config.lba_bytes = static_cast<uint32_t>(*size);
}

void set_lba_sizes(std::vector<uint32_t>& sizes, std::string_view key, std::string_view value,
                   size_t most, bool all_differ) {
  sizes.clear();
  for (const std::string_view item : listed(value)) {
    const uint32_t size = lba_size(item);
    const bool repeated = std::find(sizes.begin(), sizes.end(), size) != sizes.end();
    if (size == 0 || sizes.size() == most || (all_differ && repeated)) {
      refuse(key, value,
             std::string("sizes of an LBA (").append(kLbaSizes) +
                 (all_differ ? "), each once, with + between them, such as 512+4096"
                             : ") with + between them, such as 512+4096"));
    }
    sizes.push_back(size);
  }
}

void set_ns_sizes(Config& config, std::string_view key, std::string_view value) {
  config.ns_bytes.clear();
  for (const std::string_view item : listed(value)) {
    const auto bytes = bytes_number(item);
    if (!bytes || *bytes < kMiB || config.ns_bytes.size() == kNamespacesMax) {
      refuse(key, value,
             "the size of each namespace, from 1MiB on, with + between them, such as 1GB+512MB");
    }
    config.ns_bytes.push_back(*bytes & ~uint64_t{4095});
  }
}

void set_mdts(Config& config, std::string_view key, std::string_view value) {
  const auto bytes = bytes_number(value);
  const bool power_of_two = bytes && (*bytes & (*bytes - 1)) == 0;
  if (!power_of_two || (*bytes != 0 && (*bytes < 8192 || *bytes > 256 * kMiB))) {
    // One page of 4 KiB cannot be said: the field would be 0, no limit (NVMe Base 2.0 Figure 275).
    refuse(key, value, "0 (no limit) or a power of two from 8KiB to 256MiB, such as 128KiB");
  }
  config.mdts_bytes = static_cast<uint32_t>(*bytes);
}

void set_cache(Config& config, std::string_view key, std::string_view value) {
  const auto bytes = bytes_number(value);
  if (!bytes || *bytes > 1024 * kMiB) refuse(key, value, "0 (none) to 1GiB, such as 64MiB");
  config.cache_bytes = static_cast<uint32_t>(*bytes);
}

void set_latency(Config& config, std::string_view key, std::string_view value) {
  const auto scale = real_number(value);
  if (!scale || !(*scale >= 0.0 && *scale <= 1000.0)) {
    refuse(key, value, "a factor from 0 (latency model off) to 1000, such as 1.5");
  }
  config.latency_scale = *scale;
}

void set_file(Config& config, std::string_view key, std::string_view value) {
  if (value.empty()) refuse(key, value, "the path of a file, no comma in it");
  config.file = value;
}

void set_version(Config& config, std::string_view key, std::string_view value) {
  if (value != "1.4" && value != "2.0") refuse(key, value, "1.4 or 2.0");
  config.version = value == "1.4" ? 0x0001'0400 : 0x0002'0000;
}

void set_interrupts(Config& config, std::string_view key, std::string_view value) {
  if (value == "pin") {
    config.interrupts = InterruptCapability::kPin;
  } else if (value == "msi") {
    config.interrupts = InterruptCapability::kMsi;
  } else if (value == "msix") {
    config.interrupts = InterruptCapability::kMsix;
  } else {
    refuse(key, value, "pin, msi or msix");
  }
}

struct Key {
  std::string_view name;
  void (*set)(Config& config, std::string_view key, std::string_view value);
};

using Text = std::string_view;
constexpr Key kKeys[] = {
    {"capacity", set_capacity},
    {"lba", set_lba},
    {"queues", [](Config& c, Text k, Text v) { set_whole(c.io_queues, k, v, 1, 1024); }},
    {"mqes", [](Config& c, Text k, Text v) { set_whole(c.mqes, k, v, 1, 65535); }},
    {"mdts", set_mdts},
    {"namespaces",
     [](Config& c, Text k, Text v) { set_whole(c.namespaces, k, v, 1, kNamespacesMax); }},
    {"cache", set_cache},
    {"latency", set_latency},
    {"seed", [](Config& c, Text k, Text v) { set_whole(c.seed, k, v, 0, UINT64_MAX); }},
    {"file", set_file},
    {"model", [](Config& c, Text k, Text v) { set_text(c.model, k, v, 40); }},
    {"serial", [](Config& c, Text k, Text v) { set_text(c.serial, k, v, 20); }},
    {"firmware", [](Config& c, Text k, Text v) { set_text(c.firmware, k, v, 8); }},
    {"elpe", [](Config& c, Text k, Text v) { set_whole(c.elpe, k, v, 0, 255); }},
    {"aerl", [](Config& c, Text k, Text v) { set_whole(c.aerl, k, v, 0, 255); }},
    {"acl", [](Config& c, Text k, Text v) { set_whole(c.acl, k, v, 0, 255); }},
    {"version", set_version},
    {"ready_ms", [](Config& c, Text k, Text v) { set_whole(c.ready_ms, k, v, 0, 127'500); }},
    {"timeout", [](Config& c, Text k, Text v) { set_whole(c.timeout_500ms, k, v, 1, 255); }},
    {"dstrd", [](Config& c, Text k, Text v) { set_whole(c.doorbell_stride, k, v, 0, 15); }},
    {"interrupts", set_interrupts},
    {"lbaformats", [](Config& c, Text k, Text v) { set_lba_sizes(c.lba_formats, k, v, 4, true); }},
    {"nssizes", set_ns_sizes},
    {"nsformats",
     [](Config& c, Text k, Text v) { set_lba_sizes(c.ns_formats, k, v, kNamespacesMax, false); }},
    {"powerstates", [](Config& c, Text k, Text v) { set_whole(c.power_states, k, v, 1, 5); }},
    {"trace", [](Config& c, Text k, Text v) { set_whole(c.trace_events, k, v, 0, 1'000'000); }},
};

[[noreturn]] void refuse_key(std::string_view key) {
  std::string text("\"");
  text.append(key).append("\" is no key of an embedded SSD; the keys are");
  for (const Key& known : kKeys) {
    text.append(&known == kKeys ? " " : ", ").append(known.name);
  }
  throw std::invalid_argument(text);
}

void settle_formats(Config& config, bool lba_given) {
  const auto known = [&](uint32_t size) {
    return std::find(config.lba_formats.begin(), config.lba_formats.end(), size) !=
           config.lba_formats.end();
  };
  if (!lba_given && !known(config.lba_bytes)) config.lba_bytes = config.lba_formats[0];
  std::string possible;
  for (const uint32_t size : config.lba_formats) {
    possible.append(possible.empty() ? "" : " or ").append(std::to_string(size));
  }
  if (!known(config.lba_bytes)) refuse("lba", std::to_string(config.lba_bytes), possible);
  for (const uint32_t size : config.ns_formats) {
    if (!known(size)) refuse("nsformats", std::to_string(size), possible);
  }
}

void settle_namespaces(Config& config, bool count_given) {
  const size_t listed = std::max(config.ns_bytes.size(), config.ns_formats.size());
  if (listed != 0 && !count_given) config.namespaces = static_cast<uint32_t>(listed);
  const std::string count = std::to_string(config.namespaces) + ", as there are namespaces";
  if (!config.ns_formats.empty() && config.ns_formats.size() != config.namespaces) {
    refuse("nsformats", std::to_string(config.ns_formats.size()) + " formats", count);
  }
  if (!config.ns_bytes.empty() && config.ns_bytes.size() != config.namespaces) {
    refuse("nssizes", std::to_string(config.ns_bytes.size()) + " sizes", count);
  }
  uint64_t left = config.capacity_bytes;
  for (const uint64_t bytes : config.ns_bytes) {
    if (bytes > left) refuse("nssizes", std::to_string(bytes), "no more than the capacity in all");
    left -= bytes;
  }
}

// What only shows when all keys are known.
void check_together(const Config& config) {
  if (config.ns_bytes.empty() && config.capacity_bytes / config.namespaces < kMiB) {
    refuse("namespaces", std::to_string(config.namespaces),
           "no more than one for each MiB of the capacity");
  }
  if (config.ready_ms > config.timeout_500ms * 500) {
    std::string possible("no more than the timeout, here ");
    possible.append(std::to_string(config.timeout_500ms * 500)).append(" (timeout is in 500 ms)");
    refuse("ready_ms", std::to_string(config.ready_ms), possible);
  }
}

}  // namespace

Config Config::parse(std::string_view text) {
  Config config;
  std::set<std::string_view> seen;
  while (!text.empty()) {
    const std::string_view item = text.substr(0, text.find(','));
    text.remove_prefix(std::min(item.size() + 1, text.size()));
    const size_t equals = item.find('=');
    const std::string_view name = item.substr(0, equals);
    const Key* key = std::find_if(std::begin(kKeys), std::end(kKeys),
                                  [&](const Key& known) { return known.name == name; });
    if (key == std::end(kKeys)) refuse_key(name);
    if (equals == std::string_view::npos) refuse(name, "", "a value: key=value,key=value");
    if (!seen.insert(name).second) refuse(name, item.substr(equals + 1), "each key only once");
    key->set(config, name, item.substr(equals + 1));
  }
  settle_formats(config, seen.contains("lba"));
  settle_namespaces(config, seen.contains("namespaces"));
  check_together(config);
  return config;
}

}  // namespace pynvme::ssd
