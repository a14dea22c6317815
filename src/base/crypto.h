// Hashes and what is built of them, by OpenSSL: HMAC (RFC 2104), HKDF (RFC 5869) and TLS 1.3's
// HKDF-Expand-Label (RFC 8446 §7.1). A build without OpenSSL has none of it, and says so.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>

#include "base/secret.h"

namespace pynvme::base {

enum class Hash : uint8_t { kSha256, kSha384, kSha512 };

constexpr size_t hash_bytes(Hash hash) noexcept {
  return hash == Hash::kSha256 ? 32 : hash == Hash::kSha384 ? 48 : 64;
}

// Built without OpenSSL, or OpenSSL refused.
class CryptoError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

bool has_crypto() noexcept;
// Throws CryptoError with what to install, where this build has no OpenSSL: "TLS needs OpenSSL
// ...".
void require_crypto(const std::string& what);

// All of these throw CryptoError.
Secret digest(Hash hash, std::span<const uint8_t> data);
Secret hmac(Hash hash, std::span<const uint8_t> key, std::span<const uint8_t> data);
Secret hkdf_extract(Hash hash, std::span<const uint8_t> salt, std::span<const uint8_t> key);
Secret hkdf_expand(Hash hash, std::span<const uint8_t> prk, std::span<const uint8_t> info,
                   size_t bytes);
// The label without "tls13 ".
Secret hkdf_expand_label(Hash hash, std::span<const uint8_t> prk, std::string_view label,
                         std::span<const uint8_t> context, size_t bytes);

inline std::span<const uint8_t> bytes_of(std::string_view text) noexcept {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

}  // namespace pynvme::base
