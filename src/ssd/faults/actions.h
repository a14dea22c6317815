// The table of actions: name, point, the commands each can act on, and its keys. A new action is a
// row here and the code that carries it out.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "ssd/faults/fault.h"

namespace pynvme::ssd {

// Commands an action can act on.
enum class FaultScope : uint8_t {
  kData,   // Read and Write; which, says the key `where` or the match
  kRead,   // Read
  kWrite,  // Write
  kAny,    // every command
  kSanitize,
};

struct FaultKey {
  std::string_view name;
  int64_t low;
  int64_t high;
  bool relative;          // "+n" and "-n" are possible
  std::string_view help;  // for the documentation
};

struct FaultActionInfo {
  FaultAction action;
  std::string_view name;
  FaultPoint point;
  FaultScope scope;
  std::string_view by_default;  // opcodes when the match names none, as a match would name them
  bool has_where;
  std::span<const FaultKey> keys;
  std::string_view help;
};

std::span<const FaultActionInfo> fault_actions();

// Keys of a match, for the documentation.
struct FaultMatchKey {
  std::string_view name;
  std::string_view values;
  std::string_view help;
};
std::span<const FaultMatchKey> fault_match_keys();

}  // namespace pynvme::ssd
