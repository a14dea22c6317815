// Links and small files under /sys and /proc.
#include "pcie/vfio/sysfs.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <system_error>

namespace pynvme::pcie::vfio {
namespace {

namespace fs = std::filesystem;

constexpr unsigned kBars = 6;
constexpr uint64_t kResourceIsMemory = 0x200;  // IORESOURCE_MEM

// The last part of what a link points to; empty when there is no such link.
std::string link_name(const fs::path& link) {
  std::error_code error;
  const fs::path target = fs::read_symlink(link, error);
  return error ? "" : target.filename().string();
}

std::vector<std::string> entries(const fs::path& directory) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator entry(directory, error), end; !error && entry != end;
       entry.increment(error)) {
    names.push_back(entry->path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::string first_entry(const fs::path& directory) {
  const auto names = entries(directory);
  return names.empty() ? "" : names.front();
}

}  // namespace

std::string read_text(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  if (file) text << file.rdbuf();
  return text.str();
}

std::optional<SysfsFunction> read_sysfs_function(const std::string& name,
                                                 const std::string& devices) {
  const fs::path directory = fs::path(devices) / name;
  std::error_code error;
  if (!fs::exists(directory, error)) return std::nullopt;
  SysfsFunction function;
  function.name = name;
  function.directory = directory.string();
  function.driver = link_name(directory / "driver");
  function.group = link_name(directory / "iommu_group");
  if (!function.group.empty()) {
    function.group_members = entries(directory / "iommu_group" / "devices");
    function.no_iommu =
        read_text((directory / "iommu_group" / "name").string()).starts_with("vfio-noiommu");
  }
  function.vfio_device = first_entry(directory / "vfio-dev");
  function.uio_device = first_entry(directory / "uio");
  return function;
}

std::vector<uint64_t> parse_bar_sizes(const std::string& resource) {
  std::vector<uint64_t> sizes(kBars, 0);
  std::istringstream lines(resource);
  uint64_t start = 0;
  uint64_t end = 0;
  uint64_t flags = 0;
  lines >> std::hex;
  for (unsigned bar = 0; bar < kBars && lines >> start >> end >> flags; ++bar) {
    if ((flags & kResourceIsMemory) != 0 && end > start) sizes[bar] = end - start + 1;
  }
  return sizes;
}

std::string holders(const std::string& path) {
  std::string found;
  const std::string self = std::to_string(getpid());
  for (const auto& process : entries("/proc")) {
    if (process == self || process.find_first_not_of("0123456789") != std::string::npos) continue;
    const fs::path proc = fs::path("/proc") / process;
    for (const auto& fd : entries(proc / "fd")) {
      std::error_code error;
      if (fs::read_symlink(proc / "fd" / fd, error) != path) continue;
      std::string command = read_text((proc / "comm").string());
      if (!command.empty()) command.pop_back();
      found.append(found.empty() ? "" : ", ").append("pid ").append(process);
      found.append(" (").append(command).append(")");
      break;
    }
  }
  return found;
}

}  // namespace pynvme::pcie::vfio
