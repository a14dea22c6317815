// Faults of embedded SSDs for Python.
#pragma once

#include <nanobind/nanobind.h>

#include "pcie/embedded/slot.h"

namespace pynvme::bindings {

// A dict of what it matches and does, how often it did, and the commands it fired on.
nanobind::dict fault_record(const ssd::FaultState& state);

// The tables of matches and actions, for the documentation.
void bind_fault_tables(nanobind::module_& m);

}  // namespace pynvme::bindings
