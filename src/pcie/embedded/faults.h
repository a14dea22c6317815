// Faults of an embedded SSD for those who do not see the SSD itself: what EmbeddedSlot returns, and
// the tables that the documentation shows.
#pragma once

#include "ssd/faults/actions.h"
#include "ssd/faults/fault.h"

namespace pynvme::pcie {

using FaultState = ssd::FaultState;
using FaultFiring = ssd::FaultFiring;
using FaultScope = ssd::FaultScope;
using ssd::fault_actions;
using ssd::fault_match_keys;

}  // namespace pynvme::pcie
