#include "bindings/python_wait.h"

namespace pynvme::bindings {

thread_local PythonWait* PythonWait::current_ = nullptr;

void PythonWait::idle() {
  PythonWait* const wait = current_;
  if (wait == nullptr) return;
  wait->acquire();
  // Does nothing outside of the main thread: signals are the main thread's.
  if (PyErr_CheckSignals() != 0) throw nanobind::python_error();
  wait->release();
}

}  // namespace pynvme::bindings
