#include "base/histogram.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace pynvme::base {

void Histogram::merge(const Histogram& other) {
  for (uint32_t i = 0; i < kBuckets; ++i) counts_[i] += other.counts_[i];
  sum_ += other.sum_;
  min_ = std::min(min_, other.min_);
  max_ = std::max(max_, other.max_);
}

void Histogram::clear() { *this = Histogram(); }

uint64_t Histogram::count() const {
  return std::accumulate(counts_.begin(), counts_.end(), uint64_t{0});
}

double Histogram::mean() const {
  const uint64_t n = count();
  return n == 0 ? 0.0 : static_cast<double>(sum_) / static_cast<double>(n);
}

double Histogram::percentile(double percent) const {
  const uint64_t n = count();
  if (n == 0) return 0.0;
  // 99.9 per cent of 1000 are 999, not 999.0000000000001 and so the 1000th.
  constexpr double kBelow = 1 - 4 * std::numeric_limits<double>::epsilon();
  const double exact = static_cast<double>(n) * std::clamp(percent, 0.0, 100.0) / 100.0;
  const uint64_t rank =
      std::clamp<uint64_t>(static_cast<uint64_t>(std::ceil(exact * kBelow)), 1, n);
  if (rank == n) return static_cast<double>(max_);
  uint64_t seen = 0;
  for (uint32_t i = 0; i < kBuckets; ++i) {
    if (seen + counts_[i] < rank) {
      seen += counts_[i];
      continue;
    }
    // The records of a bucket are taken to lie evenly over it, so that ranks stay in order.
    const auto low = static_cast<double>(std::max(lowest_of(i), min_));
    const auto high = static_cast<double>(std::min(lowest_of(i) + width_of(i) - 1, max_));
    const double share = (static_cast<double>(rank - seen) - 0.5) / static_cast<double>(counts_[i]);
    return low + (high - low) * share;
  }
  return static_cast<double>(max_);
}

}  // namespace pynvme::base
