// Faults from text, "key=value,..." like the configuration of an SSD:
// "opcode=read,lba=8-15,count=1" or "read,lba=8" is a match, "flip:bits=2" an action.
#pragma once

#include <string_view>

#include "ssd/faults/fault.h"

namespace pynvme::ssd {

// Throws std::invalid_argument that names the key, what was given, and what is possible.
Fault parse_fault(std::string_view match, std::string_view action);

}  // namespace pynvme::ssd
