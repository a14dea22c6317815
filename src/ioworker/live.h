// The figures of a worker that is still at work, for readers in other threads. One writer publishes
// every few milliseconds and never waits; a reader takes a copy that belongs together (a sequence
// lock). Not for the hot loop, and no place for histograms.
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <thread>

namespace pynvme::ioworker {

struct LiveFigures {
  uint64_t running = 0;  // or 1
  uint64_t elapsed_ns = 0;
  uint64_t io_count_read = 0;
  uint64_t io_count_nonread = 0;
  uint64_t io_count_write = 0;
  uint64_t outstanding = 0;
  uint64_t last_second = 0;  // IOs sent in the last full second; in the first one: so far
  uint64_t latency_min_ns = 0;
  uint64_t latency_sum_ns = 0;
  uint64_t latency_max_ns = 0;
  uint64_t poll_gap_max_ns = 0;
};

class Live {
 public:
  void publish(const LiveFigures& figures) noexcept {
    const auto words = std::bit_cast<Words>(figures);
    const uint64_t version = version_.load(std::memory_order_relaxed);
    // Every store is a release, so that a reader of a new word also sees the odd version.
    version_.store(version + 1, std::memory_order_release);
    for (size_t i = 0; i < words.size(); ++i) words_[i].store(words[i], std::memory_order_release);
    version_.store(version + 2, std::memory_order_release);
  }

  LiveFigures read() const noexcept {
    for (;;) {
      Words words;
      const uint64_t version = version_.load(std::memory_order_acquire);
      for (size_t i = 0; i < words.size(); ++i)
        words[i] = words_[i].load(std::memory_order_acquire);
      if (version % 2 == 0 && version_.load(std::memory_order_relaxed) == version)
        return std::bit_cast<LiveFigures>(words);
      std::this_thread::yield();
    }
  }

 private:
  using Words = std::array<uint64_t, sizeof(LiveFigures) / sizeof(uint64_t)>;

  std::atomic<uint64_t> version_{0};
  std::array<std::atomic<uint64_t>, Words().size()> words_{};
};

}  // namespace pynvme::ioworker
