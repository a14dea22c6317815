// Logged commands and completions as text with field names, for people.
#pragma once

#include <string>

#include "driver/cmdlog.h"
#include "spec/command.h"

namespace pynvme::driver {

// "Read (02h) sqid:1 cid:3 nsid:1 slba:0x8 nlb:8 prp1:0x100000000": the opcode's fields by their
// names (cmdlog_fields.h), those that are zero left out.
std::string command_text(const spec::Sqe& sqe, uint16_t sqid);

// "Successful Completion (00/00) sqid:1 cid:3 cdw0:0x0 sqhd:4 p:1 m:0 dnr:0"
std::string completion_text(const spec::Cqe& cqe);

// Both, with the latency: "... -> ... (12.345 us)", "... -> outstanding".
std::string logged_text(const LoggedCommand& command);

}  // namespace pynvme::driver
