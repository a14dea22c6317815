// Miscompares for Python: records as dicts, of which python/nvme/forensics.py makes artefacts.
#pragma once

#include <string>

#include <nanobind/nanobind.h>

#include "verify/miscompare.h"

namespace pynvme::bindings {

nanobind::dict miscompare_record(const verify::Miscompare& miscompare);

// Hands it to nvme.forensics; what that adds to the text of the warning. With the GIL. Never
// throws.
std::string report_miscompare(const verify::Miscompare& miscompare);

}  // namespace pynvme::bindings
