// Numbers and flags out of a small JSON text of a peer that may be hostile: the capabilities of
// vfio-user are all that is needed, so this reads what it is asked for and checks that the rest is
// JSON. No strings, arrays or fractions come out of it. (A library would bring a build dependency
// into every wheel for a dozen integers.)
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace pynvme::base {

// Integers (0 or more) and booleans (0, 1) by their path: "capabilities.max_msg_fds". Members of
// other types are checked and left out; so are numbers that are negative, fractions or beyond 64
// bits. Nothing when the text is no JSON object, or nests deeper than 16.
std::optional<std::map<std::string, uint64_t, std::less<>>> json_numbers(std::string_view text);

}  // namespace pynvme::base
