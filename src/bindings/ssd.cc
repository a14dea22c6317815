// nvme.Ssd: embedded SSDs made by scripts and plugged into the virtual bus.
#include <memory>
#include <string>

#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "bindings/bind.h"
#include "bindings/device_trace.h"
#include "bindings/faults.h"
#include "bindings/int_arg.h"
#include "pcie/address.h"
#include "pcie/bus.h"
#include "pcie/embedded/faults.h"
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
          R"(PCI address on the virtual bus, as Pcie() and Controller() take it.

>>> import nvme as d
>>> ssd = d.Ssd("01:00.0", capacity="1GiB")
>>> ssd.addr
'0000:01:00.0'
>>> ssd.unplug()
)")
      .def_prop_ro(
          "plugged", [](const Ssd& self) { return self.slot->plugged(); },
          R"(Whether it is in its slot.

>>> import nvme as d
>>> ssd = d.Ssd(capacity="1GiB")
>>> ssd.plugged
True
>>> ssd.unplug()
>>> ssd.plugged
False
)")
      .def(
          "plug", [](Ssd& self) { self.slot->plug(); },
          R"(Put it into its slot again; its data are what they were.

It has lost its power meanwhile: close() what had it open, and open it again.

>>> import nvme as d
>>> ssd = d.Ssd(capacity="1GiB")
>>> ssd.unplug()
>>> ssd.plug()
>>> ssd.plugged
True
>>> ssd.unplug()
)")
      .def(
          "unplug", [](Ssd& self) { self.slot->unplug(); },
          R"(Take it out of its slot, in use or not: every access to it reads all ones from now on.

>>> import nvme as d
>>> ssd = d.Ssd(capacity="1GiB")
>>> nvme0 = d.Controller(ssd)
>>> ssd.unplug()
>>> nvme0[0]
Traceback (most recent call last):
SystemError: ...
>>> nvme0.close()
)");
  m.def(
      "ssd_trace",
      [](const Ssd& self, const IntArg& count) {
        const auto events = self.slot->trace(count.u32("count"));
        return events ? trace_records(*events) : nb::none();
      },
      "ssd"_a, "count"_a = 0, "The newest `count` events of its trace; None when it keeps none.");
  m.def(
      "ssd_plant_fault",
      [](const Ssd& self, const std::string& match, const std::string& action) {
        return self.slot->plant_fault(match, action);
      },
      "ssd"_a, "match"_a, "action"_a, "Plants a fault; returns its identifier.");
  m.def(
      "ssd_clear_fault", [](const Ssd& self, uint64_t id) { return self.slot->clear_fault(id); },
      "ssd"_a, "id"_a, "Takes a fault away; False when it is gone already.");
  m.def(
      "ssd_clear_faults", [](const Ssd& self) { self.slot->clear_faults(); }, "ssd"_a,
      "Takes all faults away.");
  m.def(
      "ssd_faults",
      [](const Ssd& self) {
        nb::list ids;
        for (const auto& state : self.slot->faults()) ids.append(state.id);
        return ids;
      },
      "ssd"_a, "Identifiers of the faults that are planted.");
  m.def(
      "ssd_fault",
      [](const Ssd& self, uint64_t id) -> nb::object {
        const auto state = self.slot->fault(id);
        if (!state) return nb::none();
        return fault_record(*state);
      },
      "ssd"_a, "id"_a, "A dict of what a fault is and did; None for one that is not known.");
  bind_fault_tables(m);
  m.def(
      "address_name", [](const std::string& text) { return pcie::parse_address(text).name; },
      "text"_a,
      "The whole name of the device that an address means. AddressError when it is none.");
  m.def(
      "without_secrets", [](const std::string& text) { return pcie::without_secrets(text); },
      "text"_a, "A text that may be an address, as it can be shown.");
  m.def(
      "bus_names", [] { return pcie::Bus::instance().names(); },
      "Addresses of the devices that this process knows.");
}

}  // namespace pynvme::bindings
