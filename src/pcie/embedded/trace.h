// The trace of an embedded SSD for those who know only the function: what the device itself saw.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "pcie/function.h"
#include "ssd/frontend/trace.h"

namespace pynvme::pcie {

using DeviceEvent = ssd::TraceEvent;
using DeviceEventKind = ssd::TraceKind;

// The newest `count` events, 0 for all that it keeps; nothing when the function is no embedded SSD
// that keeps any.
std::optional<std::vector<DeviceEvent>> device_trace(const Function& function, size_t count);

}  // namespace pynvme::pcie
