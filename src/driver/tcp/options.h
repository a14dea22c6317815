// What a TCP address and the environment say about a connection: target, host names, digests,
// sizes. docs/tcp.md lists the keys.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "base/dhchap.h"
#include "base/tls/psk.h"
#include "pcie/address.h"
#include "spec/auth.h"

namespace pynvme::driver::tcp {

// The key of a target's connections, and what is known of the target's view of it.
struct TlsKey {
  explicit TlsKey(base::tls::PreSharedKey psk) : key(std::move(psk)) {}

  const base::tls::PreSharedKey key;
  std::atomic<size_t> agreed{0};  // which of its identities the target took last
};

struct Options {
  std::string name;  // as errors call the target: address and options, without secrets
  std::string host;
  uint16_t port = 0;
  std::string subnqn;  // empty: the one that discovery finds
  std::string hostnqn;
  std::array<uint8_t, 16> hostid{};
  bool header_digest = false;
  bool data_digest = false;
  uint32_t kato_ms = 5000;               // 0: no Keep Alive
  uint32_t max_r2t = 4;                  // outstanding R2Ts of one command that we take
  uint32_t hpda_bytes = 4;               // alignment of the data that we receive
  uint32_t in_capsule_max = UINT32_MAX;  // bytes; 0: every write waits for an R2T
  uint32_t admin_entries = 128;
  uint32_t answer_ms = 5000;                        // for connecting, and for each step of it
  base::DhchapSecret dhchap_secret;                 // empty: none
  base::DhchapSecret dhchap_ctrl_secret;            // empty: the controller need not prove itself
  std::optional<spec::auth::HashId> dhchap_hash;    // the only one that is offered
  std::optional<spec::auth::GroupId> dhchap_group;  // the same
  std::shared_ptr<TlsKey> tls;                      // null: no TLS
};

// Throws pcie::AddressError.
Options make_options(const pcie::Address& address);

// "2cd1c40d-..." of 16 bytes in the order in which they are sent, and back (false: no UUID).
std::string uuid_text(const std::array<uint8_t, 16>& bytes);
bool parse_uuid(const std::string& text, std::array<uint8_t, 16>* bytes);

}  // namespace pynvme::driver::tcp
