// Secrets of DH-HMAC-CHAP in the form in which they are given to hosts and controllers, and what is
// computed with them (NVMe Base 2.0 §8.13.5). Knows no message and no side.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/crypto.h"
#include "base/secret.h"

namespace pynvme::base {

// "DHHC-1:01:...:": a key, and the hash by which it is transformed before it is used.
struct DhchapSecret {
  std::optional<Hash> transform{};  // nothing (00): it is used as it is
  Secret key{};                     // 32, 48 or 64 bytes

  bool empty() const { return key.empty(); }
};

// Throws std::invalid_argument with what is wrong, and nothing of the secret.
DhchapSecret parse_dhchap_secret(std::string_view text);
std::string dhchap_secret_text(const DhchapSecret& secret);

// nqn: of whom the secret authenticates. All of these throw CryptoError.
Secret transformed_key(const DhchapSecret& secret, std::string_view nqn);
// shared: of Diffie-Hellman.
Secret augmented_challenge(Hash hash, std::span<const uint8_t> shared,
                           std::span<const uint8_t> challenge);

struct DhchapResponse {
  std::span<const uint8_t> challenge;  // augmented, where there was Diffie-Hellman
  uint32_t seqnum;
  uint16_t t_id;
  uint8_t sc_c;
  std::string_view hostnqn;
  std::string_view subnqn;

  Secret of_host(Hash hash, std::span<const uint8_t> key) const;
  Secret of_controller(Hash hash, std::span<const uint8_t> key) const;

 private:
  Secret make(Hash hash, std::span<const uint8_t> key, std::string_view who, std::string_view first,
              std::string_view second) const;
};

}  // namespace pynvme::base
