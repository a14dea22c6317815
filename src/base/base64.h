// Base64 (RFC 4648 §4), as keys are written: with padding, without line breaks, and in one way
// only.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/secret.h"

namespace pynvme::base {

std::string base64(std::span<const uint8_t> bytes);

// Nothing, where the text is not what base64() makes of some bytes.
std::optional<Secret> from_base64(std::string_view text);

}  // namespace pynvme::base
