// What Python needs of NVMe/TCP besides the address of a controller.
#include <string>

#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>

#include "bindings/bind.h"
#include "bindings/python_wait.h"
#include "driver/tcp/discovery.h"
#include "driver/tcp/options.h"
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

}  // namespace

void bind_tcp(nb::module_& m) {
  m.def("tcp_discover", discover, "address"_a,
        nb::sig("def tcp_discover(address: str) -> list[dict[str, typing.Any]]"),
        "The entries of the Discovery log page of an NVMe/TCP target.");
}

}  // namespace pynvme::bindings
