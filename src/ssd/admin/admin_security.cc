// Security Send and Receive (NVMe Base 2.0 §5.25, §5.26): protocol 00h says which protocols there
// are, protocol 01h has the TCG Level 0 Discovery of a TPer without sessions. What a drive without
// locking cannot do is refused, so Security Send has nothing to take.
#include <algorithm>
#include <array>
#include <vector>

#include "spec/command_fields.h"
#include "ssd/admin/admin.h"

namespace pynvme::ssd {
namespace {

// SPC-5 §7.7: the security protocols, all of their numbers are big-endian.
constexpr uint8_t kProtocolInformation = 0x00;
constexpr uint8_t kProtocolTcg = 0x01;
constexpr uint16_t kProtocolList = 0x0000;
constexpr uint16_t kCertificate = 0x0001;
// TCG Storage Architecture Core 2.01 §3.3.6: Level 0 Discovery has this ComID.
constexpr uint16_t kLevel0Discovery = 0x0001;

constexpr std::array<uint8_t, 10> kProtocols = {
    0, 0, 0, 0, 0, 0, 0, 2, kProtocolInformation, kProtocolTcg};
constexpr std::array<uint8_t, 4> kNoCertificate = {};

constexpr size_t kDiscoveryHeaderBytes = 48;
constexpr size_t kTperDescriptorBytes = 16;

std::vector<uint8_t> level_0_discovery() {
  std::vector<uint8_t> data(kDiscoveryHeaderBytes + kTperDescriptorBytes);
  data[3] = static_cast<uint8_t>(data.size() - 4);  // of what follows
  data[7] = 1;                                      // version 0.1
  // TPer Feature: version 1, and none of its abilities, for there is no session to use them in.
  uint8_t* const tper = data.data() + kDiscoveryHeaderBytes;
  tper[1] = 0x01;
  tper[2] = 0x10;
  tper[3] = kTperDescriptorBytes - 4;
  return data;
}

}  // namespace

Outcome Admin::security_receive(const spec::Sqe& sqe) {
  std::vector<uint8_t> data;
  const uint16_t specific = spec::security_spsp(sqe.cdw10);
  switch (spec::security_secp(sqe.cdw10)) {
    case kProtocolInformation:
      if (specific == kProtocolList) {
        data.assign(kProtocols.begin(), kProtocols.end());
      } else if (specific == kCertificate) {
        data.assign(kNoCertificate.begin(), kNoCertificate.end());
      }
      break;
    case kProtocolTcg:
      if (specific == kLevel0Discovery) data = level_0_discovery();
      break;
    default:
      break;
  }
  const uint64_t allocated = sqe.cdw11;
  if (data.empty() || exceeds_mdts(allocated)) return kInvalidField;
  return to_host(sqe, data.data(), std::min<uint64_t>(allocated, data.size()), allocated);
}

Outcome Admin::security_send(const spec::Sqe& /*sqe*/) {
  // Protocol 00h is for receiving only, and ComID 0001h of protocol 01h as well.
  return kInvalidField;
}

}  // namespace pynvme::ssd
