#include "base/tls/client_hello.h"

#include "base/crypto.h"

namespace pynvme::base::tls {
namespace {

// Takes vectors with a length in front from the beginning of some bytes.
class Reader {
 public:
  explicit Reader(std::span<const uint8_t> bytes) : bytes_(bytes) {}

  bool empty() const { return bytes_.empty(); }
  size_t left() const { return bytes_.size(); }
  std::optional<std::span<const uint8_t>> take(size_t count) {
    if (count > bytes_.size()) return std::nullopt;
    const auto taken = bytes_.first(count);
    bytes_ = bytes_.subspan(count);
    return taken;
  }
  // The length itself has `count` bytes.
  std::optional<std::span<const uint8_t>> vector(size_t count) {
    const auto length = take(count);
    if (!length) return std::nullopt;
    size_t value = 0;
    for (const uint8_t byte : *length) value = value << 8 | byte;
    return take(value);
  }

 private:
  std::span<const uint8_t> bytes_;
};

constexpr size_t kAgeBytes = 4;

}  // namespace

std::optional<Offers> parse_offers(std::span<const uint8_t> extension) {
  Reader all(extension);
  const auto names = all.vector(2);
  if (!names) return std::nullopt;
  Offers offers;
  offers.binders_bytes = all.left();
  const auto binders = all.vector(2);
  if (!binders || !all.empty()) return std::nullopt;
  Reader name_list(*names);
  Reader binder_list(*binders);
  while (!name_list.empty()) {
    const auto name = name_list.vector(2);
    const auto binder = binder_list.vector(1);
    if (!name || !binder || !name_list.take(kAgeBytes)) return std::nullopt;
    offers.keys.push_back({{reinterpret_cast<const char*>(name->data()), name->size()}, *binder});
  }
  if (!binder_list.empty()) return std::nullopt;
  return offers;
}

// The key schedule as far as it is needed (RFC 8446 §7.1).
Secret binder_of(const Identity& identity, std::span<const uint8_t> hello) {
  const Hash hash = identity.hash;
  const Secret early = hkdf_extract(hash, {}, identity.psk);
  const Secret key =
      hkdf_expand_label(hash, early, "ext binder", digest(hash, {}), hash_bytes(hash));
  return hmac(hash, hkdf_expand_label(hash, key, "finished", {}, hash_bytes(hash)),
              digest(hash, hello));
}

}  // namespace pynvme::base::tls
