// Finite-field Diffie-Hellman in the groups of RFC 7919, by OpenSSL. Values are big-endian and as
// long as the group's prime.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/crypto.h"
#include "base/secret.h"

namespace pynvme::base {

enum class DhGroup : uint8_t { kFfdhe2048, kFfdhe3072, kFfdhe4096, kFfdhe6144, kFfdhe8192 };

size_t dh_bytes(DhGroup group) noexcept;

// One side's secret exponent, made anew for each exchange.
class DhKey {
 public:
  // Throws CryptoError.
  explicit DhKey(DhGroup group);
  ~DhKey();
  DhKey(DhKey&&) noexcept;
  DhKey& operator=(DhKey&&) noexcept;

  DhGroup group() const noexcept;
  const std::vector<uint8_t>& public_value() const noexcept;
  // What both sides have afterwards. Nothing, where the other side's value is none of the group's:
  // of another length, 0, 1, or the prime less 1 and above.
  std::optional<Secret> shared(std::span<const uint8_t> other) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace pynvme::base
