#include "verify/known_namespaces.h"

#include <mutex>

namespace pynvme::verify {
namespace {

struct Entry {
  std::weak_ptr<Integrity> integrity;
  std::string device;
  uint32_t nsid;
};

std::mutex mutex;

std::vector<Entry>& entries() {
  static auto* instance = new std::vector<Entry>();  // used while the process ends
  return *instance;
}

}  // namespace

void announce(const std::shared_ptr<Integrity>& integrity, const std::string& device,
              uint32_t nsid) {
  const std::lock_guard guard(mutex);
  std::erase_if(entries(), [](const Entry& entry) { return entry.integrity.expired(); });
  entries().push_back({integrity, device, nsid});
}

std::vector<KnownNamespace> known_namespaces() {
  const std::lock_guard guard(mutex);
  std::vector<KnownNamespace> known;
  for (const Entry& entry : entries()) {
    if (auto integrity = entry.integrity.lock())
      known.push_back({std::move(integrity), entry.device, entry.nsid});
  }
  return known;
}

}  // namespace pynvme::verify
