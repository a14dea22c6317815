// The telemetry logs (NVMe Base 2.0 §5.16.1.8, §5.16.1.9): snapshots of the other logs, taken when
// the host asks for one or when the controller has given up. What is in the data areas is vendor
// specific; here each is whole log pages, one after the other.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace pynvme::ssd {

class Telemetry {
 public:
  static constexpr size_t kBlockBytes = 512;
  static constexpr size_t kAreas = 3;
  // Data Areas 1 to 3, each without what is in those before it.
  using Areas = std::array<std::vector<uint8_t>, kAreas>;

  void capture_host(const Areas& areas) {
    host_ = {areas, {}};
    ++host_generation_;
  }
  void capture_controller(const Areas& areas, const std::string& reason) {
    controller_ = {areas, reason};
    ++controller_generation_;
    controller_available_ = true;
  }
  // The host has read the controller-initiated log with RAE cleared.
  void controller_log_read() { controller_available_ = false; }
  // What tells of user data is not kept over a sanitize operation.
  void forget_host() { host_ = {}; }

  std::vector<uint8_t> host_log() const;
  std::vector<uint8_t> controller_log() const;

 private:
  struct Capture {
    Areas areas;
    std::string reason;
  };
  std::vector<uint8_t> log(uint8_t lid, const Capture& capture) const;

  Capture host_;
  Capture controller_;
  uint8_t host_generation_ = 0;
  uint8_t controller_generation_ = 0;
  bool controller_available_ = false;
};

}  // namespace pynvme::ssd
