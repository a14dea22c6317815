#include "ssd/media/frame_pool.h"

#include <sys/mman.h>

#include <cerrno>
#include <mutex>
#include <stdexcept>
#include <string>
#include <system_error>

namespace pynvme::ssd {
namespace {

constexpr uint64_t kChunkBytes = FrameStore::kChunkFrames * FrameStore::kFrameBytes;
// Asking how much memory is left takes tens of microseconds, so it is done once for several chunks.
constexpr uint64_t kCheckBytes = 32ULL << 20;
// Left to the rest of the machine.
constexpr uint64_t kReserveBytes = 128ULL << 20;

[[noreturn]] void out_of_memory(uint64_t stored_bytes, const std::string& why) {
  throw std::runtime_error(
      "the embedded SSD cannot store more: " + std::to_string(stored_bytes >> 20) +
      " MiB of media are in memory and " + why +
      "; write less, deallocate or format, choose a smaller capacity, or keep "
      "the media in a file (file=PATH)");
}

}  // namespace

MemoryFrames::MemoryFrames(uint64_t max_frames, Available available)
    : max_frames_(max_frames),
      memory_(max_frames * kFrameBytes + 2 * kChunkBytes, SparseMemory::Access::kNone, "the media"),
      available_(available) {
  const uint64_t misalignment = reinterpret_cast<uintptr_t>(memory_.data()) % kChunkBytes;
  base_ = memory_.data() + (misalignment == 0 ? 0 : kChunkBytes - misalignment);
  // Without huge pages it works as well, only slower.
  static_cast<void>(madvise(base_, max_frames * kFrameBytes, MADV_HUGEPAGE));
}

void MemoryFrames::grow(uint64_t frames) {
  const uint64_t bytes = frames * kFrameBytes;
  if (bytes > checked_bytes_) {
    const uint64_t available = available_();
    if (available < kCheckBytes + kReserveBytes) {
      out_of_memory(usable_bytes_,
                    "this machine has only " + std::to_string(available >> 20) + " MiB left");
    }
    checked_bytes_ = bytes - kChunkBytes + kCheckBytes;
  }
  if (mprotect(base_ + usable_bytes_, bytes - usable_bytes_, PROT_READ | PROT_WRITE) != 0) {
    out_of_memory(usable_bytes_,
                  "the kernel gives no more: " + std::generic_category().message(errno));
  }
  usable_bytes_ = bytes;
}

void MemoryFrames::shrink() {
  if (usable_bytes_ == 0) return;
  madvise(base_, usable_bytes_, MADV_DONTNEED);
  mprotect(base_, usable_bytes_, PROT_NONE);
  usable_bytes_ = 0;
  checked_bytes_ = 0;
}

FramePool::FramePool(FrameStore& store, const std::vector<bool>& used)
    : store_(store), base_(store.base()), free_(store.max_frames(), "the list of free frames") {
  if (used.empty()) return;
  next_ = used.size();
  usable_ =
      (next_ + FrameStore::kChunkFrames - 1) / FrameStore::kChunkFrames * FrameStore::kChunkFrames;
  store_.grow(usable_);
  // Low frames on top of the stack, so that the file stays dense.
  for (uint64_t frame = next_ - 1; frame > 0; --frame) {
    if (!used[frame]) free_[free_count_++] = static_cast<uint32_t>(frame);
  }
}

uint32_t FramePool::allocate() {
  const std::lock_guard guard(lock_);
  if (free_count_ != 0) return free_[--free_count_];
  if (next_ >= usable_) {
    if (usable_ + FrameStore::kChunkFrames > store_.max_frames()) {
      throw std::runtime_error("the embedded SSD ran out of frames: too many writes at one time");
    }
    store_.grow(usable_ + FrameStore::kChunkFrames);
    usable_ += FrameStore::kChunkFrames;
  }
  return static_cast<uint32_t>(next_++);
}

void FramePool::free(uint32_t frame) {
  const std::lock_guard guard(lock_);
  free_[free_count_++] = frame;
}

void FramePool::shrink() {
  const std::lock_guard guard(lock_);
  if (free_count_ != next_ - 1) return;
  store_.shrink();
  next_ = 1;
  usable_ = 0;
  free_count_ = 0;
}

}  // namespace pynvme::ssd
