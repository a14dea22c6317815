// True and False of the public API: Python's, numpy's, and the integers 0 and 1 that older scripts
// write. Anything else fits no signature (bindings/face.h).
#pragma once

#include <nanobind/nanobind.h>

namespace pynvme::bindings {

struct BoolArg {
  bool value = false;
  // NOLINTNEXTLINE(google-explicit-constructor): stands where a bool stood
  operator bool() const { return value; }
};

}  // namespace pynvme::bindings

template <>
struct nanobind::detail::type_caster<pynvme::bindings::BoolArg> {
  NB_TYPE_CASTER(pynvme::bindings::BoolArg, const_name("bool"))
  bool from_python(handle source, uint32_t, cleanup_list*) noexcept {
    if (source.ptr() == Py_True || source.ptr() == Py_False) {
      value.value = source.ptr() == Py_True;
      return true;
    }
    // numpy.bool_ is no integer, but a number.
    if (!PyIndex_Check(source.ptr()) && !PyNumber_Check(source.ptr())) return false;
    if (PyFloat_Check(source.ptr())) return false;
    const int truth = PyObject_IsTrue(source.ptr());
    if (truth < 0) PyErr_Clear();
    value.value = truth == 1;
    return truth >= 0;
  }
  static handle from_cpp(const pynvme::bindings::BoolArg& source, rv_policy,
                         cleanup_list*) noexcept {
    return handle(source.value ? Py_True : Py_False).inc_ref();
  }
};
