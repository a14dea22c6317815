// C++ exceptions to the Python exceptions of nvme.errors, and warnings at the script's own line.
#pragma once

#include <string>

#include <nanobind/nanobind.h>

namespace pynvme::bindings {

// Throws the class of that name in nvme.errors. With the GIL.
[[noreturn]] void throw_python(const char* error_class, const std::string& text);
[[noreturn]] void throw_argument_error(const std::string& text,
                                       const char* error_class = "ArgumentError");

// A UserWarning at the nearest frame outside of the package. Throws when warnings are errors. With
// the GIL.
void warn(const std::string& text);

// The C++ exception under way as "text", for constructors that raise another class for it.
std::string current_exception_text();

void bind_errors();

}  // namespace pynvme::bindings
