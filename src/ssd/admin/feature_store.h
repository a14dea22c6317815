// Saved feature values where they outlive the process: written as a whole each time one is saved,
// into the older of two places, so that a process killed in between leaves the newer one as it was.
#pragma once

#include <cstdint>
#include <span>

#include "ssd/admin/features.h"

namespace pynvme::ssd {

// Both places together.
inline constexpr size_t kFeatureStoreBytes = 192 << 10;

// False when there is nothing yet. Values of `saved`, and in `current` the write protection of
// namespaces, which outlives a power cycle by itself.
bool load_features(std::span<const uint8_t> store, FeatureValues& saved, FeatureValues& current);
void store_features(std::span<uint8_t> store, const FeatureValues& saved,
                    const FeatureValues& current);

}  // namespace pynvme::ssd
