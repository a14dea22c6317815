// Commands and completions as dicts, with the keys that nvme.cmdlog documents: for the command log
// and for the trace of a device.
#pragma once

#include <cstdint>

#include <nanobind/nanobind.h>

#include "spec/command.h"

namespace pynvme::bindings {

nanobind::dict command_of(const spec::Sqe& sqe, uint16_t sqid);
void add_completion(nanobind::dict& out, const spec::Cqe& cqe);

}  // namespace pynvme::bindings
