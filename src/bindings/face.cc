#include "bindings/face.h"

#include <array>
#include <stdexcept>
#include <string>
#include <utility>

#include <nanobind/stl/string.h>

#include "bindings/errors.h"

namespace nb = nanobind;

namespace pynvme::bindings {
namespace {

// A catch-all overload would do the same in nanobind's own terms, but would show in help() and in
// the stubs, and slow every call down. So the vectorcall slot of each function, which CPython
// documents, gets a function that calls the original one and looks at what comes back. nanobind has
// a handful of originals: one such function for each.
constexpr size_t kOriginals = 12;
std::array<vectorcallfunc, kOriginals> originals{};

nb::object explained(PyObject* function, PyObject* const* arguments, size_t count, PyObject* names,
                     const std::string& text) {
  nb::list positional;
  for (size_t i = 0; i < count; ++i) positional.append(nb::handle(arguments[i]));
  nb::dict keywords;
  const Py_ssize_t named = names != nullptr ? PyTuple_GET_SIZE(names) : 0;
  for (Py_ssize_t i = 0; i < named; ++i) {
    keywords[nb::handle(PyTuple_GET_ITEM(names, i))] =
        nb::handle(arguments[count + static_cast<size_t>(i)]);
  }
  return nb::module_::import_("nvme.arguments")
      .attr("explain")(nb::handle(function), positional, keywords, text);
}

PyObject* translated(PyObject* function, PyObject* const* arguments, size_t count,
                     PyObject* names) noexcept {
  if (PyErr_ExceptionMatches(PyExc_TypeError) == 0) return nullptr;
  try {
    const nb::python_error raised;
    const auto text = nb::cast<std::string>(nb::str(raised.value()));
    if (!raised.type().is(PyExc_TypeError) ||
        text.find("(): incompatible function arguments.") == std::string::npos) {
      PyErr_SetObject(raised.type().ptr(), raised.value().ptr());
      return nullptr;
    }
    const nb::object sentence = explained(function, arguments, count, names, text);
    throw_argument_error(nb::cast<std::string>(sentence), "ArgumentTypeError");
  } catch (nb::python_error& error) {
    error.restore();
  } catch (const std::exception& error) {
    PyErr_SetString(PyExc_SystemError, error.what());
  }
  return nullptr;
}

template <size_t kIndex>
PyObject* guarded(PyObject* function, PyObject* const* arguments, size_t flags, PyObject* names) {
  PyObject* const result = originals[kIndex](function, arguments, flags, names);
  if (result != nullptr) [[likely]]
    return result;
  return translated(function, arguments, static_cast<size_t>(PyVectorcall_NARGS(flags)), names);
}

template <size_t... kIndex>
constexpr auto guards(std::index_sequence<kIndex...>) {
  return std::array<vectorcallfunc, sizeof...(kIndex)>{guarded<kIndex>...};
}

void guard(nb::handle function, PyTypeObject* method_type, PyTypeObject* function_type) {
  static constexpr auto kGuards = guards(std::make_index_sequence<kOriginals>());
  PyTypeObject* const type = Py_TYPE(function.ptr());
  if (type != method_type && type != function_type) return;
  auto* const slot = reinterpret_cast<vectorcallfunc*>(reinterpret_cast<char*>(function.ptr()) +
                                                       type->tp_vectorcall_offset);
  for (size_t i = 0; i < kOriginals; ++i) {
    if (*slot == kGuards[i]) return;
    if (originals[i] == nullptr) originals[i] = *slot;
    if (originals[i] != *slot) continue;
    *slot = kGuards[i];
    return;
  }
  throw std::runtime_error("nanobind has more kinds of functions than bindings/face.cc knows");
}

}  // namespace

void guard_signatures(nb::module_& m) {
  PyTypeObject* const function_type = Py_TYPE(nb::object(m.attr("seed")).ptr());
  PyTypeObject* const method_type =
      Py_TYPE(nb::object(m.attr("Buffer").attr("__dict__")["data"]).ptr());
  for (const auto& [name, value] : nb::borrow<nb::dict>(m.attr("__dict__"))) {
    guard(value, method_type, function_type);
    if (!PyType_Check(value.ptr())) continue;
    const nb::dict members =
        nb::steal<nb::dict>(PyDict_Copy(reinterpret_cast<PyTypeObject*>(value.ptr())->tp_dict));
    for (const auto& [member, attribute] : members) {
      guard(attribute, method_type, function_type);
      if (PyObject_TypeCheck(attribute.ptr(), &PyProperty_Type) == 0) continue;
      guard(nb::object(attribute.attr("fset")), method_type, function_type);
    }
  }
}

}  // namespace pynvme::bindings
