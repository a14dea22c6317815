// What module.cc puts together: each function adds one family of classes to the module.
#pragma once

#include <nanobind/nanobind.h>

namespace pynvme::bindings {

void bind_buffer(nanobind::module_& m);
void bind_pcie(nanobind::module_& m);
void bind_controller(nanobind::module_& m);
void bind_qpair(nanobind::module_& m);
void bind_namespace(nanobind::module_& m);
void bind_ioworker(nanobind::module_& m);
void bind_latency_histogram(nanobind::module_& m);
void bind_ssd(nanobind::module_& m);
void bind_serve(nanobind::module_& m);
void bind_target(nanobind::module_& m);
void bind_cmdlog(nanobind::module_& m);
void bind_device_trace(nanobind::module_& m);
void bind_tcp(nanobind::module_& m);

}  // namespace pynvme::bindings
