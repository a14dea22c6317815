// The fields of a command by the specification's names, for the text and the export of the command
// log: what each opcode's dwords are called and hold.
#pragma once

#include <cstdint>
#include <vector>

#include "spec/command.h"

namespace pynvme::driver {

struct NamedField {
  const char* name;  // as the specification has it, in lower case
  uint64_t value;    // 0's based fields as what they mean: nlb 8 is eight blocks
  bool hex;          // how a reader wants it
  bool telling;      // worth a place in a line of text although it is 0
};

// All fields of the opcode; of sqid 0 by the admin command set, else by the I/O command sets.
// Dwords that are not zero outside of their fields come as "cdw12" and the like, in whole.
std::vector<NamedField> command_fields(const spec::Sqe& sqe, uint16_t sqid);

// What a Log Page Identifier or a Feature Identifier stands for; "" for those that nobody named.
const char* log_page_name(uint8_t lid);
const char* feature_name(uint8_t fid);

}  // namespace pynvme::driver
