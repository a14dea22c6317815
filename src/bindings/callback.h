// A script's callback on its way through the driver: kept alive by its command, called once,
// visible to Python's garbage collector while it waits (a callback usually refers to the queue that
// holds it).
#pragma once

#include <memory>
#include <mutex>

#include <nanobind/nanobind.h>

#include "spec/command.h"

namespace pynvme::bindings {

class Callback;

// The callbacks that wait in one queue. The GIL is not enough to guard it: the driver drops
// commands in any thread.
class CallbackList {
 public:
  int traverse(visitproc visit, void* arg);
  // Lets go of all of them; their commands go on without.
  void clear();

 private:
  friend class Callback;
  std::mutex mutex_;
  Callback* first_ = nullptr;
};

class Callback {
 public:
  // Throws ArgumentError when it cannot be called as cb(cdw0, status1) or cb(cpl). With the GIL.
  // Null for None.
  static std::shared_ptr<Callback> make(nanobind::handle callable,
                                        const std::shared_ptr<CallbackList>& list);
  ~Callback();
  Callback(nanobind::object callable, bool whole_cqe, std::shared_ptr<CallbackList> list);
  Callback(const Callback&) = delete;
  Callback& operator=(const Callback&) = delete;

  // An error raised by the script becomes a warning. With the GIL.
  void call(const spec::Cqe& cqe);

 private:
  friend class CallbackList;
  nanobind::object take();

  PyObject* callable_;  // owned; null: taken
  const bool whole_cqe_;
  std::shared_ptr<CallbackList> list_;
  Callback* next_ = nullptr;
  Callback* previous_ = nullptr;
};

// Calls and turns errors into warnings, for callables that are called more than once (AER). With
// the GIL.
void call_callback(nanobind::handle callable, bool whole_cqe, const spec::Cqe& cqe);
// Whether the callable takes the whole completion. Throws ArgumentError.
bool takes_whole_cqe(nanobind::handle callable);

// Lets go of what was dropped without the GIL. With the GIL.
void drop_leftovers();

}  // namespace pynvme::bindings
