// The GIL and signals while the driver waits on behalf of Python. A wait starts with or without the
// GIL; the controller's idle hook gives the GIL away, and every millisecond looks whether Ctrl-C
// was pressed. Threads that Python does not wait in (IOWorkers) never come here.
#pragma once

#include <nanobind/nanobind.h>

namespace pynvme::bindings {

class PythonWait {
 public:
  enum class Start : bool { kWithGil, kWithoutGil };

  explicit PythonWait(Start start = Start::kWithoutGil) : outer_(current_) {
    current_ = this;
    if (start == Start::kWithoutGil) release();
  }
  ~PythonWait() {
    acquire();
    current_ = outer_;
  }
  PythonWait(const PythonWait&) = delete;
  PythonWait& operator=(const PythonWait&) = delete;

  void release() {
    if (thread_ == nullptr) thread_ = PyEval_SaveThread();
  }
  void acquire() {
    if (thread_ == nullptr) return;
    PyEval_RestoreThread(thread_);
    thread_ = nullptr;
  }

  // The innermost wait of this thread; null outside of one.
  static PythonWait* current() { return current_; }

  // The controller's idle hook. Throws nanobind::python_error (KeyboardInterrupt, usually).
  static void idle();

 private:
  static thread_local PythonWait* current_;
  PythonWait* outer_;
  PyThreadState* thread_ = nullptr;  // null: this thread has the GIL
};

}  // namespace pynvme::bindings
