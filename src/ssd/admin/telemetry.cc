// The header, and the blocks behind it.
#include "ssd/admin/telemetry.h"

#include <algorithm>
#include <cstring>

#include "spec/log.h"

namespace pynvme::ssd {

std::vector<uint8_t> Telemetry::log(uint8_t lid, const Capture& capture) const {
  spec::TelemetryHeader header{};
  header.lid = lid;
  header.ieee[0] = 0x59;
  header.ieee[1] = 0x50;
  header.ieee[2] = 0x02;
  std::vector<uint8_t> log(sizeof header);
  // Areas begin after the header, and end with the last block of theirs.
  for (size_t i = 0; i < kAreas; ++i) {
    const std::vector<uint8_t>& area = capture.areas[i];
    log.insert(log.end(), area.begin(), area.end());
    log.resize((log.size() + kBlockBytes - 1) / kBlockBytes * kBlockBytes);
    header.last_block[i] = static_cast<uint16_t>(log.size() / kBlockBytes - 1);
  }
  header.host_generation = lid == spec::lid::kTelemetryHost ? host_generation_ : 0;
  header.controller_available = controller_available_ ? 1 : 0;
  header.controller_generation = controller_generation_;
  std::memcpy(header.reason, capture.reason.data(),
              std::min(sizeof header.reason, capture.reason.size()));
  std::memcpy(log.data(), &header, sizeof header);
  return log;
}

std::vector<uint8_t> Telemetry::host_log() const { return log(spec::lid::kTelemetryHost, host_); }

std::vector<uint8_t> Telemetry::controller_log() const {
  return log(spec::lid::kTelemetryController, controller_);
}

}  // namespace pynvme::ssd
