// Log-linear histogram of latencies in nanoseconds: 128 linear buckets per power of two (error
// below 0.8 %), the full 64-bit range, one increment per record. Reading it costs time; recording
// does not.
#pragma once

#include <bit>
#include <cstdint>
#include <vector>

namespace pynvme::base {

class Histogram {
 public:
  static constexpr unsigned kSubBits = 7;
  static constexpr uint32_t kSub = 1U << kSubBits;
  static constexpr uint32_t kBuckets = (64 - kSubBits + 1) * kSub;

  Histogram() : counts_(kBuckets, 0) {}

  static constexpr uint32_t bucket_of(uint64_t value) noexcept {
    if (value < kSub) return static_cast<uint32_t>(value);
    const unsigned shift = static_cast<unsigned>(std::bit_width(value)) - kSubBits - 1;
    return (shift + 1) * kSub + static_cast<uint32_t>((value >> shift) & (kSub - 1));
  }
  // Smallest value that falls into the bucket, and how many values share it.
  static constexpr uint64_t lowest_of(uint32_t bucket) noexcept {
    const uint32_t group = bucket / kSub;
    if (group == 0) return bucket;
    return (static_cast<uint64_t>(kSub) + bucket % kSub) << (group - 1);
  }
  static constexpr uint64_t width_of(uint32_t bucket) noexcept {
    const uint32_t group = bucket / kSub;
    return group == 0 ? 1 : 1ULL << (group - 1);
  }

  void record(uint64_t value) noexcept {
    ++counts_[bucket_of(value)];
    sum_ += value;
    if (value > max_) max_ = value;
    if (value < min_) min_ = value;
  }

  void merge(const Histogram& other);
  void clear();

  uint64_t count() const;
  uint64_t sum() const { return sum_; }
  uint64_t min() const { return min_ == UINT64_MAX ? 0 : min_; }
  uint64_t max() const { return max_; }
  double mean() const;
  // The value below or at which `percent` per cent of the records lie, interpolated within its
  // bucket, never outside what was recorded; 0 when nothing was.
  double percentile(double percent) const;
  const std::vector<uint64_t>& counts() const { return counts_; }

 private:
  std::vector<uint64_t> counts_;
  uint64_t sum_ = 0;
  uint64_t min_ = UINT64_MAX;
  uint64_t max_ = 0;
};

}  // namespace pynvme::base
