// For tests and the fuzz target: bytes of a host's PDUs, put together from the specification's
// offsets and nothing else.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

namespace pynvme::ssd::tcp::testing {

using Bytes = std::vector<uint8_t>;

inline Bytes operator+(Bytes a, const Bytes& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

// ICReq without digests.
inline Bytes ic_request() {
  Bytes pdu(128);
  pdu[2] = pdu[4] = 128;
  return pdu;
}

inline Bytes capsule(const Bytes& sqe, const Bytes& data = {}) {
  Bytes head{4, 0, 72, static_cast<uint8_t>(data.empty() ? 0 : 72), 0, 0, 0, 0};
  const auto plen = static_cast<uint32_t>(72 + data.size());
  std::memcpy(head.data() + 4, &plen, sizeof plen);
  return head + sqe + data;
}

struct Sqe {
  uint8_t opcode = 0;
  uint16_t cid = 0;
  uint32_t nsid = 0;
  uint8_t sgl = 0;  // 01h: in the capsule, 5Ah: transport
  uint32_t length = 0;
  std::array<uint32_t, 6> cdw10{};

  Bytes bytes() const {
    Bytes raw(64);
    raw[0] = opcode;
    raw[1] = 0x40;
    std::memcpy(raw.data() + 2, &cid, 2);
    std::memcpy(raw.data() + 4, &nsid, 4);
    std::memcpy(raw.data() + 32, &length, 4);
    raw[39] = sgl;
    std::memcpy(raw.data() + 40, cdw10.data(), 24);
    return raw;
  }
};

inline Bytes connect(const std::string& nqn, uint16_t qid, uint16_t cntlid, uint16_t cid = 1) {
  Bytes data(1024);
  std::memcpy(data.data() + 16, &cntlid, 2);
  std::memcpy(data.data() + 256, nqn.data(), nqn.size());
  std::memcpy(data.data() + 512, "nqn.host", 8);
  return capsule(Sqe{0x7F, cid, 1, 0x01, 1024, {static_cast<uint32_t>(qid) << 16, 31}}.bytes(),
                 data);
}

// CC.EN, with entries of the sizes that there are.
inline Bytes enable() { return capsule(Sqe{0x7F, 2, 0, 0, 0, {0, 0x14, 0x0046'0001}}.bytes()); }

// Whole PDUs, as a host without digests must find them.
inline bool well_formed(const Bytes& output) {
  size_t at = 0;
  while (at < output.size()) {
    if (output.size() - at < 8) return false;
    uint32_t plen;
    std::memcpy(&plen, output.data() + at + 4, sizeof plen);
    const uint8_t type = output[at];
    const uint8_t hlen = type == 1 ? 128 : 24;
    if (type != 1 && type != 3 && type != 5 && type != 7 && type != 9) return false;
    if (output[at + 2] != hlen || plen < hlen || plen > output.size() - at) return false;
    at += plen;
  }
  return true;
}

}  // namespace pynvme::ssd::tcp::testing
