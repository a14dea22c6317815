// The module nvme._core, and what belongs to no class.
#include <nanobind/nanobind.h>

#include "bindings/bind.h"
#include "bindings/buffer.h"
#include "bindings/command.h"
#include "bindings/errors.h"
#include "bindings/face.h"
#include "bindings/int_arg.h"
#include "bindings/open_device.h"

namespace nb = nanobind;
using namespace nb::literals;  // NOLINT(google-build-using-namespace): argument names

NB_MODULE(_core, m) {
  using namespace pynvme::bindings;  // NOLINT(google-build-using-namespace)
  m.doc() = "The C++ side of pynvme. Scripts import nvme, which gives all of it its public names.";
  m.attr("__version__") = PYNVME_VERSION;
  // Objects in modules and fixtures often outlive the interpreter; their devices are closed before.
  nb::set_leak_warnings(false);

  bind_errors();
  bind_buffer(m);
  bind_pcie(m);
  bind_controller(m);
  bind_qpair(m);
  bind_namespace(m);
  bind_latency_histogram(m);
  bind_ioworker(m);
  bind_ssd(m);
  bind_serve(m);
  bind_target(m);
  bind_cmdlog(m);
  bind_device_trace(m);
  bind_tcp(m);

  m.def(
      "seed", [](const IntArg& seed) { seed_random(seed.u64("seed")); }, "seed"_a,
      "Seed the random choices of the C++ side.");
  m.def("pass_on_log", pass_on_log, "Pass C++ log lines that wait on to Python's logging.");
  m.def("close_all", OpenDevice::close_all, "Close every open device.");
  guard_signatures(m);
  nb::module_::import_("atexit").attr("register")(m.attr("close_all"));
}
