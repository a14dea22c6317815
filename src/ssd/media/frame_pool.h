// The 4 KiB frames that hold the media's data: handed out densely from the start, freed ones again
// first, the latest first (it is warm). The memory comes from a FrameStore in 2 MiB chunks: huge
// pages here, a file in media_file.h. Thread safe; who owns a frame is for the callers to know.
#pragma once

#include <cstdint>
#include <vector>

#include "base/spinlock.h"
#include "ssd/media/sparse_memory.h"

namespace pynvme::ssd {

// Where frames lie: frame n at base() + n * 4096.
class FrameStore {
 public:
  static constexpr uint64_t kFrameBytes = 4096;
  static constexpr uint64_t kChunkFrames = (2 << 20) / kFrameBytes;

  virtual ~FrameStore() = default;
  virtual uint8_t* base() const = 0;
  virtual uint64_t max_frames() const = 0;  // a multiple of kChunkFrames
  // Makes `frames` frames usable, a multiple of kChunkFrames. Throws std::runtime_error when there
  // is no more memory or disk.
  virtual void grow(uint64_t frames) = 0;
  // Gives all frames back.
  virtual void shrink() = 0;
};

// Anonymous memory, transparent huge pages where the machine has them.
class MemoryFrames final : public FrameStore {
 public:
  using Available = uint64_t (*)();
  // `available`: how many bytes of memory the machine has left.
  MemoryFrames(uint64_t max_frames, Available available);

  uint8_t* base() const override { return base_; }
  uint64_t max_frames() const override { return max_frames_; }
  void grow(uint64_t frames) override;
  void shrink() override;

 private:
  uint64_t max_frames_;
  SparseMemory memory_;
  uint8_t* base_;
  Available available_;
  uint64_t usable_bytes_ = 0;
  uint64_t checked_bytes_ = 0;
};

class FramePool {
 public:
  // used: the frames that the map of a reopened file names, by index; frame 0 is never handed out.
  FramePool(FrameStore& store, const std::vector<bool>& used);

  uint8_t* data(uint32_t frame) const { return base_ + frame * FrameStore::kFrameBytes; }

  // Throws std::runtime_error.
  uint32_t allocate();
  void free(uint32_t frame);
  // Gives the memory back if no frame is in use.
  void shrink();

 private:
  FrameStore& store_;
  uint8_t* base_;
  base::SpinLock lock_;
  uint64_t next_ = 1;    // frames from here on were never handed out
  uint64_t usable_ = 0;  // what the store has made usable
  uint64_t free_count_ = 0;
  SparseArray<uint32_t> free_;  // a stack
};

}  // namespace pynvme::ssd
