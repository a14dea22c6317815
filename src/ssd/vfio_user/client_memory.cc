// Ranges, and copies of pages that lie elsewhere.
#include "ssd/vfio_user/client_memory.h"

#include <sys/mman.h>

#include <cerrno>
#include <cstring>
#include <new>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "ssd/device.h"

namespace pynvme::ssd {
namespace {

constexpr uint64_t kPage = 4096;
// What is written back is written in such pieces: a completion entry goes as a whole.
constexpr size_t kGrain = 16;

}  // namespace

int ClientMemory::map(const spec::vfu::DmaMap& wanted, base::UniqueFd fd) {
  using spec::vfu::DmaMap;
  constexpr uint32_t kKnown = DmaMap::kRead | DmaMap::kWrite | DmaMap::kMmap | DmaMap::kFileIo;
  if ((wanted.flags & ~kKnown) != 0) return EINVAL;
  if (wanted.size == 0 || (wanted.address | wanted.size) % kPage != 0) return EINVAL;
  if (wanted.address + (wanted.size - 1) < wanted.address) return EINVAL;
  if (maps_.size() >= kMapsMax) return ENOSPC;
  const auto next = maps_.lower_bound(wanted.address);
  if (next != maps_.end() && next->first - wanted.address < wanted.size) return EEXIST;
  if (next != maps_.begin()) {
    const auto previous = std::prev(next);
    if (wanted.address - previous->first < previous->second.size) return EEXIST;
  }
  Map entry;
  entry.size = wanted.size;
  entry.readable = (wanted.flags & DmaMap::kRead) != 0;
  entry.writable = (wanted.flags & DmaMap::kWrite) != 0;
  try {
    if (fd) {
      entry.file = std::make_unique<base::GuardedMapping>(fd.get(), wanted.offset, wanted.size,
                                                          entry.writable);
      device_.dma_map(wanted.address, entry.file->data(), wanted.size, entry.readable,
                      entry.writable);
      const std::lock_guard guard(mutex_);
      maps_.emplace(wanted.address, std::move(entry));
      return 0;
    }
  } catch (const std::system_error& error) {
    return error.code().value();
  } catch (const std::invalid_argument&) {
    return EINVAL;
  }
  if (wanted.size > kElsewhereMax) return ENOMEM;
  void* const copy = mmap(nullptr, wanted.size, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (copy == MAP_FAILED) return ENOMEM;
  entry.copy = static_cast<uint8_t*>(copy);
  const std::lock_guard guard(mutex_);
  maps_.emplace(wanted.address, std::move(entry));
  return 0;
}

int ClientMemory::unmap(uint64_t address, uint64_t size) {
  if (size == 0 || address + (size - 1) < address) return EINVAL;
  const uint64_t last = address + (size - 1);
  auto entry = maps_.lower_bound(address);
  if (entry != maps_.begin()) {
    const auto previous = std::prev(entry);
    if (address - previous->first < previous->second.size) return EINVAL;
  }
  for (auto at = entry; at != maps_.end() && at->first <= last; ++at) {
    if (at->first + (at->second.size - 1) > last) return EINVAL;
  }
  if (entry == maps_.end() || entry->first > last) return ENOENT;
  while (entry != maps_.end() && entry->first <= last) erase(entry++);
  return 0;
}

void ClientMemory::erase(std::map<uint64_t, Map>::iterator entry) {
  const uint64_t address = entry->first;
  Map gone;
  {
    const std::lock_guard guard(mutex_);
    gone = std::move(entry->second);
    maps_.erase(entry);
    pages_.erase(pages_.lower_bound(address), pages_.upper_bound(address + (gone.size - 1)));
  }
  // Takes the queues' locks: whoever uses the memory is done with it then.
  device_.dma_unmap(address, gone.size);
  if (gone.copy != nullptr) munmap(gone.copy, gone.size);
}

void ClientMemory::clear() {
  while (!maps_.empty()) erase(maps_.begin());
  elsewhere_ = false;
}

bool ClientMemory::broken() const {
  if (!base::GuardedMapping::any_broken()) return false;
  for (const auto& [address, entry] : maps_) {
    if (entry.file != nullptr && entry.file->broken()) return true;
  }
  return false;
}

uint8_t* ClientMemory::reach(DmaAccess access, uint64_t address, uint64_t size,
                             bool kept) noexcept {
  try {
    const std::lock_guard guard(mutex_);
    const auto next = maps_.upper_bound(address);
    if (next == maps_.begin()) return nullptr;
    const auto& [begin, entry] = *std::prev(next);
    const uint64_t offset = address - begin;
    if (!(access == DmaAccess::kWrite ? entry.writable : entry.readable)) return nullptr;
    if (entry.copy == nullptr || offset >= entry.size || size > entry.size - offset) return nullptr;
    for (uint64_t at = offset / kPage * kPage; at < offset + size; at += kPage) {
      if (!fetch(begin + at, entry.copy + at, kept)) return nullptr;
    }
    return entry.copy + offset;
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}

bool ClientMemory::fetch(uint64_t address, uint8_t* copy, bool kept) {
  elsewhere_.store(true, std::memory_order_relaxed);
  const auto found = pages_.find(address);
  // Within one step of the SSD's work its own stores count, not what the client does meanwhile.
  if (found != pages_.end() && !kept) return true;
  std::vector<uint8_t> now(kPage);
  if (found != pages_.end()) bring_back(address, found->second, copy);
  if (!peer_.dma_read(address, now)) return false;
  std::memcpy(copy, now.data(), kPage);
  Page& page = pages_[address];
  page.as_fetched = std::move(now);
  page.kept = page.kept || kept;
  return true;
}

void ClientMemory::bring_back(uint64_t address, Page& page, const uint8_t* copy) {
  size_t at = 0;
  while (at < kPage) {
    if (std::memcmp(copy + at, page.as_fetched.data() + at, kGrain) == 0) {
      at += kGrain;
      continue;
    }
    const size_t begin = at;
    while (at < kPage && std::memcmp(copy + at, page.as_fetched.data() + at, kGrain) != 0) {
      at += kGrain;
    }
    std::memcpy(page.as_fetched.data() + begin, copy + begin, at - begin);
    if (!peer_.dma_write(address + begin, {copy + begin, at - begin})) return;
  }
}

void ClientMemory::write_back() {
  const std::lock_guard guard(mutex_);
  for (const bool kept : {false, true}) {
    for (auto entry = pages_.begin(); entry != pages_.end();) {
      auto& [address, page] = *entry;
      if (page.kept != kept) {
        ++entry;
        continue;
      }
      const auto& [begin, map] = *std::prev(maps_.upper_bound(address));
      uint8_t* const copy = map.copy + (address - begin);
      bring_back(address, page, copy);
      if (kept) {
        ++entry;
        continue;
      }
      madvise(copy, kPage, MADV_DONTNEED);
      entry = pages_.erase(entry);
    }
  }
}

}  // namespace pynvme::ssd
