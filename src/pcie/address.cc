// Tells the forms apart by their shape, in the order in which they cannot be mistaken for each
// other.
#include "pcie/address.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <iterator>
#include <optional>

namespace pynvme::pcie {
namespace {

constexpr uint16_t kDefaultTcpPort = 4420;

// What may follow an NVMe/TCP address; driver/tcp/options knows what the values mean.
constexpr std::string_view kTcpKeys[] = {"nqn",
                                         "hostnqn",
                                         "hostid",
                                         "hdgst",
                                         "ddgst",
                                         "kato",
                                         "maxr2t",
                                         "hpda",
                                         "icd",
                                         "adminq",
                                         "answer_ms",
                                         "dhchap_secret",
                                         "dhchap_ctrl_secret",
                                         "dhchap_hash",
                                         "dhchap_group",
                                         "tls_key",
                                         "tls_key_file"};
// Of these, those that no name and no error shows.
constexpr std::string_view kSecretKeys[] = {"dhchap_secret", "dhchap_ctrl_secret", "tls_key"};
// What secrets begin with, whatever key they are written behind.
constexpr std::string_view kSecretForms[] = {"DHHC-1:", "NVMeTLSkey-1:"};

bool is_secret(std::string_view key) {
  return std::ranges::find(kSecretKeys, key) != std::end(kSecretKeys);
}

[[noreturn]] void refuse(std::string_view text, const std::string& why) {
  throw AddressError(
      "\"" + without_secrets(text) + "\" is not a device name: " + why +
      ". Possible are: \"sim\" or \"sim:key=value,...\" (embedded SSD), \"01:00.0\" or "
      "\"0000:01:00.0\" (PCIe function), \"10.0.0.1\", \"10.0.0.1:4420\" or "
      "\"[::1]:4420\" (NVMe/TCP), \"unix:/path\" (vfio-user socket)");
}

std::string_view trim(std::string_view text) {
  const auto space = [](char c) { return std::isspace(static_cast<unsigned char>(c)) != 0; };
  while (!text.empty() && space(text.front())) text.remove_prefix(1);
  while (!text.empty() && space(text.back())) text.remove_suffix(1);
  return text;
}

std::optional<unsigned> number(std::string_view text, int base, size_t digits_max, unsigned max) {
  unsigned value = 0;
  if (text.empty() || text.size() > digits_max) return std::nullopt;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc() || end != text.data() + text.size() || value > max) return std::nullopt;
  return value;
}

std::string hex(unsigned value, unsigned digits) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (unsigned i = digits; i-- > 0;) text += kDigits[value >> (4 * i) & 0xF];
  return text;
}

// [dddd:]bb:dd.f in hexadecimal. Nothing when the shape is another; a number out of range is an
// error.
std::optional<std::string> pci_name(std::string_view text) {
  const auto dot = text.rfind('.');
  const auto colon = text.rfind(':');
  if (dot == std::string_view::npos || colon == std::string_view::npos || colon > dot) {
    return std::nullopt;
  }
  if (std::count(text.begin(), text.end(), '.') != 1) return std::nullopt;
  std::string_view domain = "0";
  std::string_view bus = text.substr(0, colon);
  if (const auto first = bus.find(':'); first != std::string_view::npos) {
    domain = bus.substr(0, first);
    bus = bus.substr(first + 1);
  }
  const auto d = number(domain, 16, 8, UINT32_MAX);
  const auto b = number(bus, 16, 2, 0xFF);
  const auto s = number(text.substr(colon + 1, dot - colon - 1), 16, 2, 0x1F);
  const auto f = number(text.substr(dot + 1), 16, 1, 7);
  if (!d || !b || !s || !f) {
    refuse(text,
           "a PCI address is [domain:]bus:device.function in hexadecimal, device up to 1f, "
           "function up to 7");
  }
  return hex(*d, *d > 0xFFFF ? 8 : 4) + ":" + hex(*b, 2) + ":" + hex(*s, 2) + "." + hex(*f, 1);
}

bool is_ipv4(std::string_view text) {
  for (int part = 0; part < 4; ++part) {
    const auto dot = part < 3 ? text.find('.') : text.size();
    if (dot == std::string_view::npos || !number(text.substr(0, dot), 10, 3, 255)) return false;
    text.remove_prefix(part < 3 ? dot + 1 : dot);
  }
  return true;
}

bool is_ipv6(std::string_view text) {
  return std::count(text.begin(), text.end(), ':') >= 2 &&
         text.find_first_not_of("0123456789abcdefABCDEF:.") == std::string_view::npos;
}

std::vector<std::pair<std::string, std::string>> tcp_parameters(std::string_view whole,
                                                                std::string_view text) {
  std::vector<std::pair<std::string, std::string>> parameters;
  while (!text.empty()) {
    const auto end = std::min(text.find(';'), text.size());
    const std::string_view one = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    const auto equals = one.find('=');
    const std::string_view key = one.substr(0, std::min(equals, one.size()));
    if (equals == std::string_view::npos || equals + 1 == one.size() ||
        std::ranges::find(kTcpKeys, key) == std::end(kTcpKeys)) {
      std::string keys;
      for (const std::string_view known : kTcpKeys) {
        keys.append(keys.empty() ? "" : ", ").append(known);
      }
      refuse(whole, "after the semicolon comes nqn=<subsystem>, or another key with its value (" +
                        keys + ")");
    }
    for (const auto& [known, value] : parameters) {
      if (known == key) refuse(whole, "\"" + known + "\" is there twice");
    }
    parameters.emplace_back(key, one.substr(equals + 1));
  }
  if (parameters.empty()) refuse(whole, "after the semicolon comes nqn=<subsystem>");
  return parameters;
}

std::optional<Address> tcp(std::string_view whole, std::string_view text) {
  Address address{.kind = Address::Kind::kTcp};
  if (const auto semicolon = text.find(';'); semicolon != std::string_view::npos) {
    address.parameters = tcp_parameters(whole, text.substr(semicolon + 1));
    text = text.substr(0, semicolon);
  }
  std::string_view port;
  bool with_port = false;
  if (text.starts_with('[')) {
    const auto end = text.find(']');
    if (end == std::string_view::npos || !is_ipv6(text.substr(1, end - 1))) {
      refuse(whole, "between [ and ] belongs an IPv6 address");
    }
    address.host = text.substr(1, end - 1);
    port = text.substr(end + 1);
    with_port = !port.empty();
    if (with_port && !port.starts_with(':')) refuse(whole, "after ] comes :port");
    if (with_port) port.remove_prefix(1);
  } else {
    const auto colon = text.find(':');
    with_port = colon != std::string_view::npos;
    if (!is_ipv4(text.substr(0, colon))) return std::nullopt;
    address.host = text.substr(0, colon);
    if (with_port) port = text.substr(colon + 1);
  }
  address.port = kDefaultTcpPort;
  if (with_port) {
    const auto value = number(port, 10, 5, 65535);
    if (!value || *value == 0) refuse(whole, "a port is 1 to 65535");
    address.port = static_cast<uint16_t>(*value);
  }
  const bool v6 = address.host.find(':') != std::string::npos;
  address.name =
      (v6 ? "[" + address.host + "]" : address.host) + ":" + std::to_string(address.port);
  for (const auto& [key, value] : address.parameters) {
    if (key == "nqn") address.options = value;
    if (is_secret(key)) continue;
    address.name.append(";").append(key).append("=").append(without_secrets(value));
  }
  return address;
}

}  // namespace

std::string without_secrets(std::string_view text) {
  std::string shown;
  for (bool first = true; first || !text.empty(); first = false) {
    const auto end = std::min(text.find(';'), text.size());
    std::string_view one = text.substr(0, end);
    const bool more = end < text.size();
    text.remove_prefix(std::min(end + 1, text.size()));
    auto kept = one.size();
    const auto equals = one.find('=');
    if (equals != std::string_view::npos && is_secret(one.substr(0, equals))) kept = equals + 1;
    for (const std::string_view form : kSecretForms) kept = std::min(kept, one.find(form));
    shown.append(one.substr(0, kept));
    if (kept < one.size()) shown.append("...");
    if (more) shown.append(";");
  }
  return shown;
}

Address parse_address(std::string_view given) {
  const std::string_view text = trim(given);
  if (text.empty() || text == "sim") return {.kind = Address::Kind::kEmbedded, .name = "sim"};
  if (text.starts_with("sim:")) {
    const std::string options(text.substr(4));
    return {.kind = Address::Kind::kEmbedded,
            .name = options.empty() ? "sim" : "sim:" + options,
            .options = options};
  }
  if (text.starts_with("unix:") || text.starts_with('/')) {
    const auto path = text.starts_with('/') ? text : text.substr(5);
    if (path.empty()) refuse(given, "unix: needs a path");
    return {.kind = Address::Kind::kSocket,
            .name = "unix:" + std::string(path),
            .path = std::string(path)};
  }
  if (auto address = tcp(given, text)) return *address;
  if (auto name = pci_name(text)) return {.kind = Address::Kind::kPci, .name = std::move(*name)};
  refuse(given, "it has none of the known forms");
}

}  // namespace pynvme::pcie
