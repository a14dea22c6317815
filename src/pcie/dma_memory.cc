// Arenas and the page allocator in them. Device addresses grow upwards from 4 GiB and are never
// used twice, so that a stale address in a device hits nothing that lives; between two arenas lies
// a gap that no device can reach, so that running over an arena's end is noticed.
#include "pcie/dma_memory.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>
#include <mutex>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "pcie/function.h"
#include "pcie/huge_pages.h"

namespace pynvme::pcie {
namespace {

constexpr uint64_t kFirstIova = 4ULL << 30;
constexpr uint64_t kIovaGap = 2ULL << 20;
constexpr size_t kFirstArena = 16ULL << 20;
constexpr size_t kLargestStep = 256ULL << 20;
constexpr size_t kHugePage = 2ULL << 20;

class OutOfDmaMemory : public std::bad_alloc {
 public:
  explicit OutOfDmaMemory(std::string text) : text_(std::move(text)) {}
  const char* what() const noexcept override { return text_.c_str(); }

 private:
  std::string text_;
};

constexpr size_t round_up(size_t size, size_t to) { return (size + to - 1) / to * to; }

struct Arena {
  uint8_t* data;
  size_t size;
  uint64_t iova;
  bool physical;                  // the IOVA is the physical address
  std::vector<FilePiece> pieces;  // of which files the memory is made, in order
  std::map<size_t, size_t> free;  // offset -> size; neighbours are merged

  void map(Function& function) const {
    size_t offset = 0;
    for (const FilePiece& piece : pieces) {
      function.dma_map(iova + offset, data + offset, piece.size, piece.fd, piece.offset);
      offset += piece.size;
    }
  }
  void unmap(Function& function) const {
    size_t offset = 0;
    for (const FilePiece& piece : pieces) {
      function.dma_unmap(iova + offset, piece.size);
      offset += piece.size;
    }
  }
};

}  // namespace

struct DmaMemory::Impl {
  std::mutex mutex;
  std::vector<Arena> arenas;
  std::vector<Function*> functions;
  uint64_t next_iova = kFirstIova;
  size_t next_size = kFirstArena;
  // Without an IOMMU, all of it, from the start: memory that a device misunderstands must not
  // exist.
  std::optional<bool> physical;

  void grow(size_t at_least);
  void grow_physical(size_t at_least);
  void grow_virtual(size_t at_least);
  void add(Arena arena);
  DmaBlock take(size_t size);
  void release(uint64_t iova, size_t size);
};

void DmaMemory::Impl::grow(size_t at_least) {
  if (!physical) physical = huge_pages_wanted() && huge_pages_free() != 0;
  *physical ? grow_physical(at_least) : grow_virtual(at_least);
}

void DmaMemory::Impl::grow_physical(size_t at_least) {
  try {
    for (PhysicalRun& run :
         take_huge_pages(std::max(next_size, round_up(at_least, kHugePage)), at_least)) {
      add({run.data, run.size, run.address, true, std::move(run.pieces), {{0, run.size}}});
    }
  } catch (const std::runtime_error& error) {
    throw OutOfDmaMemory(error.what());
  }
}

void DmaMemory::Impl::grow_virtual(size_t at_least) {
  const size_t size = std::max(next_size, round_up(at_least, kHugePage));
  const auto fail = [size](const char* step) -> OutOfDmaMemory {
    return OutOfDmaMemory("no DMA memory: " + std::string(step) + " of " + std::to_string(size) +
                          " bytes failed (" + std::strerror(errno) + ")");
  };
  const int fd = memfd_create("pynvme-dma", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (fd < 0) throw fail("memfd_create");
  if (ftruncate(fd, static_cast<off_t>(size)) != 0) {
    const auto error = fail("ftruncate");
    close(fd);
    throw error;
  }
  // A device model in another process gets it, too, and shall not take pages away under our hands.
  fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
  void* data = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (data == MAP_FAILED) {
    const auto error = fail("mmap");
    close(fd);
    throw error;
  }
  // Only a wish: it needs shmem_enabled=advise, and without it all works the same.
  madvise(data, size, MADV_HUGEPAGE);
  try {
    add({static_cast<uint8_t*>(data), size, next_iova, false, {{fd, 0, size}}, {{0, size}}});
  } catch (...) {
    munmap(data, size);
    close(fd);
    throw;
  }
  next_iova += size + kIovaGap;
  next_size = std::min(next_size * 2, kLargestStep);
}

void DmaMemory::Impl::add(Arena arena) {
  size_t mapped = 0;
  try {
    for (; mapped < functions.size(); ++mapped) arena.map(*functions[mapped]);
    arenas.push_back(std::move(arena));
  } catch (const std::exception& error) {
    // The last one may have a part of it.
    for (size_t i = 0; i <= mapped && i < functions.size(); ++i) arena.unmap(*functions[i]);
    throw OutOfDmaMemory("no DMA memory: " + std::string(error.what()));
  }
}

DmaBlock DmaMemory::Impl::take(size_t size) {
  // Best fit over all arenas; requests are rare beside their use, and free pieces few.
  Arena* best_arena = nullptr;
  std::map<size_t, size_t>::iterator best;
  const auto look = [&] {
    for (auto& arena : arenas) {
      for (auto piece = arena.free.begin(); piece != arena.free.end(); ++piece) {
        if (piece->second < size) continue;
        if (best_arena != nullptr && best->second <= piece->second) continue;
        best_arena = &arena;
        best = piece;
      }
    }
  };
  look();
  if (best_arena == nullptr) {
    grow(size);
    look();
  }
  const size_t offset = best->first;
  const size_t left = best->second - size;
  best_arena->free.erase(best);
  if (left != 0) best_arena->free.emplace(offset + size, left);
  DmaBlock block;
  block.data_ = best_arena->data + offset;
  block.size_ = size;
  block.iova_ = best_arena->iova + offset;
  return block;
}

void DmaMemory::Impl::release(uint64_t iova, size_t size) {
  for (auto& arena : arenas) {
    if (iova < arena.iova || iova >= arena.iova + arena.size) continue;
    auto piece = arena.free.emplace(iova - arena.iova, size).first;
    const auto next = std::next(piece);
    if (next != arena.free.end() && piece->first + piece->second == next->first) {
      piece->second += next->second;
      arena.free.erase(next);
    }
    if (piece != arena.free.begin()) {
      const auto previous = std::prev(piece);
      if (previous->first + previous->second == piece->first) {
        previous->second += piece->second;
        arena.free.erase(piece);
      }
    }
    return;
  }
}

DmaMemory::DmaMemory() : impl_(std::make_unique<Impl>()) {}

DmaMemory& DmaMemory::instance() {
  // Never destroyed: blocks in static objects may be freed after it otherwise.
  static auto* memory = new DmaMemory();
  return *memory;
}

DmaBlock DmaMemory::allocate(size_t size) {
  if (size > SIZE_MAX - kHugePage) {
    throw OutOfDmaMemory("no DMA memory: " + std::to_string(size) +
                         " bytes are more than there is");
  }
  const size_t bytes = std::max(round_up(size, kPageSize), kPageSize);
  DmaBlock block;
  {
    const std::lock_guard guard(impl_->mutex);
    block = impl_->take(bytes);
  }
  std::memset(block.data(), 0, bytes);
  return block;
}

void DmaMemory::attach(Function& function) {
  const std::lock_guard guard(impl_->mutex);
  if (function.physical_addresses()) {
    if (!impl_->physical) impl_->physical = huge_pages_wanted() && huge_pages_free() != 0;
    if (!*impl_->physical) {
      throw std::runtime_error(function.name() + " has no IOMMU, and " + huge_pages_missing());
    }
  }
  impl_->functions.push_back(&function);
  for (const auto& arena : impl_->arenas) arena.map(function);
}

void DmaMemory::detach(Function& function) {
  const std::lock_guard guard(impl_->mutex);
  if (std::erase(impl_->functions, &function) == 0) return;
  for (const auto& arena : impl_->arenas) arena.unmap(function);
}

DmaBlock::~DmaBlock() {
  if (data_ == nullptr) return;
  auto& memory = *DmaMemory::instance().impl_;
  const std::lock_guard guard(memory.mutex);
  memory.release(iova_, size_);
}

DmaBlock::DmaBlock(DmaBlock&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)),
      iova_(std::exchange(other.iova_, 0)) {}

DmaBlock& DmaBlock::operator=(DmaBlock&& other) noexcept {
  if (this != &other) {
    DmaBlock old(std::move(*this));
    data_ = std::exchange(other.data_, nullptr);
    size_ = std::exchange(other.size_, 0);
    iova_ = std::exchange(other.iova_, 0);
  }
  return *this;
}

}  // namespace pynvme::pcie
