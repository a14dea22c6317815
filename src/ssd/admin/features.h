// Values of features (NVMe Base 2.0 §5.27.1): current, default and saved. What a value does is the
// business of the part it configures; the commands are in admin_features.cc.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <vector>

#include "spec/feature.h"
#include "ssd/config.h"

namespace pynvme::ssd {

inline constexpr uint8_t kTemperatureSensors = 2;

// One set of values of everything that has more than a constant.
struct FeatureValues {
  uint32_t arbitration = 0;
  uint32_t power_management = 0;
  // By TMPSEL: 0 is the composite temperature.
  std::array<uint16_t, 1 + kTemperatureSensors> over_temperature{};
  std::array<uint16_t, 1 + kTemperatureSensors> under_temperature{};
  std::vector<uint32_t> error_recovery;  // by nsid - 1
  bool write_cache = true;
  uint32_t number_of_queues = 0;
  uint32_t interrupt_coalescing = 0;
  std::vector<bool> coalescing_disabled;  // by vector
  uint32_t write_atomicity = 0;
  uint32_t async_events = 0;
  bool apst_enabled = false;
  spec::ApstTable apst{};
};

class Features {
 public:
  Features(const Config& config, uint16_t vectors, uint16_t over_temperature_kelvin);

  FeatureValues current;
  FeatureValues saved;
  const FeatureValues defaults;
  // Of `current`, for I/O commands, which do not wait for admin commands.
  std::atomic<bool> write_cache{true};

  // Whether this SSD has it, and how: kFeatureCap bits, or nothing when it has not.
  struct Kind {
    bool there = false;
    uint32_t capabilities = 0;
    uint16_t data_bytes = 0;  // carried by Set and Get Features
  };
  static Kind kind(uint8_t fid, const Config& config);

  // A Controller Level Reset: the saved value where there is one, else the default, which are the
  // same thing until something is saved (§4.4).
  void reset() {
    current = saved;
    write_cache = current.write_cache;
  }

  // The timestamp runs by the device's clock.
  void set_timestamp(uint64_t ms, uint64_t now_ns);
  void reset_timestamp(uint64_t now_ns);
  spec::Timestamp timestamp(uint64_t now_ns) const;

 private:
  uint64_t timestamp_ms_ = 0;
  uint64_t timestamp_set_ns_ = 0;
  uint8_t timestamp_origin_ = spec::Timestamp::kOriginReset;
};

}  // namespace pynvme::ssd
