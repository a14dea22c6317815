// Which namespaces admin commands have changed since: their format, whether they are attached, or
// that all their data went. Counted where the commands complete, in any thread, and looked at
// before the next command to the namespace. Reading the format anew is up to whoever looks.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <unordered_map>

#include "spec/command.h"

namespace pynvme::verify {

struct NamespaceChange {
  bool any = false;
  bool erases = false;  // nothing is known of any LBA of it
  uint32_t nsid = 0;    // FFFFFFFFh: all
};

// What an admin command changes when it succeeds. fna: of Identify Controller, whether a Format NVM
// is of all namespaces whatever its NSID.
NamespaceChange classify_admin(const spec::Sqe& sqe, uint8_t fna);

class NamespaceChanges {
 public:
  void note(const NamespaceChange& change) noexcept;

  // Grows with each change of any namespace.
  uint64_t count() const noexcept { return count_.load(std::memory_order_acquire); }
  // Grows when the data of this one go.
  uint64_t erasures(uint32_t nsid) const noexcept;

 private:
  std::atomic<uint64_t> count_{0};
  mutable std::mutex mutex_;
  std::unordered_map<uint32_t, uint64_t> erasures_;  // by NSID; FFFFFFFFh: of all
};

}  // namespace pynvme::verify
