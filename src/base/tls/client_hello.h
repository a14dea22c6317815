// The pre-shared keys that a ClientHello offers, and which of several keys of one name it means:
// the one that its binder was made with (RFC 8446 §4.2.11.2).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/tls/psk.h"

namespace pynvme::base::tls {

struct Offer {
  std::string_view name;
  std::span<const uint8_t> binder;
};

struct Offers {
  std::vector<Offer> keys;
  size_t binders_bytes = 0;  // the end of the ClientHello that no binder covers
};

// `extension`: the data of pre_shared_key. Nothing, where it is malformed.
std::optional<Offers> parse_offers(std::span<const uint8_t> extension);

// `hello`: the handshake message, with its header, without the binders.
Secret binder_of(const Identity& identity, std::span<const uint8_t> hello);

}  // namespace pynvme::base::tls
