#include "bindings/int_arg.h"

namespace pynvme::bindings {

bool IntArg::load(PyObject* source) noexcept {
  source_ = source;
  PyObject* number = source;
  if (!PyLong_Check(source)) [[unlikely]] {
    number = PyIndex_Check(source) ? PyNumber_Index(source) : nullptr;
    if (number == nullptr) {
      PyErr_Clear();
      kind_ = Kind::kNotInteger;
      return true;
    }
  }
  int overflow = 0;
  const long long small = PyLong_AsLongLongAndOverflow(number, &overflow);
  if (overflow == 0) [[likely]] {
    value_ = static_cast<uint64_t>(small);
    kind_ = small < 0 ? Kind::kNegative : Kind::kUnsigned;
  } else if (overflow < 0) {
    kind_ = Kind::kTooSmall;
  } else {
    value_ = PyLong_AsUnsignedLongLong(number);
    kind_ = Kind::kUnsigned;
    if (value_ == UINT64_MAX && PyErr_Occurred() != nullptr) {
      PyErr_Clear();
      kind_ = Kind::kTooLarge;
    }
  }
  if (number != source) Py_DECREF(number);
  return true;
}

int64_t IntArg::i64(const char* name) const {
  if (kind_ == Kind::kNegative || (kind_ == Kind::kUnsigned && value_ <= INT64_MAX)) {
    return static_cast<int64_t>(value_);
  }
  if (kind_ == Kind::kNotInteger) refuse(name, 0, 0);
  throw_argument_error(std::string(name) + " = " + text() + " does not fit into 64 bits");
}

std::string IntArg::text() const {
  const nanobind::object text = nanobind::steal(PyObject_Repr(source_));
  return text.is_valid() ? nanobind::cast<std::string>(nanobind::str(text)) : "?";
}

void IntArg::refuse(const char* name, uint64_t low, uint64_t high) const {
  if (kind_ == Kind::kNotInteger) {
    throw_argument_error(std::string(name) + " must be an integer, not " +
                             Py_TYPE(source_)->tp_name + " (" + text() + ")",
                         "ArgumentTypeError");
  }
  throw_argument_error(std::string(name) + " = " +
                       (source_ != nullptr ? text() : std::to_string(value_)) + " is not in " +
                       std::to_string(low) + ".." + std::to_string(high));
}

}  // namespace pynvme::bindings
