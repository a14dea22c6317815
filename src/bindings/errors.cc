#include "bindings/errors.h"

#include <cstring>
#include <stdexcept>
#include <string_view>

#include <nanobind/stl/string.h>

#include "driver/errors.h"
#include "pcie/address.h"
#include "pcie/bus.h"

namespace nb = nanobind;

namespace pynvme::bindings {
namespace {

// Looked up when it is needed: the extension alone (the stub generator imports it so) needs no
// package.
nb::object error_class(const char* name) { return nb::module_::import_("nvme.errors").attr(name); }

void set_error(const char* name, const char* text) noexcept {
  try {
    PyErr_SetString(error_class(name).ptr(), text);
  } catch (nb::python_error&) {
    // The interpreter is on its way out and imports nothing any more.
    PyErr_SetString(PyExc_AssertionError, text);
  }
}

void translate(const std::exception_ptr& pointer, void*) {
  try {
    std::rethrow_exception(pointer);
  } catch (const driver::DeviceGone& error) {
    PyErr_SetString(PyExc_SystemError, error.what());
  } catch (const driver::ControllerFatal& error) {
    PyErr_SetString(PyExc_SystemError, error.what());
  } catch (const driver::CommandTimeout& error) {
    PyErr_SetString(PyExc_TimeoutError, error.what());
  } catch (const driver::EnumerateError& error) {
    set_error("NvmeEnumerateError", error.what());
  } catch (const driver::ShutdownTimeout& error) {
    set_error("NvmeShutdownStatusTimeoutError", error.what());
  } catch (const driver::QueueCreationError& error) {
    set_error("QpairCreationError", error.what());
  } catch (const driver::QueueDeletionError& error) {
    set_error("QpairDeletionError", error.what());
  } catch (const driver::InvalidArgument& error) {
    set_error("ArgumentError", error.what());
  } catch (const driver::QueueFull& error) {
    set_error("ArgumentError", error.what());
  } catch (const driver::QueueDead& error) {
    set_error("ArgumentError", error.what());
  } catch (const pcie::AddressError& error) {
    set_error("AddressError", error.what());
  } catch (const pcie::OpenError& error) {
    set_error("NvmeEnumerateError", error.what());
  } catch (const std::invalid_argument& error) {
    set_error("ArgumentError", error.what());
  }
}

bool is_ours(PyFrameObject* frame) {
  const nb::object globals = nb::steal(PyFrame_GetGlobals(frame));
  PyObject* name = PyDict_GetItemString(globals.ptr(), "__name__");
  const char* text = name != nullptr && PyUnicode_Check(name) ? PyUnicode_AsUTF8(name) : nullptr;
  return text != nullptr && (std::strcmp(text, "nvme") == 0 || std::strncmp(text, "nvme.", 5) == 0);
}

// 1 is the Python frame that called into the extension.
Py_ssize_t script_stack_level() {
  Py_ssize_t level = 1;
  nb::object frame = nb::borrow(reinterpret_cast<PyObject*>(PyEval_GetFrame()));
  while (frame.is_valid() && is_ours(reinterpret_cast<PyFrameObject*>(frame.ptr()))) {
    ++level;
    frame = nb::steal(reinterpret_cast<PyObject*>(
        PyFrame_GetBack(reinterpret_cast<PyFrameObject*>(frame.ptr()))));
  }
  return level;
}

}  // namespace

void throw_python(const char* name, const std::string& text) {
  set_error(name, text.c_str());
  throw nb::python_error();
}

void throw_argument_error(const std::string& text, const char* name) { throw_python(name, text); }

void warn(const std::string& text) {
  if (PyErr_WarnEx(PyExc_UserWarning, text.c_str(), script_stack_level()) != 0) {
    throw nb::python_error();
  }
}

std::string current_exception_text() {
  try {
    throw;
  } catch (const std::exception& error) {
    return error.what();
  }
}

void bind_errors() { nb::register_exception_translator(translate); }

}  // namespace pynvme::bindings
