#include "bindings/pcie.h"

#include <optional>
#include <vector>

#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "bindings/bind.h"
#include "bindings/controller.h"
#include "bindings/errors.h"
#include "bindings/int_arg.h"
#include "bindings/pcie_doc.h"
#include "pcie/config_space.h"

namespace nb = nanobind;
using namespace nb::literals;  // NOLINT(google-build-using-namespace): argument names

namespace pynvme::bindings {
namespace {

[[noreturn]] void throw_index(const Pcie& self, const std::string& what) {
  throw nb::index_error((what + " is outside of the configuration space of " + self.address() +
                         ", " + std::to_string(self.function().config_size()) + " bytes")
                            .c_str());
}

// Others run while a server answers.
template <class Access>
auto access(const Pcie& self, Access on) {
  const auto function = self.device()->shared_function();
  std::optional<PythonWait> wait;
  if (function->is_served()) wait.emplace();
  return on(*function);
}

uint16_t offset_of(const Pcie& self, const IntArg& index) {
  const uint64_t offset = index.u64("offset");
  if (offset >= self.function().config_size())
    throw_index(self, "offset " + std::to_string(offset));
  return static_cast<uint16_t>(offset);
}

std::vector<uint32_t> read_bytes(const Pcie& self, const nb::slice& slice) {
  const auto size = static_cast<Py_ssize_t>(self.function().config_size());
  const nb::object stop = slice.attr("stop");
  if (!stop.is_none() && nb::cast<IntArg>(stop).i64("slice bound") > size) {
    throw_index(self, "slice bound " + nb::cast<std::string>(nb::str(stop)));
  }
  Py_ssize_t first = 0;
  Py_ssize_t last = 0;
  Py_ssize_t step = 0;
  if (PySlice_Unpack(slice.ptr(), &first, &last, &step) != 0) throw nb::python_error();
  const Py_ssize_t count = PySlice_AdjustIndices(size, &first, &last, step);
  return access(self, [&](pcie::Function& function) {
    std::vector<uint32_t> bytes;
    bytes.reserve(static_cast<size_t>(count));
    for (Py_ssize_t i = 0; i < count; ++i) {
      bytes.push_back(function.config_read(static_cast<uint16_t>(first + i * step), 1));
    }
    return bytes;
  });
}

uint64_t read_register(const Pcie& self, const IntArg& offset, const IntArg& byte_count) {
  const uint16_t first = offset_of(self, offset);
  const uint64_t count = byte_count.in("byte_count", 1, 8);
  if (first + count > self.function().config_size()) {
    throw_index(self, "offset " + std::to_string(first + count - 1));
  }
  // The widest aligned accesses that cover it: a register is read as a whole where it can be.
  return access(self, [&](pcie::Function& function) {
    uint64_t value = 0;
    for (uint64_t done = 0; done < count;) {
      const auto at = static_cast<uint16_t>(first + done);
      unsigned width = 4;
      while (at % width != 0 || width > count - done) width /= 2;
      value |= uint64_t{function.config_read(at, width)} << (8 * done);
      done += width;
    }
    return value;
  });
}

uint64_t bar_offset(const Pcie& self, const IntArg& offset, const IntArg& bar) {
  const auto index = static_cast<unsigned>(bar.in("bar", 0, 5));
  const uint64_t size = self.function().bar_size(index);
  if (size == 0) {
    throw_argument_error(self.address() + " has no memory BAR " + std::to_string(index));
  }
  const uint64_t at = offset.in("offset", 0, size - 4);
  if (at % 4 != 0)
    throw_argument_error("offset = " + std::to_string(at) + " is not a multiple of 4");
  return at;
}

}  // namespace

void bind_pcie(nb::module_& m) {
  nb::class_<Pcie>(m, "Pcie", nb::is_weak_referenceable(), doc::kPcie)
      .def(nb::init<const std::string&>(), "addr"_a)
      .def(
          "__init__", [](Pcie* self, const Controller& nvme) { new (self) Pcie(nvme.handle()); },
          "nvme"_a)
      .def("__getitem__", read_bytes, "slice"_a,
           nb::sig("def __getitem__(self, index: slice, /) -> list[int]"))
      .def(
          "__getitem__",
          [](const Pcie& self, const IntArg& index) {
            const uint16_t at = offset_of(self, index);
            return access(self, [at](pcie::Function& on) { return on.config_read(at, 1); });
          },
          "offset"_a, nb::sig("def __getitem__(self, index: int, /) -> int"), doc::kGetConfig)
      .def(
          "__setitem__",
          [](Pcie& self, const IntArg& index, const IntArg& value) {
            const uint16_t at = offset_of(self, index);
            const uint8_t byte = value.u8("byte value");
            access(self, [=](pcie::Function& on) { on.config_write(at, byte, 1); });
          },
          "offset"_a, "value"_a,
          nb::sig("def __setitem__(self, index: int, value: int, /) -> None"), doc::kSetConfig)
      .def("register", read_register, "offset"_a, "byte_count"_a = 4, doc::kRegister)
      .def(
          "cap_offset",
          [](const Pcie& self, const IntArg& id) -> std::optional<uint16_t> {
            const uint8_t wanted = id.u8("id");
            return access(self, [=](pcie::Function& on) -> std::optional<uint16_t> {
              return pcie::ConfigSpace(on).find(wanted);
            });
          },
          "id"_a, doc::kCapOffset)
      .def(
          "mem_dword_read",
          [](const Pcie& self, const IntArg& offset, const IntArg& bar) {
            const uint64_t at = bar_offset(self, offset, bar);
            const unsigned number = bar.u8("bar");
            return access(self, [=](pcie::Function& on) { return on.bar_read(number, at, 4); });
          },
          "offset"_a, "bar"_a = 0, doc::kMemDwordRead)
      .def(
          "mem_dword_write",
          [](Pcie& self, const IntArg& offset, const IntArg& value, const IntArg& bar) {
            const uint64_t at = bar_offset(self, offset, bar);
            const unsigned number = bar.u8("bar");
            const uint32_t to = value.u32("value");
            access(self, [=](pcie::Function& on) { on.bar_write(number, at, to, 4); });
          },
          "offset"_a, "value"_a, "bar"_a = 0, doc::kMemDwordWrite)
      .def_prop_ro(
          "addr", [](const Pcie& self) { return self.address(); }, doc::kPcieAddr)
      .def(
          "close", [](Pcie& self) { self.close(); }, doc::kPcieClose);

  // What python/nvme/pcie.py builds on.
  m.def("pcie_config_write",
        [](Pcie& self, const IntArg& offset, const IntArg& value, const IntArg& size) {
          const uint16_t at = offset.u16("offset");
          const uint32_t to = value.u32("value");
          const unsigned width = size.u8("size");
          access(self, [=](pcie::Function& on) { on.config_write(at, to, width); });
        });
  m.def("pcie_hot_reset", [](Pcie& self) {
    const auto function = self.device()->shared_function();
    if (const auto controller = self.device()->controller_if_any()) {
      const auto driver = controller->shared_driver();
      const PythonWait wait;
      driver->hot_reset();
      return;
    }
    const PythonWait wait;
    pcie::ConfigSpace config(*function);
    const auto saved = config.save();
    function->hot_reset();
    config.restore(saved);
  });
  m.def("pcie_function_level_reset", [](Pcie& self) {
    const auto function = self.device()->shared_function();
    if (const auto controller = self.device()->controller_if_any()) {
      const auto driver = controller->shared_driver();
      const PythonWait wait;
      driver->function_level_reset();
      return;
    }
    const PythonWait wait;
    pcie::ConfigSpace config(*function);
    const auto saved = config.save();
    function->function_level_reset();
    config.restore(saved);
  });
  m.def("pcie_config_save", [](Pcie& self) {
    return access(self, [](pcie::Function& on) { return pcie::ConfigSpace(on).save(); });
  });
  m.def("pcie_config_restore", [](Pcie& self, const std::vector<uint32_t>& saved) {
    access(self, [&](pcie::Function& on) { pcie::ConfigSpace(on).restore(saved); });
  });
}

}  // namespace pynvme::bindings
