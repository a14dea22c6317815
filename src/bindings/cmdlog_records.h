// Commands and completions as dicts, with the keys that nvme.cmdlog documents: for the command log
// and for the trace of a device.
#pragma once

#include <cstdint>
#include <vector>

#include <nanobind/nanobind.h>

#include "driver/cmdlog.h"
#include "driver/controller.h"
#include "spec/command.h"

namespace pynvme::bindings {

nanobind::dict command_of(const spec::Sqe& sqe, uint16_t sqid);
void add_completion(nanobind::dict& out, const spec::Cqe& cqe);

// Commands with their completions, times and text; with `driver`, of a fabric their PDUs too.
nanobind::list cmdlog_records(const std::vector<driver::LoggedCommand>& commands,
                              driver::Controller* driver = nullptr);

}  // namespace pynvme::bindings
