#include "base/dhchap.h"

#include <algorithm>
#include <stdexcept>

#include "base/base64.h"

namespace pynvme::base {
namespace {

constexpr std::string_view kPrefix = "DHHC-1:";
constexpr size_t kCrcBytes = 4;

[[noreturn]] void refuse(const std::string& why) {
  throw std::invalid_argument(why +
                              "; a secret is DHHC-1:00:<base64 of a key of 32, 48 or 64 bytes and "
                              "its CRC-32>: (or 01, 02, 03), as `nvme gen-dhchap-key` makes one");
}

// IEEE 802.3.
uint32_t crc32(std::span<const uint8_t> bytes) {
  uint32_t crc = ~uint32_t{0};
  for (const uint8_t byte : bytes) {
    crc ^= byte;
    for (int i = 0; i < 8; ++i) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0xEDB88320U : 0);
  }
  return ~crc;
}

void append(Secret& to, std::span<const uint8_t> bytes) {
  to.insert(to.end(), bytes.begin(), bytes.end());
}

}  // namespace

DhchapSecret parse_dhchap_secret(std::string_view text) {
  if (!text.starts_with(kPrefix)) refuse("it does not begin with DHHC-1:");
  text.remove_prefix(kPrefix.size());
  if (text.size() < 4 || text[0] != '0' || text[1] < '0' || text[1] > '3' || text[2] != ':') {
    refuse("behind DHHC-1: comes 00:, 01:, 02: or 03:");
  }
  DhchapSecret secret;
  if (text[1] != '0') secret.transform = static_cast<Hash>(text[1] - '1');
  text.remove_prefix(3);
  if (!text.ends_with(':')) refuse("its end is a colon");
  text.remove_suffix(1);
  auto bytes = from_base64(text);
  if (!bytes) refuse("it is not base64");
  const size_t size = bytes->size();
  if (size != 32 + kCrcBytes && size != 48 + kCrcBytes && size != 64 + kCrcBytes) {
    refuse("its key has another length");
  }
  const auto stored = std::span(*bytes).last(kCrcBytes);
  const uint32_t crc = crc32(std::span(*bytes).first(size - kCrcBytes));
  for (size_t i = 0; i < kCrcBytes; ++i) {
    if (stored[i] != static_cast<uint8_t>(crc >> (8 * i))) refuse("its CRC-32 is wrong");
  }
  bytes->resize(size - kCrcBytes);
  secret.key = std::move(*bytes);
  return secret;
}

std::string dhchap_secret_text(const DhchapSecret& secret) {
  Secret bytes = secret.key;
  const uint32_t crc = crc32(secret.key);
  for (size_t i = 0; i < kCrcBytes; ++i) bytes.push_back(static_cast<uint8_t>(crc >> (8 * i)));
  const int number = secret.transform ? static_cast<int>(*secret.transform) + 1 : 0;
  return std::string(kPrefix) + "0" + std::to_string(number) + ":" + base64(bytes) + ":";
}

Secret transformed_key(const DhchapSecret& secret, std::string_view nqn) {
  if (!secret.transform) return secret.key;
  Secret data;
  append(data, bytes_of(nqn));
  append(data, bytes_of("NVMe-over-Fabrics"));
  return hmac(*secret.transform, secret.key, data);
}

Secret augmented_challenge(Hash hash, std::span<const uint8_t> shared,
                           std::span<const uint8_t> challenge) {
  return hmac(hash, digest(hash, shared), challenge);
}

Secret DhchapResponse::make(Hash hash, std::span<const uint8_t> key, std::string_view who,
                            std::string_view first, std::string_view second) const {
  Secret data;
  append(data, challenge);
  for (int i = 0; i < 4; ++i) data.push_back(static_cast<uint8_t>(seqnum >> (8 * i)));
  for (int i = 0; i < 2; ++i) data.push_back(static_cast<uint8_t>(t_id >> (8 * i)));
  data.push_back(sc_c);
  append(data, bytes_of(who));
  append(data, bytes_of(first));
  data.push_back(0);
  append(data, bytes_of(second));
  return hmac(hash, key, data);
}

Secret DhchapResponse::of_host(Hash hash, std::span<const uint8_t> key) const {
  return make(hash, key, "HostHost", hostnqn, subnqn);
}

Secret DhchapResponse::of_controller(Hash hash, std::span<const uint8_t> key) const {
  return make(hash, key, "Controller", subnqn, hostnqn);
}

}  // namespace pynvme::base
