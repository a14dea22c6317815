// nvme._core.LatencyHistogram: a base::Histogram of nanoseconds for scripts.
#pragma once

#include <utility>

#include "base/histogram.h"

namespace pynvme::bindings {

struct LatencyHistogram {
  explicit LatencyHistogram(base::Histogram h) : histogram(std::move(h)) {}
  base::Histogram histogram;
};

}  // namespace pynvme::bindings
