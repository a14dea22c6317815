// The Discovery service of a target (NVMe Base 2.0 §3.1.2.3 and §5.16.1.23): what subsystems it
// tells of.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "driver/tcp/options.h"

namespace pynvme::driver::tcp {

struct DiscoveryEntry {
  std::string trtype;   // "tcp", "rdma", "fc", or a number
  std::string adrfam;   // "ipv4", "ipv6", or a number
  std::string subtype;  // "nvm subsystem", "discovery referral", "current discovery subsystem"
  std::string treq;     // "not specified", "required", "not required"
  std::string sectype;  // "none", "tls1.2", "tls1.3"
  uint16_t portid = 0;
  uint16_t cntlid = 0;
  uint16_t asqsz = 0;
  std::string traddr;
  std::string trsvcid;
  std::string subnqn;

  bool is_nvm_over_tcp() const { return trtype == "tcp" && subtype == "nvm subsystem"; }
};

// Connects to the Discovery service at the address of `options`. Throws EnumerateError.
std::vector<DiscoveryEntry> discover(const Options& options, const std::function<void()>& idle);

// The one NVM subsystem that is found there. Throws EnumerateError with the list where there are
// none or several.
struct FoundSubsystem {
  std::string nqn;
  std::string elsewhere;  // "10.0.0.1:4420", where it is told to be at another port; or empty
};
FoundSubsystem find_subsystem(const Options& options, const std::function<void()>& idle);

}  // namespace pynvme::driver::tcp
