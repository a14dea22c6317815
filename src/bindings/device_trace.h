// The trace of an embedded SSD as a list of dicts.
#pragma once

#include <vector>

#include <nanobind/nanobind.h>

#include "pcie/embedded/trace.h"

namespace pynvme::bindings {

nanobind::object trace_records(const std::vector<pcie::DeviceEvent>& events);

}  // namespace pynvme::bindings
