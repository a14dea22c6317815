// Where each part keeps what outlives the process: the same whichever door the drive is behind.
#pragma once

#include <cstddef>

#include "ssd/admin/feature_store.h"
#include "ssd/admin/management.h"

namespace pynvme::ssd {

// What of the 2 KiB that outlive the process is whose (Namespaces::persistent_area()).
struct PersistentPart {
  size_t offset;
  size_t bytes;
};
inline constexpr PersistentPart kPersistentSmart{0, 256};
inline constexpr PersistentPart kPersistentMaintenance{256, 1024};

// And of the 256 KiB beside the media (StateFile).
inline constexpr PersistentPart kStateEvents{0, 48 << 10};
inline constexpr PersistentPart kStateFirmware{60 << 10, 256};
inline constexpr PersistentPart kStateVpd{61 << 10, Management::kVpdBytes};
inline constexpr PersistentPart kStateFeatures{64 << 10, kFeatureStoreBytes};

}  // namespace pynvme::ssd
