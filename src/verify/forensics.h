// From the evidence of a miscompare to what it is. Compares the data with what every write that is
// remembered left (write logs, the script's data, the tables of all namespaces), with the patterns
// of IOWorkers made again, and with what their CRC alone can tell. Slow: milliseconds.
#pragma once

#include <vector>

#include "verify/finding.h"
#include "verify/integrity.h"
#include "verify/known_namespaces.h"

namespace pynvme::verify {

Finding examine(const Mismatch& mismatch, const std::vector<KnownNamespace>& known, Integrity& own);

}  // namespace pynvme::verify
