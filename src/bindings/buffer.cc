#include "bindings/buffer.h"

#include <cstring>
#include <optional>
#include <span>

#include <nanobind/stl/string.h>

#include "base/rng.h"
#include "bindings/bind.h"
#include "bindings/buffer_doc.h"
#include "bindings/controller.h"
#include "bindings/errors.h"
#include "bindings/int_arg.h"
#include "bindings/open_device.h"
#include "ioworker/pattern.h"
#include "ioworker/workload.h"

namespace nb = nanobind;
using namespace nb::literals;  // NOLINT(google-build-using-namespace): argument names

namespace pynvme::bindings {
namespace {

// A sanity bound: larger buffers are a mistake in the script.
constexpr uint64_t kMaxBytes = 1ULL << 32;
constexpr uint32_t kPatternUnit =
    512;  // the pattern of a larger Buffer starts anew every 512 bytes

base::Rng& random_source() {
  static base::Rng rng(0x9E3779B9);
  return rng;
}

[[noreturn]] void throw_index(const Buffer& buffer, const std::string& what) {
  throw nb::index_error((what + " is outside of the Buffer '" + buffer.name() + "' of " +
                         std::to_string(buffer.length()) + " bytes")
                            .c_str());
}

// One index, negative ones from the end.
uint64_t position(const Buffer& buffer, const IntArg& index) {
  const int64_t i = index.i64("index");
  const auto size = static_cast<int64_t>(buffer.length());
  if (i < -size || i >= size) throw_index(buffer, "index " + std::to_string(i));
  return static_cast<uint64_t>(i < 0 ? i + size : i);
}

struct Selection {
  int64_t start;
  int64_t step;
  size_t count;
  bool open;  // no stop was given
};

// Unlike a list, a Buffer refuses bounds outside of it: a script that names bytes wants those
// bytes.
Selection select(const Buffer& buffer, const nb::slice& slice) {
  const auto size = static_cast<int64_t>(buffer.length());
  const nb::object start = slice.attr("start");
  const nb::object stop = slice.attr("stop");
  for (const nb::object& bound : {start, stop}) {
    if (bound.is_none()) continue;
    const int64_t value = nb::cast<IntArg>(bound).i64("slice bound");
    if (value < -size || value > size) throw_index(buffer, "slice bound " + std::to_string(value));
  }
  Py_ssize_t first = 0;
  Py_ssize_t last = 0;
  Py_ssize_t step = 0;
  if (PySlice_Unpack(slice.ptr(), &first, &last, &step) != 0) throw nb::python_error();
  const Py_ssize_t count =
      PySlice_AdjustIndices(static_cast<Py_ssize_t>(size), &first, &last, step);
  return {first, step, static_cast<size_t>(count), stop.is_none()};
}

nb::bytes bytes_of(const Buffer& buffer, const Selection& part) {
  const auto* data = reinterpret_cast<const char*>(buffer.bytes());
  if (part.step == 1) return nb::bytes(data + part.start, part.count);
  std::string taken(part.count, '\0');
  for (size_t i = 0; i < part.count; ++i)
    taken[i] = data[part.start + static_cast<int64_t>(i) * part.step];
  return nb::bytes(taken.data(), taken.size());
}

uint8_t byte_value(nb::handle value) { return nb::cast<IntArg>(value).u8("byte value"); }

bool is_integer(nb::handle value) {
  if (PyLong_Check(value.ptr())) return true;
  if (!PyIndex_Check(value.ptr())) return false;
  const nb::object number = nb::steal(PyNumber_Index(value.ptr()));
  if (!number.is_valid()) PyErr_Clear();
  return number.is_valid();
}

void assign(Buffer& buffer, const nb::slice& slice, nb::handle value) {
  const Selection part = select(buffer, slice);
  uint8_t* const data = buffer.bytes();
  const auto at = [&](size_t i) -> uint8_t& {
    return data[part.start + static_cast<int64_t>(i) * part.step];
  };
  // An array of numpy has an __index__ too, and a number of numpy is memory too.
  if (is_integer(value)) {
    const uint8_t byte = byte_value(value);
    for (size_t i = 0; i < part.count; ++i) at(i) = byte;
    return;
  }
  std::string bytes;
  if (PyObject_CheckBuffer(value.ptr())) {
    Py_buffer view;
    if (PyObject_GetBuffer(value.ptr(), &view, PyBUF_FULL_RO) != 0) throw nb::python_error();
    bytes.resize(static_cast<size_t>(view.len));
    const int failed = PyBuffer_ToContiguous(bytes.data(), &view, view.len, 'C');
    PyBuffer_Release(&view);
    if (failed != 0) throw nb::python_error();
  } else if (PyUnicode_Check(value.ptr())) {
    throw_argument_error("a Buffer takes bytes, not str: write b'...' or text.encode()",
                         "ArgumentTypeError");
  } else {
    const nb::object items = nb::steal(PyObject_GetIter(value.ptr()));
    if (!items.is_valid()) {
      PyErr_Clear();
      throw_argument_error(std::string("a slice of a Buffer takes an int, bytes or ints, not ") +
                               Py_TYPE(value.ptr())->tp_name,
                           "ArgumentTypeError");
    }
    while (const nb::object item = nb::steal(PyIter_Next(items.ptr()))) {
      bytes.push_back(static_cast<char>(byte_value(item)));
    }
    if (PyErr_Occurred() != nullptr) throw nb::python_error();
  }
  if (bytes.size() > part.count) {
    throw_index(buffer, std::to_string(bytes.size()) + " bytes for a slice of " +
                            std::to_string(part.count) + ": the last of them");
  }
  for (size_t i = 0; i < bytes.size(); ++i) at(i) = static_cast<uint8_t>(bytes[i]);
}

nb::object get_data(const Buffer& buffer, const IntArg& byte_end, const nb::object& byte_begin,
                    const nb::object& type) {
  const uint64_t end = byte_end.u64("byte_end");
  const uint64_t begin =
      byte_begin.is_none() ? end : nb::cast<IntArg>(byte_begin).u64("byte_begin");
  if (begin > end) {
    throw_argument_error("byte_begin = " + std::to_string(begin) + " is behind byte_end = " +
                         std::to_string(end) + "; both belong to the field");
  }
  if (end >= buffer.length()) throw_index(buffer, "byte_end = " + std::to_string(end));
  const uint8_t* const data = buffer.bytes() + begin;
  const size_t size = end - begin + 1;
  if (type.is(nb::handle(reinterpret_cast<PyObject*>(&PyLong_Type)))) {
    if (size <= sizeof(uint64_t)) {
      uint64_t value = 0;
      std::memcpy(&value, data, size);
      return nb::int_(value);
    }
    return nb::steal(_PyLong_FromByteArray(data, size, 1, 0));
  }
  const auto* text = reinterpret_cast<const char*>(data);
  if (type.is(nb::handle(reinterpret_cast<PyObject*>(&PyUnicode_Type)))) {
    return nb::steal(PyUnicode_DecodeUTF8(text, static_cast<Py_ssize_t>(size), "replace"));
  }
  if (type.is(nb::handle(reinterpret_cast<PyObject*>(&PyBytes_Type)))) return nb::bytes(text, size);
  throw_argument_error("type must be int, str or bytes");
}

void set_dsm_range(Buffer& buffer, const IntArg& index, const IntArg& lba, const IntArg& lba_count,
                   const IntArg& attr) {
  constexpr uint64_t kRangeBytes = 16;
  const uint64_t i = index.in("index", 0, 255);
  if ((i + 1) * kRangeBytes > buffer.size()) throw_index(buffer, "range " + std::to_string(i));
  const uint32_t attributes = attr.u32("attr");
  const uint32_t nlb = lba_count.u32("lba_count");
  const uint64_t slba = lba.u64("lba");
  uint8_t* const range = buffer.data() + i * kRangeBytes;
  std::memcpy(range, &attributes, 4);
  std::memcpy(range + 4, &nlb, 4);
  std::memcpy(range + 8, &slba, 8);
}

int get_view(PyObject* self, Py_buffer* view, int flags) noexcept {
  auto* buffer = nb::inst_ptr<Buffer>(self);
  const int failed = PyBuffer_FillInfo(view, self, buffer->bytes(),
                                       static_cast<Py_ssize_t>(buffer->length()), 0, flags);
  if (failed == 0) buffer->viewed(1);
  return failed;
}

void release_view(PyObject* self, Py_buffer*) noexcept { nb::inst_ptr<Buffer>(self)->viewed(-1); }

uint64_t edge(const Buffer& buffer, bool tail) {
  uint64_t value = 0;
  const size_t size = std::min<uint64_t>(sizeof(value), buffer.size());
  std::memcpy(&value, buffer.data() + (tail ? buffer.size() - size : 0), size);
  return value;
}

PyType_Slot slots[] = {{Py_bf_getbuffer, reinterpret_cast<void*>(get_view)},
                       {Py_bf_releasebuffer, reinterpret_cast<void*>(release_view)},
                       {0, nullptr}};

}  // namespace

void seed_random(uint64_t seed) { random_source() = base::Rng(seed); }
uint64_t random_u64() { return random_source().next(); }

Buffer::Buffer(uint64_t size, std::string name, uint64_t pvalue, uint64_t ptype)
    : memory_(std::make_shared<BufferMemory>()),
      name_(std::move(name)),
      allocated_(size),
      size_(size) {
  if (ptype != ioworker::kPatternConstant && ptype != ioworker::kPatternDword &&
      ptype != ioworker::kPatternRandom) {
    throw_argument_error("ptype = " + std::to_string(ptype) +
                         " is none of 0 (zeroes or ones), 32 (a dword) and 0xbeef (random)");
  }
  const uint64_t most = ptype == ioworker::kPatternConstant ? 1
                        : ptype == ioworker::kPatternDword  ? UINT32_MAX
                                                            : 100;
  if (pvalue > most) {
    throw_argument_error("pvalue = " + std::to_string(pvalue) + " is not in 0.." +
                         std::to_string(most) + " for this ptype");
  }
  {
    std::optional<PythonWait> wait;
    if (OpenDevice::any_is_served()) wait.emplace();
    memory_->block = pcie::DmaMemory::instance().allocate(size);
  }
  memory_->owner = this;
  if (ptype != ioworker::kPatternConstant || pvalue != 0) {
    const uint64_t unit = std::min<uint64_t>(kPatternUnit, size);
    ioworker::fill_pattern({memory_->block.data(), size}, static_cast<uint32_t>(unit),
                           static_cast<uint32_t>(ptype), pvalue, random_source());
  }
}

void Buffer::move_out() {
  auto fresh = std::make_shared<BufferMemory>();
  fresh->block = pcie::DmaMemory::instance().allocate(memory_->block.size());
  std::memcpy(fresh->block.data(), memory_->block.data(), memory_->block.size());
  memory_->owner = nullptr;
  fresh->owner = this;
  if (views_ != 0) left_.push_back(memory_);
  memory_ = std::move(fresh);
}

void Buffer::set_offset(uint64_t offset) {
  if (offset >= allocated_) {
    throw_argument_error("offset = " + std::to_string(offset) + " is not in 0.." +
                         std::to_string(allocated_ - 1) + ", the Buffer '" + name_ + "'");
  }
  offset_ = offset;
}

void Buffer::set_size(uint64_t size) {
  if (size == 0 || size > allocated_) {
    throw_argument_error("size = " + std::to_string(size) + " is not in 1.." +
                         std::to_string(allocated_) + ", what was allocated for the Buffer '" +
                         name_ + "'");
  }
  size_ = size;
}

void bind_buffer(nb::module_& m) {
  nb::class_<Buffer>(m, "Buffer", nb::type_slots(slots), nb::is_weak_referenceable(), doc::kBuffer)
      .def(
          "__init__",
          [](Buffer* self, const Controller&, const IntArg& size, std::string name,
             const IntArg& pvalue, const IntArg& ptype) {
            new (self) Buffer(size.in("size", 1, kMaxBytes), std::move(name), pvalue.u64("pvalue"),
                              ptype.u64("ptype"));
          },
          "nvme"_a, "size"_a = 4096, "name"_a = "buffer", "pvalue"_a = 0, "ptype"_a = 0)
      .def(
          "__init__",
          [](Buffer* self, const IntArg& size, std::string name, const IntArg& pvalue,
             const IntArg& ptype) {
            new (self) Buffer(size.in("size", 1, kMaxBytes), std::move(name), pvalue.u64("pvalue"),
                              ptype.u64("ptype"));
          },
          "size"_a = 4096, "name"_a = "buffer", "pvalue"_a = 0, "ptype"_a = 0)
      // Integers last: IntArg takes whatever it is given, to name what is wrong with it.
      .def("__len__", &Buffer::length)
      .def("__repr__", [](const Buffer& self) { return "<buffer name: " + self.name() + ">"; })
      .def(
          "__getitem__",
          [](const Buffer& self, const nb::slice& slice) {
            return bytes_of(self, select(self, slice));
          },
          "slice"_a, nb::sig("def __getitem__(self, index: slice, /) -> bytes"))
      .def(
          "__getitem__",
          [](const Buffer& self, const nb::tuple& old_form) {
            // buf[a:b, begin] of the oldest scripts: bytes begin..b-1.
            if (old_form.size() != 2 || !nb::isinstance<nb::slice>(old_form[0])) {
              throw_argument_error(
                  "a Buffer takes buf[i], buf[a:b], buf[a:b:step] or buf[a:b, begin]");
            }
            const nb::object stop = old_form[0].attr("stop");
            const nb::object part =
                nb::steal(PySlice_New(nb::object(old_form[1]).ptr(), stop.ptr(), nullptr));
            return bytes_of(self, select(self, nb::borrow<nb::slice>(part)));
          },
          "index"_a, nb::sig("def __getitem__(self, index: tuple[slice, int], /) -> bytes"))
      .def(
          "__getitem__",
          [](const Buffer& self, const IntArg& index) -> uint8_t {
            return self.bytes()[position(self, index)];
          },
          "index"_a, nb::sig("def __getitem__(self, index: int, /) -> int"), doc::kGetBytes)
      .def(
          "__setitem__",
          [](Buffer& self, const nb::slice& slice, nb::handle value) {
            assign(self, slice, value);
          },
          "slice"_a, "value"_a,
          nb::sig("def __setitem__(self, index: slice, value: int | bytes | "
                  "collections.abc.Iterable[int], /) -> None"))
      .def(
          "__setitem__",
          [](Buffer& self, const IntArg& index, nb::handle value) {
            self.bytes()[position(self, index)] = byte_value(value);
          },
          "index"_a, "value"_a, nb::sig("def __setitem__(self, index: int, value: int, /) -> None"),
          doc::kSetBytes)
      .def("data", get_data, "byte_end"_a, "byte_begin"_a = nb::none(),
           "type"_a = nb::borrow(reinterpret_cast<PyObject*>(&PyLong_Type)),
           nb::sig(
               "def data(self, byte_end: int, byte_begin: int | None = None, type: type = int) -> "
               "typing.Any"),
           doc::kData)
      .def("set_dsm_range", set_dsm_range, "index"_a, "lba"_a, "lba_count"_a, "attr"_a = 0,
           doc::kSetDsmRange)
      .def_prop_rw("name", &Buffer::name, &Buffer::set_name, doc::kName,
                   nb::for_setter(nb::sig("def name(self, value: str, /) -> None")))
      .def_prop_rw(
          "size", &Buffer::size,
          [](Buffer& self, const IntArg& size) { self.set_size(size.u64("size")); }, doc::kSize,
          nb::for_setter(nb::sig("def size(self, value: int, /) -> None")))
      .def_prop_rw(
          "offset", &Buffer::offset,
          [](Buffer& self, const IntArg& offset) { self.set_offset(offset.u64("offset")); },
          doc::kOffset, nb::for_setter(nb::sig("def offset(self, value: int, /) -> None")))
      .def_prop_ro("phys_addr", &Buffer::phys_addr, doc::kPhysAddr)
      .def_prop_ro(
          "data_head", [](const Buffer& self) { return edge(self, false); }, doc::kDataHead)
      .def_prop_ro(
          "data_tail", [](const Buffer& self) { return edge(self, true); }, doc::kDataTail);
}

}  // namespace pynvme::bindings
