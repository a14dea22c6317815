// The last word on arguments that fit no signature: a wrong type, None, one too many, an unknown
// keyword. nanobind raises TypeError for them; scripts of all generations catch AssertionError.
#pragma once

#include <nanobind/nanobind.h>

namespace pynvme::bindings {

// Makes every function of the module, and every method and setter of its classes, raise
// ArgumentTypeError, which is an AssertionError, a ValueError and a TypeError. When all of them are
// bound.
void guard_signatures(nanobind::module_& m);

}  // namespace pynvme::bindings
