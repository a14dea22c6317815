// Pre-shared keys of NVMe/TCP with TLS (NVMe TCP Transport 1.1 §3.6.1): the text in which they are
// exchanged, what both sides derive of one, and what they call that. The handshake is channel.h's.
#pragma once

#include <cstdint>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "base/crypto.h"
#include "base/secret.h"

namespace pynvme::base::tls {

// No key, or one that says of itself that it is not right. The text never has the key.
class KeyError : public std::invalid_argument {
 public:
  using std::invalid_argument::invalid_argument;
};

// A configured PSK.
struct PreSharedKey {
  Secret bytes;               // 32 or 48
  bool retained = false;      // used as it is (hash 00h)
  Hash hash = Hash::kSha256;  // of everything that is derived of it
};

// "NVMeTLSkey-1:01:<Base64 of the key and its CRC-32>:". Throws KeyError.
PreSharedKey parse_key(std::string_view text);
// The same of a file's first line, or of the text itself where it begins as keys do. Throws
// KeyError.
PreSharedKey load_key(const std::string& text_or_path);

// What one side offers and the other looks for: the name goes over the wire, the key does not.
struct Identity {
  std::string name;  // "NVMe1R01 <host NQN> <subsystem NQN> <digest>"
  Secret psk;        // the TLS PSK
  Hash hash = Hash::kSha256;
};

// All that a key is known as between a host and a subsystem, what is preferred first: with a digest
// (version 1) before without (version 0), and each as the specification derives it before the way
// of libnvme up to 1.14, which forgot the lengths in HKDF-Expand-Label's structure.
std::vector<Identity> identities(const PreSharedKey& key, std::string_view hostnqn,
                                 std::string_view subnqn);

// The NQNs in an identity's name; empty, where it is none.
struct Names {
  std::string hostnqn;
  std::string subnqn;
};
Names names_in(std::string_view identity);

}  // namespace pynvme::base::tls
