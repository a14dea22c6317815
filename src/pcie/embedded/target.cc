// Starting a target.
#include "pcie/embedded/target.h"

#include <utility>

#include "base/clock.h"
#include "ssd/config.h"

namespace pynvme::pcie {

std::unique_ptr<TargetServer> start_target(std::string_view ssd, TargetOptions options) {
  auto server = std::make_unique<TargetServer>(ssd::Config::parse(ssd), std::move(options),
                                               base::Clock::real());
  server->start();
  return server;
}

}  // namespace pynvme::pcie
