// Which namespaces admin commands have changed since: their format, whether they are attached, or
// that all their data went. Counted where the commands complete, in any thread, and looked at
// before the next command to the namespace. Reading the format anew is up to whoever looks. And
// whether the volatile write cache is off, which makes every write durable.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <unordered_map>

#include "spec/command.h"

namespace pynvme::verify {

struct NamespaceChange {
  bool any = false;
  bool erases = false;  // nothing is known of any LBA of it
  uint32_t nsid = 0;    // FFFFFFFFh: all
  enum class Cache : uint8_t { kNoChange, kOn, kOff } cache = Cache::kNoChange;
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

  // Of all namespaces of the controller; shared with their Integrity.
  const std::shared_ptr<std::atomic<bool>>& write_through() const { return write_through_; }
  // What Identify Controller says (VWC), when the controller was initialised: the feature has its
  // default or saved value again, which is taken for on.
  void set_cache_present(bool present) noexcept {
    cache_present_.store(present);
    write_through_->store(!present);
  }

 private:
  std::atomic<uint64_t> count_{0};
  std::atomic<bool> cache_present_{true};
  std::shared_ptr<std::atomic<bool>> write_through_ = std::make_shared<std::atomic<bool>>(false);
  mutable std::mutex mutex_;
  std::unordered_map<uint32_t, uint64_t> erasures_;  // by NSID; FFFFFFFFh: of all
};

}  // namespace pynvme::verify
