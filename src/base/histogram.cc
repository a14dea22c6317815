#include "base/histogram.h"

#include <algorithm>
#include <cmath>
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
  const double exact = std::ceil(static_cast<double>(n) * std::clamp(percent, 0.0, 100.0) / 100.0);
  const uint64_t rank = std::clamp<uint64_t>(static_cast<uint64_t>(exact), 1, n);
  uint64_t seen = 0;
  for (uint32_t i = 0; i < kBuckets; ++i) {
    seen += counts_[i];
    if (seen < rank) continue;
    const double middle =
        static_cast<double>(lowest_of(i)) + static_cast<double>(width_of(i) - 1) / 2.0;
    return std::clamp(middle, static_cast<double>(min_), static_cast<double>(max_));
  }
  return static_cast<double>(max_);
}

}  // namespace pynvme::base
