// What a target is started with.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/tls/psk.h"
#include "spec/tcp.h"
#include "ssd/tcp/authentication.h"

namespace pynvme::ssd::tcp {

struct TargetOptions {
  std::string address = "127.0.0.1";  // numeric IPv4 or IPv6; "::" and "0.0.0.0" are everywhere
  uint16_t port = spec::tcp::kPort;   // 0: any that is free
  std::string nqn;                    // empty: made from the serial number
  std::vector<std::string> hosts;     // NQNs that may connect; empty: all, or those with keys
  std::vector<DhchapKeys> dhchap;     // hosts that have to authenticate
  DhchapPreference dhchap_preference;
  std::string advertise;               // "ADDRESS:PORT" in the Discovery log; empty: as connected
  uint32_t in_capsule_bytes = 8192;    // of an I/O queue's capsules; a multiple of 16
  uint32_t h2c_bytes_max = 128 << 10;  // MAXH2CDATA
  uint32_t c2h_bytes_max = 0;          // of a C2HData PDU; 0: all data of a command in one
  uint32_t r2t_bytes_max = 0;          // that one R2T asks for; 0: all data of a command
  uint8_t cpda = 0;                    // 0's based, dwords
  bool header_digest = true;           // granted to hosts that ask for it
  bool data_digest = true;
  uint32_t connections_max = 1024;
  uint32_t connect_timeout_ms = 10'000;  // from accept() to a successful Connect
  uint32_t stall_timeout_ms = 30'000;    // for a host that does not read what it asked for
  uint32_t term_timeout_ms = 30'000;     // for a host to close after C2HTermReq
  uint32_t spin_us = 50;                 // that the loop looks for work before it sleeps
  // All connections are TLS 1.3 with this key; null: none is.
  std::shared_ptr<const base::tls::PreSharedKey> tls_key;
};

}  // namespace pynvme::ssd::tcp
