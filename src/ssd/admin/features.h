// Values of features (NVMe Base 2.0 §5.27.1): current, default and saved. What a value does is the
// business of the part it configures; the commands are in admin_features.cc.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "spec/feature.h"
#include "ssd/config.h"

namespace pynvme::ssd {

inline constexpr uint8_t kTemperatureSensors = 2;
inline constexpr size_t kLbaRangesMax = 64;  // NVM Command Set 1.0 §4.1.3.2

// What a namespace has of its own; all at its default until something is set.
struct NamespaceFeatures {
  uint32_t error_recovery = 0;
  std::vector<spec::LbaRangeType> lba_ranges;  // empty: one range, all of the namespace
  uint8_t write_protection = spec::NamespaceWriteProtectionFeature::kNone;
};

// One set of values of everything that has more than a constant.
struct FeatureValues {
  uint32_t arbitration = 0;
  uint32_t power_management = 0;
  // By TMPSEL: 0 is the composite temperature.
  std::array<uint16_t, 1 + kTemperatureSensors> over_temperature{};
  std::array<uint16_t, 1 + kTemperatureSensors> under_temperature{};
  bool write_cache = true;
  uint32_t number_of_queues = 0;
  uint32_t interrupt_coalescing = 0;
  std::vector<bool> coalescing_disabled;  // by vector
  uint32_t write_atomicity = 0;
  uint32_t async_events = 0;
  bool apst_enabled = false;
  spec::ApstTable apst{};
  uint32_t keep_alive_ms = 0;
  uint32_t host_controlled_thermal = 0;
  uint32_t non_operational_power = 0;
  spec::HostBehaviorSupport host_behavior{};
  uint32_t sanitize_config = 0;
  uint8_t software_progress = 0;
  std::array<uint8_t, 16> host_identifier{};
  std::map<uint32_t, NamespaceFeatures> of_namespace;  // by NSID

  NamespaceFeatures of(uint32_t nsid) const {
    const auto found = of_namespace.find(nsid);
    return found == of_namespace.end() ? NamespaceFeatures{} : found->second;
  }
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

  // Loads what was saved there, and saves there from now on. Saved power states that this SSD does
  // not have (the same file with another `powerstates`) are the default again.
  void keep_in(std::span<uint8_t> store, const Config& config);
  // `saved` or a namespace's write protection has changed.
  void store() const;

  // A Controller Level Reset: the saved value where there is one, else the default, which are the
  // same thing until something is saved (§4.4).
  void reset();
  // Protection until the next power cycle ends with it (§8.12).
  void power_cycled();
  // The namespace is gone, or its LBAs are others than before.
  void forget_namespace(uint32_t nsid);
  void forget_lba_ranges(uint32_t nsid);

  // The timestamp runs by the device's clock.
  void set_timestamp(uint64_t ms, uint64_t now_ns);
  void reset_timestamp(uint64_t now_ns);
  spec::Timestamp timestamp(uint64_t now_ns) const;

 private:
  std::span<uint8_t> store_;
  // Atomic: what happens in the background is stamped with it.
  std::atomic<uint64_t> timestamp_ms_{0};
  std::atomic<uint64_t> timestamp_set_ns_{0};
  std::atomic<uint8_t> timestamp_origin_{spec::Timestamp::kOriginReset};
};

}  // namespace pynvme::ssd
