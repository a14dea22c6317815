// The embedded SSD behind NVMe/TCP: what bindings and command line need of the target. No PCI
// function is involved; it is here because this folder alone sees the SSD.
#pragma once

#include <memory>
#include <string_view>

#include "ssd/tcp/options.h"
#include "ssd/tcp/server.h"

namespace pynvme::pcie {

using TargetOptions = ssd::tcp::TargetOptions;
using TargetServer = ssd::tcp::Server;

// ssd: what follows "sim:". It listens when this returns, and serves from then on. Throws
// std::invalid_argument for options, std::runtime_error for an address or a file that cannot be
// used.
std::unique_ptr<TargetServer> start_target(std::string_view ssd, TargetOptions options);

}  // namespace pynvme::pcie
