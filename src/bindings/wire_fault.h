// The words in which scripts say what is to go wrong with PDUs, of a target and of a host.
#pragma once

#include <cstdint>
#include <string>

#include "base/wire_faults.h"

namespace pynvme::bindings {

// pdu and qid below zero: any. Throws ValueError for an action that is none.
base::WireFault wire_fault(const std::string& action, int pdu, int qid, uint32_t skip,
                           uint32_t count, uint32_t delay_ms);

}  // namespace pynvme::bindings
