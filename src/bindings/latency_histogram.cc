// nvme._core.LatencyHistogram. Its counts and bounds are numpy arrays of the memory they lie in.
#include "bindings/latency_histogram.h"

#include <array>
#include <string>

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include "bindings/bind.h"
#include "bindings/errors.h"

namespace nb = nanobind;
using namespace nb::literals;  // NOLINT(google-build-using-namespace): argument names

namespace pynvme::bindings {
namespace {

using base::Histogram;
using Counts = nb::ndarray<nb::numpy, const uint64_t, nb::ndim<1>>;

double us(uint64_t ns) { return static_cast<double>(ns) / 1000; }

const uint64_t* bounds() {
  static const auto kBounds = [] {
    std::array<uint64_t, Histogram::kBuckets> lowest{};
    for (uint32_t i = 0; i < Histogram::kBuckets; ++i) lowest[i] = Histogram::lowest_of(i);
    return lowest;
  }();
  return kBounds.data();
}

double percentile_us(const LatencyHistogram& self, double percent) {
  if (!(percent >= 0 && percent <= 100)) {
    throw_argument_error("percent = " + std::to_string(percent) + " is not in 0..100");
  }
  return self.histogram.percentile(percent) / 1000;
}

}  // namespace

void bind_latency_histogram(nb::module_& m) {
  nb::class_<LatencyHistogram>(
      m, "LatencyHistogram",
      R"(Latencies of any length, to better than 1 %: what Histogram is made of.)")
      .def(
          "__init__",
          [](LatencyHistogram* self, const LatencyHistogram& other) {
            new (self) LatencyHistogram(other);
          },
          "other"_a)
      .def_prop_ro(
          "count", [](const LatencyHistogram& self) { return self.histogram.count(); },
          "How many there are.")
      .def_prop_ro(
          "min_us", [](const LatencyHistogram& self) { return us(self.histogram.min()); },
          "The shortest, exact, in microseconds; 0 without any.")
      .def_prop_ro(
          "max_us", [](const LatencyHistogram& self) { return us(self.histogram.max()); },
          "The longest, exact, in microseconds; 0 without any.")
      .def_prop_ro(
          "average_us", [](const LatencyHistogram& self) { return self.histogram.mean() / 1000; },
          "The average, exact, in microseconds; 0 without any.")
      .def("percentile_us", percentile_us, "percent"_a,
           "Microseconds that `percent` per cent (0 to 100) of all stay below or at.")
      .def_prop_ro(
          "counts",
          [](const LatencyHistogram& self) {
            return Counts(self.histogram.counts().data(), {Histogram::kBuckets});
          },
          nb::rv_policy::reference_internal,
          "A numpy array, not a copy: how many fell into each bucket.")
      .def_prop_ro(
          "bounds_ns",
          [](const LatencyHistogram&) { return Counts(bounds(), {Histogram::kBuckets}); },
          nb::rv_policy::reference_internal,
          "A numpy array: the lowest number of nanoseconds of each bucket.")
      .def(
          "merge",
          [](LatencyHistogram& self, const LatencyHistogram& other) {
            self.histogram.merge(other.histogram);
          },
          "other"_a, "Add all of another one.");
}

}  // namespace pynvme::bindings
