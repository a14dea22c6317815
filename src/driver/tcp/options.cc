// Keys of an address in the order of docs/tcp.md. Who the host is: the address says it, or
// PYNVME_HOSTNQN and PYNVME_HOSTID, or /etc/nvme, where the machine's other NVMe tools look, or the
// machine's own identifier. No text of an error has a key.
#include "driver/tcp/options.h"

#include <cctype>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <functional>
#include <map>
#include <span>
#include <stdexcept>

#include "base/crc.h"
#include "spec/fabrics.h"

namespace pynvme::driver::tcp {

namespace auth = spec::auth;

namespace {

[[noreturn]] void refuse(const std::string& key, const std::string& value, const std::string& why) {
  throw pcie::AddressError(";" + key + "=" + value + ": " + why);
}

uint32_t number(const std::string& key, const std::string& value, uint32_t min, uint32_t max) {
  uint32_t parsed = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), parsed);
  if (error != std::errc() || end != value.data() + value.size() || parsed < min || parsed > max) {
    refuse(key, value, std::to_string(min) + " to " + std::to_string(max) + " is possible");
  }
  return parsed;
}

// Neither the value nor a part of it is shown.
base::DhchapSecret secret(const std::string& key, const std::string& value) {
  try {
    return base::parse_dhchap_secret(value);
  } catch (const std::invalid_argument& error) {
    throw pcie::AddressError(key + ": " + error.what());
  }
}

template <class Id>
Id one_of(const std::string& key, const std::string& value, Id first,
          std::span<const char* const> names) {
  std::string possible;
  int id = static_cast<int>(first);
  for (const char* const name : names) {
    if (value == name) return static_cast<Id>(id);
    possible.append(possible.empty() ? "" : ", ").append(name);
    ++id;
  }
  refuse(key, value, possible + " are possible");
}

std::string nqn(const std::string& key, const std::string& value) {
  if (value.size() < 4 || value.size() > spec::fabrics::kNqnBytesMax) {
    refuse(key, value, "an NQN has 4 to 223 bytes");
  }
  return value;
}

std::string first_line(const char* path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  while (!line.empty() && std::isspace(static_cast<unsigned char>(line.back())) != 0) {
    line.pop_back();
  }
  return line;
}

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

std::array<uint8_t, 16> machine_uuid() {
  const std::string machine = first_line("/etc/machine-id");
  std::array<uint8_t, 16> bytes{};
  for (uint8_t part = 0; part < 4; ++part) {
    const std::string salted = "pynvme" + std::to_string(part) + machine;
    const uint32_t crc = base::crc32c(salted.data(), salted.size());
    std::memcpy(bytes.data() + 4 * part, &crc, sizeof(crc));
  }
  bytes[6] = static_cast<uint8_t>((bytes[6] & 0x0F) | 0x80);  // RFC 9562: version 8, made by hand
  bytes[8] = static_cast<uint8_t>((bytes[8] & 0x3F) | 0x80);
  return bytes;
}

void set_hostid(Options& options, const std::string& what, const std::string& value) {
  if (!parse_uuid(value, &options.hostid)) {
    refuse(what, value, "a host identifier is a UUID of 32 hexadecimal digits");
  }
}

void set_default_secrets(Options& options) {
  const auto set = [](base::DhchapSecret& given, const char* name) {
    const std::string value = environment(name);
    if (given.empty() && !value.empty()) given = secret(name, value);
  };
  set(options.dhchap_secret, "PYNVME_DHCHAP_SECRET");
  set(options.dhchap_ctrl_secret, "PYNVME_DHCHAP_CTRL_SECRET");
  if (options.dhchap_secret.empty() && !options.dhchap_ctrl_secret.empty()) {
    throw pcie::AddressError(
        "dhchap_ctrl_secret: the controller proves itself to a host that does so too; give "
        "dhchap_secret as well");
  }
}

void set_defaults(Options& options, bool has_nqn, bool has_id) {
  if (!has_id) {
    std::string id = environment("PYNVME_HOSTID");
    if (id.empty()) id = first_line("/etc/nvme/hostid");
    if (id.empty()) {
      options.hostid = machine_uuid();
    } else {
      set_hostid(options, "PYNVME_HOSTID", id);
    }
  }
  if (has_nqn) return;
  options.hostnqn = environment("PYNVME_HOSTNQN");
  if (options.hostnqn.empty()) options.hostnqn = first_line("/etc/nvme/hostnqn");
  if (options.hostnqn.empty()) {
    options.hostnqn = "nqn.2014-08.org.nvmexpress:uuid:" + uuid_text(options.hostid);
  }
  nqn("PYNVME_HOSTNQN", options.hostnqn);
}

std::shared_ptr<TlsKey> tls_key(const std::string& where, const std::string& text_or_path) {
  try {
    base::require_crypto("TLS (" + where + ")");
    return std::make_shared<TlsKey>(base::tls::load_key(text_or_path));
  } catch (const std::exception& error) {
    throw pcie::AddressError(where + ": " + error.what());
  }
}

}  // namespace

std::string uuid_text(const std::array<uint8_t, 16>& bytes) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (size_t i = 0; i < bytes.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
    text += kDigits[bytes[i] >> 4];
    text += kDigits[bytes[i] & 0xF];
  }
  return text;
}

bool parse_uuid(const std::string& text, std::array<uint8_t, 16>* bytes) {
  std::string digits;
  for (const char c : text) {
    if (c != '-') digits += c;
  }
  if (digits.size() != 2 * bytes->size()) return false;
  for (size_t i = 0; i < bytes->size(); ++i) {
    const char* at = digits.data() + 2 * i;
    const auto [end, error] = std::from_chars(at, at + 2, (*bytes)[i], 16);
    if (error != std::errc() || end != at + 2) return false;
  }
  return true;
}

Options make_options(const pcie::Address& address) {
  Options options;
  options.name = address.name;
  options.host = address.host;
  options.port = address.port;
  bool has_nqn = false;
  bool has_id = false;
  using Setter = std::function<void(const std::string& key, const std::string& value)>;
  const std::map<std::string, Setter> setters = {
      {"nqn", [&](const auto& k, const auto& v) { options.subnqn = nqn(k, v); }},
      {"hostnqn",
       [&](const auto& k, const auto& v) {
         options.hostnqn = nqn(k, v);
         has_nqn = true;
       }},
      {"hostid",
       [&](const auto& k, const auto& v) {
         set_hostid(options, k, v);
         has_id = true;
       }},
      {"hdgst",
       [&](const auto& k, const auto& v) { options.header_digest = number(k, v, 0, 1) != 0; }},
      {"ddgst",
       [&](const auto& k, const auto& v) { options.data_digest = number(k, v, 0, 1) != 0; }},
      {"kato",
       [&](const auto& k, const auto& v) { options.kato_ms = number(k, v, 0, UINT32_MAX); }},
      {"maxr2t", [&](const auto& k, const auto& v) { options.max_r2t = number(k, v, 1, 256); }},
      {"hpda",
       [&](const auto& k, const auto& v) {
         options.hpda_bytes = number(k, v, 4, 128);
         if (options.hpda_bytes % 4 != 0) refuse(k, v, "an alignment is a multiple of 4");
       }},
      {"icd",
       [&](const auto& k, const auto& v) { options.in_capsule_max = number(k, v, 0, 1U << 20); }},
      {"adminq",
       [&](const auto& k, const auto& v) { options.admin_entries = number(k, v, 16, 4096); }},
      {"answer_ms",
       [&](const auto& k, const auto& v) { options.answer_ms = number(k, v, 10, 600'000); }},
      {"dhchap_secret",
       [&](const auto& k, const auto& v) { options.dhchap_secret = secret(k, v); }},
      {"dhchap_ctrl_secret",
       [&](const auto& k, const auto& v) { options.dhchap_ctrl_secret = secret(k, v); }},
      {"dhchap_hash",
       [&](const auto& k, const auto& v) {
         options.dhchap_hash = one_of(k, v, auth::HashId::kSha256, auth::kHashNames);
       }},
      {"dhchap_group",
       [&](const auto& k, const auto& v) {
         options.dhchap_group = one_of(k, v, auth::GroupId::kNull, auth::kGroupNames);
       }},
      {"tls_key", [&](const auto&, const auto& v) { options.tls = tls_key(";tls_key", v); }},
      {"tls_key_file",
       [&](const auto& k, const auto& v) {
         options.tls = tls_key(pcie::without_secrets(";" + k + "=" + v), v);
       }},
  };
  for (const auto& [key, value] : address.parameters) setters.at(key)(key, value);
  set_defaults(options, has_nqn, has_id);
  set_default_secrets(options);
  if (options.tls == nullptr) {
    const std::string key = environment("PYNVME_TLS_KEY");
    if (!key.empty()) options.tls = tls_key("PYNVME_TLS_KEY", key);
  }
  return options;
}

}  // namespace pynvme::driver::tcp
