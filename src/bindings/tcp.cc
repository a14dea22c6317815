// What Python needs of NVMe/TCP besides the address of a controller.
#include <string>

#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>

#include "bindings/bind.h"
#include "bindings/controller.h"
#include "bindings/errors.h"
#include "bindings/python_wait.h"
#include "bindings/wire_fault.h"
#include "driver/controller.h"
#include "driver/tcp/discovery.h"
#include "driver/tcp/options.h"
#include "driver/transport.h"
#include "pcie/address.h"

namespace nb = nanobind;
using namespace nb::literals;  // NOLINT(google-build-using-namespace): argument names

namespace pynvme::bindings {
namespace {

nb::list discover(const std::string& target) {
  const pcie::Address address = pcie::parse_address(target);
  if (address.kind != pcie::Address::Kind::kTcp) {
    throw pcie::AddressError("\"" + pcie::without_secrets(target) +
                             "\" is no NVMe/TCP address: \"10.0.0.1\", \"10.0.0.1:4420\" or "
                             "\"[::1]:4420\" are");
  }
  const auto options = driver::tcp::make_options(address);
  std::vector<driver::tcp::DiscoveryEntry> entries;
  {
    const PythonWait wait;
    entries = driver::tcp::discover(options, PythonWait::idle);
  }
  nb::list out;
  for (const auto& entry : entries) {
    nb::dict one;
    one["trtype"] = entry.trtype;
    one["adrfam"] = entry.adrfam;
    one["subtype"] = entry.subtype;
    one["treq"] = entry.treq;
    one["sectype"] = entry.sectype;
    one["portid"] = entry.portid;
    one["cntlid"] = entry.cntlid;
    one["asqsz"] = entry.asqsz;
    one["traddr"] = entry.traddr;
    one["trsvcid"] = entry.trsvcid;
    one["subnqn"] = entry.subnqn;
    out.append(one);
  }
  return out;
}

base::WireFaults& wire_faults_of(const Controller& controller) {
  if (auto* const faults = controller.driver().transport().wire_faults()) return *faults;
  throw_argument_error(controller.address() +
                       " is not reached over a network: there are no PDUs that could go wrong. "
                       "Ssd.fault() is for embedded SSDs.");
}

}  // namespace

void bind_tcp(nb::module_& m) {
  m.def(
      "wire_fault",
      [](const Controller& self, const std::string& action, int pdu, int qid, uint32_t skip,
         uint32_t count, uint32_t delay_ms) {
        wire_faults_of(self).add(wire_fault(action, pdu, qid, skip, count, delay_ms));
      },
      "nvme"_a, "action"_a, "pdu"_a, "qid"_a, "skip"_a, "count"_a, "delay_ms"_a,
      "Spoil PDUs that the host sends.");
  m.def(
      "wire_faults_left", [](const Controller& self) { return wire_faults_of(self).left(); },
      "nvme"_a, "PDUs that are still to be spoilt.");
  m.def(
      "clear_wire_faults", [](const Controller& self) { wire_faults_of(self).clear(); }, "nvme"_a,
      "Spoil no more PDUs.");
  m.def("tcp_discover", discover, "address"_a,
        nb::sig("def tcp_discover(address: str) -> list[dict[str, typing.Any]]"),
        "The entries of the Discovery log page of an NVMe/TCP target.");
}

}  // namespace pynvme::bindings
