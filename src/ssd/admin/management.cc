// Vital Product Data as it leaves the factory: the IPMI FRU format that NVMe-MI 1.2 §9.2 takes
// over.
#include "ssd/admin/management.h"

#include <algorithm>
#include <string>
#include <vector>

namespace pynvme::ssd {
namespace {

constexpr uint8_t kFormatVersion = 0x01;
constexpr uint8_t kEnglish = 25;
constexpr uint8_t kText = 0xC0;  // of 8-bit characters; the length in 5:0
constexpr uint8_t kEndOfFields = 0xC1;
constexpr size_t kUnit = 8;  // areas are multiples of it

// The last byte makes the sum of an area zero.
void finish(std::vector<uint8_t>& area) {
  area.resize((area.size() + kUnit) / kUnit * kUnit);
  uint8_t sum = 0;
  for (const uint8_t byte : area) sum = static_cast<uint8_t>(sum + byte);
  area.back() = static_cast<uint8_t>(-sum);
}

void add_text(std::vector<uint8_t>& area, const std::string& text) {
  area.push_back(static_cast<uint8_t>(kText | text.size()));
  area.insert(area.end(), text.begin(), text.end());
}

std::vector<uint8_t> product_area(const Config& config) {
  std::vector<uint8_t> area{kFormatVersion, 0, kEnglish};
  add_text(area, "pynvme");
  add_text(area, config.model);
  add_text(area, "SSD");
  add_text(area, config.firmware);
  add_text(area, config.serial);
  area.insert(area.end(), {kText, kText, kEndOfFields});  // no asset tag, no FRU file
  area[1] = static_cast<uint8_t>((area.size() + kUnit) / kUnit);
  finish(area);
  return area;
}

}  // namespace

Management::Management(std::span<uint8_t> persistent, const Config& config) : vpd_(persistent) {
  if (vpd_[0] != 0) return;
  // The product area follows the common header.
  std::vector<uint8_t> vpd{kFormatVersion, 0, 0, 0, 1, 0, 0};
  finish(vpd);
  const std::vector<uint8_t> product = product_area(config);
  vpd.insert(vpd.end(), product.begin(), product.end());
  std::copy(vpd.begin(), vpd.end(), vpd_.begin());
}

bool Management::set_transmission_unit(uint16_t bytes) {
  if (bytes < kTransmissionUnitMin || bytes > kTransmissionUnitMax) return false;
  transmission_unit_ = bytes;
  return true;
}

}  // namespace pynvme::ssd
