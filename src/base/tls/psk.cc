#include "base/tls/psk.h"

#include <array>
#include <cstdio>
#include <fstream>

#include "base/base64.h"

namespace pynvme::base::tls {
namespace {

constexpr std::string_view kFormat = "NVMeTLSkey-1:";
constexpr size_t kCrcBytes = 4;
constexpr size_t kLineMax = 256;  // of a file that someone took for a key's

// CRC-32 of RFC 1952 §8, for 48 bytes at most.
uint32_t crc32(std::span<const uint8_t> bytes) {
  uint32_t crc = 0xFFFF'FFFFU;
  for (const uint8_t byte : bytes) {
    crc ^= byte;
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ ((crc & 1U) != 0 ? 0xEDB8'8320U : 0U);
  }
  return ~crc;
}

enum class Derivation : uint8_t { kSpecified, kOldLibnvme };

Secret expand(Derivation how, Hash hash, const Secret& prk, std::string_view label,
              std::string_view context, size_t bytes) {
  if (how == Derivation::kSpecified) {
    return hkdf_expand_label(hash, prk, label, bytes_of(context), bytes);
  }
  // The length in the order of the machine, the strings without theirs.
  std::string info{static_cast<char>(bytes), static_cast<char>(bytes >> 8)};
  info.append("tls13 ").append(label).append(context);
  return hkdf_expand(hash, prk, bytes_of(info), bytes);
}

// §3.6.1.2: the key bound to its host.
Secret retained_of(const PreSharedKey& key, Derivation how, std::string_view hostnqn) {
  if (key.retained) return key.bytes;
  return expand(how, key.hash, hkdf_extract(key.hash, {}, key.bytes), "HostNQN", hostnqn,
                key.bytes.size());
}

Identity identity(const PreSharedKey& key, Derivation how, int version, std::string_view hostnqn,
                  std::string_view subnqn) {
  const Secret retained = retained_of(key, how, hostnqn);
  const char* const hash = key.hash == Hash::kSha256 ? "01" : "02";
  const std::string names = std::string(hostnqn) + " " + std::string(subnqn);
  Identity made;
  made.hash = key.hash;
  made.name = "NVMe" + std::to_string(version) + "R" + hash + " " + names;
  std::string context = made.name;
  if (version == 1) {
    const std::string digest =
        base64(hmac(key.hash, retained, bytes_of(names + " NVMe-over-Fabrics")));
    made.name += " " + digest;
    context = std::string(hash) + " " + digest;
  }
  // §3.6.1.3: bound to the identity.
  made.psk = expand(how, key.hash, hkdf_extract(key.hash, {}, retained), "nvme-tls-psk", context,
                    hash_bytes(key.hash));
  return made;
}

std::string_view trimmed(std::string_view text) {
  const auto is_space = [](char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; };
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  return text;
}

}  // namespace

PreSharedKey parse_key(std::string_view text) {
  text = trimmed(text);
  if (!text.starts_with(kFormat)) {
    throw KeyError("a TLS key begins with \"NVMeTLSkey-1:\" (`nvme gen-tls-key` makes one)");
  }
  text.remove_prefix(kFormat.size());
  if (text.size() < 4 || text[2] != ':' || !text.ends_with(':')) {
    throw KeyError("a TLS key is NVMeTLSkey-1:<hash>:<Base64>: with both of the last colons");
  }
  PreSharedKey key;
  const std::string_view hash = text.substr(0, 2);
  if (hash != "00" && hash != "01" && hash != "02") {
    throw KeyError("a TLS key has the hash 00 (none), 01 (SHA-256) or 02 (SHA-384)");
  }
  auto bytes = from_base64(text.substr(3, text.size() - 4));
  if (!bytes || (bytes->size() != 32 + kCrcBytes && bytes->size() != 48 + kCrcBytes)) {
    throw KeyError("a TLS key has 32 or 48 bytes and a CRC-32 in Base64 between its last colons");
  }
  const size_t size = bytes->size() - kCrcBytes;
  uint32_t crc = 0;
  for (size_t i = 0; i < kCrcBytes; ++i) crc |= uint32_t{(*bytes)[size + i]} << (8 * i);
  bytes->resize(size);
  if (crc32(*bytes) != crc) {
    throw KeyError("the TLS key's CRC-32 is wrong: a character of it was changed or lost");
  }
  key.retained = hash == "00";
  key.hash = (key.retained ? size == 48 : hash == "02") ? Hash::kSha384 : Hash::kSha256;
  key.bytes = std::move(*bytes);
  return key;
}

PreSharedKey load_key(const std::string& text_or_path) {
  if (text_or_path.starts_with("NVMeTLSkey-")) return parse_key(text_or_path);
  std::ifstream file(text_or_path);
  if (!file) {
    // Whatever it is: it may be a key with a first character missing.
    throw KeyError(
        "a TLS key, or a file that can be read and has one as its first line, is expected");
  }
  Secret line(kLineMax);
  file.getline(reinterpret_cast<char*>(line.data()), static_cast<std::streamsize>(line.size()));
  return parse_key(reinterpret_cast<const char*>(line.data()));
}

std::vector<Identity> identities(const PreSharedKey& key, std::string_view hostnqn,
                                 std::string_view subnqn) {
  std::vector<Identity> all;
  for (const int version : {1, 0}) {
    for (const Derivation how : {Derivation::kSpecified, Derivation::kOldLibnvme}) {
      // Two long NQNs have more bytes than the context of HKDF-Expand-Label.
      if (version == 0 && how == Derivation::kSpecified &&
          hostnqn.size() + subnqn.size() + sizeof("NVMe0R01  ") - 1 > UINT8_MAX) {
        continue;
      }
      all.push_back(identity(key, how, version, hostnqn, subnqn));
    }
  }
  return all;
}

Names names_in(std::string_view identity) {
  if (!identity.starts_with("NVMe0R0") && !identity.starts_with("NVMe1R0")) return {};
  std::array<std::string_view, 3> words;
  for (std::string_view& word : words) {
    const size_t end = std::min(identity.find(' '), identity.size());
    word = identity.substr(0, end);
    identity.remove_prefix(std::min(end + 1, identity.size()));
  }
  return {std::string(words[1]), std::string(words[2])};
}

}  // namespace pynvme::base::tls
