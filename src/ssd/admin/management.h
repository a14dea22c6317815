// The management side of the subsystem that NVMe-MI commands read and set: Vital Product Data and
// the MCTP transmission unit. There is one port, PCIe, with one controller.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "ssd/config.h"

namespace pynvme::ssd {

class Management {
 public:
  static constexpr size_t kVpdBytes = 256;
  static constexpr uint16_t kTransmissionUnitMin = 64;
  static constexpr uint16_t kTransmissionUnitMax = 250;

  // persistent: the VPD's, with kVpdBytes; all zeros is from the factory.
  Management(std::span<uint8_t> persistent, const Config& config);

  std::span<uint8_t> vpd() { return vpd_; }
  uint16_t transmission_unit() const { return transmission_unit_; }
  bool set_transmission_unit(uint16_t bytes);

 private:
  std::span<uint8_t> vpd_;
  uint16_t transmission_unit_ = kTransmissionUnitMin;
};

}  // namespace pynvme::ssd
