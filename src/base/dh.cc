#include "base/dh.h"

#include <utility>

#ifdef PYNVME_HAVE_OPENSSL
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/dh.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#endif

namespace pynvme::base {

size_t dh_bytes(DhGroup group) noexcept {
  constexpr size_t kBits[] = {2048, 3072, 4096, 6144, 8192};
  return kBits[static_cast<size_t>(group)] / 8;
}

#ifdef PYNVME_HAVE_OPENSSL

namespace {

template <auto function>
struct Free {
  template <class T>
  void operator()(T* what) const noexcept {
    function(what);
  }
};
using Pkey = std::unique_ptr<EVP_PKEY, Free<EVP_PKEY_free>>;
using Context = std::unique_ptr<EVP_PKEY_CTX, Free<EVP_PKEY_CTX_free>>;
using Number = std::unique_ptr<BIGNUM, Free<BN_free>>;
using Builder = std::unique_ptr<OSSL_PARAM_BLD, Free<OSSL_PARAM_BLD_free>>;
using Parameters = std::unique_ptr<OSSL_PARAM, Free<OSSL_PARAM_free>>;

const char* name_of(DhGroup group) {
  constexpr const char* kNames[] = {"ffdhe2048", "ffdhe3072", "ffdhe4096", "ffdhe6144",
                                    "ffdhe8192"};
  return kNames[static_cast<size_t>(group)];
}

void require(bool done) {
  if (!done) throw CryptoError("OpenSSL refused Diffie-Hellman");
}

Number number_of(const EVP_PKEY* key, const char* what) {
  BIGNUM* number = nullptr;
  require(EVP_PKEY_get_bn_param(key, what, &number) == 1);
  return Number(number);
}

Pkey generate(DhGroup group) {
  const Context context(EVP_PKEY_CTX_new_from_name(nullptr, "DH", nullptr));
  require(context != nullptr && EVP_PKEY_keygen_init(context.get()) == 1 &&
          EVP_PKEY_CTX_set_group_name(context.get(), name_of(group)) == 1);
  EVP_PKEY* key = nullptr;
  require(EVP_PKEY_keygen(context.get(), &key) == 1);
  return Pkey(key);
}

Pkey from_public(DhGroup group, const BIGNUM* value) {
  const Builder builder(OSSL_PARAM_BLD_new());
  require(builder != nullptr &&
          OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, name_of(group),
                                          0) == 1 &&
          OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, value) == 1);
  const Parameters parameters(OSSL_PARAM_BLD_to_param(builder.get()));
  const Context context(EVP_PKEY_CTX_new_from_name(nullptr, "DH", nullptr));
  require(parameters != nullptr && context != nullptr &&
          EVP_PKEY_fromdata_init(context.get()) == 1);
  EVP_PKEY* key = nullptr;
  require(EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, parameters.get()) == 1);
  return Pkey(key);
}

}  // namespace

struct DhKey::Impl {
  DhGroup group;
  Pkey key;
  Number prime_less_1;
  std::vector<uint8_t> value;
};

DhKey::DhKey(DhGroup group) : impl_(std::make_unique<Impl>()) {
  impl_->group = group;
  impl_->key = generate(group);
  impl_->prime_less_1 = number_of(impl_->key.get(), OSSL_PKEY_PARAM_FFC_P);
  require(BN_sub_word(impl_->prime_less_1.get(), 1) == 1);
  impl_->value.resize(dh_bytes(group));
  const auto bytes = static_cast<int>(impl_->value.size());
  require(BN_bn2binpad(number_of(impl_->key.get(), OSSL_PKEY_PARAM_PUB_KEY).get(),
                       impl_->value.data(), bytes) == bytes);
}

DhGroup DhKey::group() const noexcept { return impl_->group; }

const std::vector<uint8_t>& DhKey::public_value() const noexcept { return impl_->value; }

std::optional<Secret> DhKey::shared(std::span<const uint8_t> other) const {
  if (other.size() != dh_bytes(impl_->group)) return std::nullopt;
  const Number value(BN_bin2bn(other.data(), static_cast<int>(other.size()), nullptr));
  require(value != nullptr);
  if (BN_cmp(value.get(), BN_value_one()) <= 0 ||
      BN_cmp(value.get(), impl_->prime_less_1.get()) >= 0) {
    return std::nullopt;
  }
  const Pkey peer = from_public(impl_->group, value.get());
  const Context context(EVP_PKEY_CTX_new_from_pkey(nullptr, impl_->key.get(), nullptr));
  // Leading zeros belong to it.
  require(context != nullptr && EVP_PKEY_derive_init(context.get()) == 1 &&
          EVP_PKEY_CTX_set_dh_pad(context.get(), 1) == 1);
  // The range was looked at; that a value is of the subgroup too costs as much as the rest.
  if (EVP_PKEY_derive_set_peer_ex(context.get(), peer.get(), 0) != 1) return std::nullopt;
  Secret secret(other.size());
  size_t bytes = secret.size();
  if (EVP_PKEY_derive(context.get(), secret.data(), &bytes) != 1) return std::nullopt;
  require(bytes == secret.size());
  return secret;
}

#else

struct DhKey::Impl {
  DhGroup group;
  std::vector<uint8_t> value;
};

DhKey::DhKey(DhGroup) { require_crypto("Diffie-Hellman"); }
DhGroup DhKey::group() const noexcept { return impl_->group; }
const std::vector<uint8_t>& DhKey::public_value() const noexcept { return impl_->value; }
std::optional<Secret> DhKey::shared(std::span<const uint8_t>) const { return std::nullopt; }

#endif

DhKey::~DhKey() = default;
DhKey::DhKey(DhKey&&) noexcept = default;
DhKey& DhKey::operator=(DhKey&&) noexcept = default;

}  // namespace pynvme::base
