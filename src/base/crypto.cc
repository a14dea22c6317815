#include "base/crypto.h"

#include <algorithm>

#ifdef PYNVME_HAVE_OPENSSL
#include <openssl/evp.h>
#include <openssl/hmac.h>
#endif

namespace pynvme::base {

void require_crypto(const std::string& what) {
  if (has_crypto()) return;
  throw CryptoError(what +
                    " needs OpenSSL, and this pynvme was built without it: install OpenSSL 3 with "
                    "its headers (Debian and Ubuntu: libssl-dev), and build anew (./pynvme clean, "
                    "or pip install --force-reinstall)");
}

#ifdef PYNVME_HAVE_OPENSSL

namespace {

const EVP_MD* method(Hash hash) {
  return hash == Hash::kSha256 ? EVP_sha256() : hash == Hash::kSha384 ? EVP_sha384() : EVP_sha512();
}

}  // namespace

bool has_crypto() noexcept { return true; }

Secret digest(Hash hash, std::span<const uint8_t> data) {
  Secret out(hash_bytes(hash));
  if (EVP_Digest(data.data(), data.size(), out.data(), nullptr, method(hash), nullptr) != 1) {
    throw CryptoError("OpenSSL has no such hash");
  }
  return out;
}

Secret hmac(Hash hash, std::span<const uint8_t> key, std::span<const uint8_t> data) {
  Secret out(hash_bytes(hash));
  // No key at all is not the same to OpenSSL as one without bytes.
  const uint8_t none = 0;
  const void* const from = key.empty() ? &none : key.data();
  if (HMAC(method(hash), from, static_cast<int>(key.size()), data.data(), data.size(), out.data(),
           nullptr) == nullptr) {
    throw CryptoError("OpenSSL has no such HMAC");
  }
  return out;
}

#else

bool has_crypto() noexcept { return false; }

Secret digest(Hash, std::span<const uint8_t>) {
  require_crypto("a hash");
  return {};
}

Secret hmac(Hash, std::span<const uint8_t>, std::span<const uint8_t>) {
  require_crypto("HMAC");
  return {};
}

#endif

Secret hkdf_extract(Hash hash, std::span<const uint8_t> salt, std::span<const uint8_t> key) {
  // No salt is as many zeros as the hash has bytes, and HMAC fills its key with zeros.
  return hmac(hash, salt, key);
}

Secret hkdf_expand(Hash hash, std::span<const uint8_t> prk, std::span<const uint8_t> info,
                   size_t bytes) {
  if (bytes > 255 * hash_bytes(hash)) throw CryptoError("HKDF-Expand: too many bytes");
  Secret out;
  Secret block;
  for (uint8_t counter = 1; out.size() < bytes; ++counter) {
    block.insert(block.end(), info.begin(), info.end());
    block.push_back(counter);
    block = hmac(hash, prk, block);
    const size_t wanted = std::min(block.size(), bytes - out.size());
    out.insert(out.end(), block.begin(), block.begin() + static_cast<ptrdiff_t>(wanted));
  }
  return out;
}

Secret hkdf_expand_label(Hash hash, std::span<const uint8_t> prk, std::string_view label,
                         std::span<const uint8_t> context, size_t bytes) {
  constexpr std::string_view kPrefix = "tls13 ";
  if (label.size() > 255 - kPrefix.size() || context.size() > 255 || bytes > UINT16_MAX) {
    throw CryptoError("HKDF-Expand-Label: a label or a context of more than 255 bytes");
  }
  Secret info{static_cast<uint8_t>(bytes >> 8), static_cast<uint8_t>(bytes),
              static_cast<uint8_t>(kPrefix.size() + label.size())};
  info.insert(info.end(), kPrefix.begin(), kPrefix.end());
  info.insert(info.end(), label.begin(), label.end());
  info.push_back(static_cast<uint8_t>(context.size()));
  info.insert(info.end(), context.begin(), context.end());
  return hkdf_expand(hash, prk, info, bytes);
}

}  // namespace pynvme::base
