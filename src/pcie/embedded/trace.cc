// Finds the SSD behind the function.
#include "pcie/embedded/trace.h"

#include "pcie/embedded/function.h"

namespace pynvme::pcie {

std::optional<std::vector<DeviceEvent>> device_trace(const Function& function, size_t count) {
  const auto* const embedded = dynamic_cast<const EmbeddedFunction*>(&function);
  if (embedded == nullptr || embedded->device().config().trace_events == 0) return std::nullopt;
  return embedded->device().trace(count);
}

}  // namespace pynvme::pcie
