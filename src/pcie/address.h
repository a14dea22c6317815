// The one parser of device names: "sim:capacity=1GB", "01:00.0", "10.0.0.1:4420",
// "unix:/run/ssd.sock". Says what a name means; whether such a device exists and can be opened is
// the bus's business.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace pynvme::pcie {

// The text names what was given and which forms exist.
class AddressError : public std::invalid_argument {
 public:
  using std::invalid_argument::invalid_argument;
};

struct Address {
  enum class Kind : uint8_t { kEmbedded, kPci, kTcp, kSocket };

  Kind kind = Kind::kEmbedded;
  // Normalised: "sim:lba=4096", "0000:01:00.0", "10.0.0.1:4420", "unix:/run/s"; without secrets.
  std::string name{};
  std::string options{};  // kEmbedded: after "sim:"; kTcp: the NQN, if one was named
  std::string host{};     // kTcp
  uint16_t port = 0;      // kTcp
  // kTcp: what follows the address, in its order: {"nqn", "..."}.
  std::vector<std::pair<std::string, std::string>> parameters{};
  std::string path{};  // kSocket
};

// The text with "..." where it has secrets of NVMe/TCP, for errors and logs.
std::string without_secrets(std::string_view text);

// An empty name is "sim".
Address parse_address(std::string_view text);

}  // namespace pynvme::pcie
