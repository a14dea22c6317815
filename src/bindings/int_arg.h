// Integer arguments of the public API: any Python integer (or what __index__ makes one, like
// numpy's), with the range checked by name, so that a wrong value is an ArgumentError with a
// sentence instead of nanobind's TypeError.
#pragma once

#include <cstdint>
#include <string>

#include <nanobind/nanobind.h>

#include "bindings/errors.h"

namespace pynvme::bindings {

class IntArg {
 public:
  enum class Kind : uint8_t { kNegative, kUnsigned, kTooLarge, kTooSmall, kNotInteger };

  IntArg() = default;
  // NOLINTNEXTLINE(google-explicit-constructor): default values in signatures
  IntArg(uint64_t value) : value_(value) {}

  bool load(PyObject* source) noexcept;

  // Both bounds inclusive. `name` is the argument's name in Python.
  uint64_t in(const char* name, uint64_t low, uint64_t high) const {
    if (kind_ == Kind::kUnsigned && value_ >= low && value_ <= high) [[likely]]
      return value_;
    refuse(name, low, high);
  }
  uint64_t u64(const char* name) const { return in(name, 0, UINT64_MAX); }
  uint32_t u32(const char* name) const { return static_cast<uint32_t>(in(name, 0, UINT32_MAX)); }
  uint16_t u16(const char* name) const { return static_cast<uint16_t>(in(name, 0, UINT16_MAX)); }
  uint8_t u8(const char* name) const { return static_cast<uint8_t>(in(name, 0, UINT8_MAX)); }
  // For arguments that may be negative: positions in a Buffer, steps of an IOWorker.
  int64_t i64(const char* name) const;

 private:
  [[noreturn]] void refuse(const char* name, uint64_t low, uint64_t high) const;
  std::string text() const;

  uint64_t value_ = 0;  // kNegative: two's complement
  Kind kind_ = Kind::kUnsigned;
  PyObject* source_ = nullptr;  // borrowed for the call
};

}  // namespace pynvme::bindings

template <>
struct nanobind::detail::type_caster<pynvme::bindings::IntArg> {
  NB_TYPE_CASTER(pynvme::bindings::IntArg, const_name("int"))
  bool from_python(handle source, uint32_t, cleanup_list*) noexcept {
    return value.load(source.ptr());
  }
  static handle from_cpp(const pynvme::bindings::IntArg& source, rv_policy,
                         cleanup_list*) noexcept {
    return PyLong_FromUnsignedLongLong(source.u64(""));
  }
};
