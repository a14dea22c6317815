// What `pynvme serve` is made of: an embedded SSD and the doors that it is served at.
#include <memory>
#include <string>

#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>

#include "bindings/bind.h"
#include "pcie/embedded/served_ssd.h"

namespace nb = nanobind;
using namespace nb::literals;  // NOLINT(google-build-using-namespace): argument names

namespace pynvme::bindings {
namespace {

struct ServedSsd {
  explicit ServedSsd(const std::string& options)
      : ssd(std::make_unique<pcie::ServedSsd>(options)) {}
  ~ServedSsd() { close(); }
  ServedSsd(const ServedSsd&) = delete;
  ServedSsd& operator=(const ServedSsd&) = delete;

  void close() {
    const nb::gil_scoped_release release;
    ssd.reset();
  }

  std::unique_ptr<pcie::ServedSsd> ssd;
};

}  // namespace

void bind_serve(nb::module_& m) {
  nb::class_<ServedSsd>(m, "ServedSsd", "An embedded SSD that other programs come to.")
      .def(nb::init<const std::string&>(), "options"_a)
      .def(
          "listen_vfio_user",
          [](ServedSsd& self, const std::string& path) { self.ssd->listen_vfio_user(path); },
          "path"_a, "Serve it at a UNIX socket; RuntimeError says why that cannot be.")
      .def(
          "plant_fault",
          [](ServedSsd& self, const std::string& match, const std::string& action) {
            self.ssd->plant_fault(match, action);
          },
          "match"_a, "action"_a, "Plant a fault, as Ssd.fault() does.")
      .def(
          "close", [](ServedSsd& self) { self.close(); },
          "Let clients go, and write what is cached to its file.");
}

}  // namespace pynvme::bindings
