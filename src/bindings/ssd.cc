// nvme.Ssd: embedded SSDs made by scripts and plugged into the virtual bus.
#include <memory>
#include <string>

#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "bindings/bind.h"
#include "pcie/bus.h"
#include "pcie/embedded/slot.h"

namespace nb = nanobind;
using namespace nb::literals;  // NOLINT(google-build-using-namespace): argument names

namespace pynvme::bindings {
namespace {

struct Ssd {
  Ssd(const std::string& address, const std::string& config)
      : slot(pcie::EmbeddedSlot::make(address, config)) {}

  std::shared_ptr<pcie::EmbeddedSlot> slot;
};

}  // namespace

void bind_ssd(nb::module_& m) {
  nb::class_<Ssd>(m, "Ssd", nb::is_weak_referenceable())
      .def(nb::init<const std::string&, const std::string&>(), "addr"_a, "config"_a)
      .def_prop_ro(
          "addr", [](const Ssd& self) { return self.slot->address(); },
          "PCI address on the virtual bus.")
      .def_prop_ro(
          "plugged", [](const Ssd& self) { return self.slot->plugged(); },
          "Whether it is in its slot.")
      .def(
          "plug", [](Ssd& self) { self.slot->plug(); },
          "Put it into its slot again; its data are what they were.")
      .def(
          "unplug", [](Ssd& self) { self.slot->unplug(); },
          "Take it out of its slot, in use or not: every access to it reads all ones from now on.");
  m.def(
      "bus_names", [] { return pcie::Bus::instance().names(); },
      "Addresses of the devices that this process knows.");
}

}  // namespace pynvme::bindings
