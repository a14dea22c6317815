#include "bindings/callback.h"

#include <array>
#include <atomic>
#include <cstring>
#include <string>
#include <vector>

#include <nanobind/stl/string.h>

#include "bindings/errors.h"

namespace nb = nanobind;

namespace pynvme::bindings {
namespace {

// Callables whose command was dropped in a thread that may not touch Python.
struct Leftovers {
  std::mutex mutex;
  std::vector<PyObject*> objects;
  std::atomic<bool> any{false};
};

Leftovers& leftovers() {
  static auto* instance = new Leftovers();  // outlives every thread
  return *instance;
}

// A plain function says by its code object what it takes; 0: something that needs a closer look.
int plain_argument_count(PyObject* callable) {
  int bound = 0;
  if (PyMethod_Check(callable)) {
    callable = PyMethod_GET_FUNCTION(callable);
    bound = 1;
  }
  if (!PyFunction_Check(callable) || PyFunction_GetDefaults(callable) != nullptr) return 0;
  const auto* code = reinterpret_cast<PyCodeObject*>(PyFunction_GetCode(callable));
  if ((code->co_flags & (CO_VARARGS | CO_VARKEYWORDS)) != 0 || code->co_kwonlyargcount != 0)
    return 0;
  const int count = code->co_argcount - bound;
  return count == 1 || count == 2 ? count : 0;
}

}  // namespace

bool takes_whole_cqe(nb::handle callable) {
  int count = plain_argument_count(callable.ptr());
  if (count == 0) {
    count = nb::cast<int>(nb::module_::import_("nvme.callbacks").attr("argument_count")(callable));
  }
  return count == 1;
}

void call_callback(nb::handle callable, bool whole_cqe, const spec::Cqe& cqe) {
  std::string text;
  try {
    if (whole_cqe) {
      std::array<uint32_t, 4> dwords{};
      std::memcpy(dwords.data(), &cqe, sizeof(cqe));
      callable(nb::make_tuple(dwords[0], dwords[1], dwords[2], dwords[3]));
    } else {
      callable(cqe.cdw0, cqe.status);
    }
    return;
  } catch (nb::python_error& error) {
    // Ctrl-C, SystemExit and pytest's own outcomes (fail, skip) end the wait.
    if (!error.matches(PyExc_Exception)) throw;
    text = nb::cast<std::string>(nb::str(error.value()));
    if (error.matches(PyExc_AssertionError)) {
      text = "ASSERT: " + text;
    } else {
      text = "callback: " + nb::cast<std::string>(error.type().attr("__name__")) + ": " + text;
    }
  }
  warn(text);
}

int CallbackList::traverse(visitproc visit, void* arg) {
  const std::lock_guard guard(mutex_);
  for (Callback* callback = first_; callback != nullptr; callback = callback->next_) {
    Py_VISIT(callback->callable_);
  }
  return 0;
}

void CallbackList::clear() {
  std::vector<PyObject*> taken;
  {
    const std::lock_guard guard(mutex_);
    while (first_ != nullptr) {
      taken.push_back(std::exchange(first_->callable_, nullptr));
      first_ = std::exchange(first_->next_, nullptr);
    }
  }
  for (PyObject* callable : taken) Py_DECREF(callable);
}

std::shared_ptr<Callback> Callback::make(nb::handle callable,
                                         const std::shared_ptr<CallbackList>& list) {
  if (callable.is_none()) return nullptr;
  return std::make_shared<Callback>(nb::borrow(callable), takes_whole_cqe(callable), list);
}

Callback::Callback(nb::object callable, bool whole_cqe, std::shared_ptr<CallbackList> list)
    : callable_(callable.release().ptr()), whole_cqe_(whole_cqe), list_(std::move(list)) {
  const std::lock_guard guard(list_->mutex_);
  next_ = list_->first_;
  if (next_ != nullptr) next_->previous_ = this;
  list_->first_ = this;
}

Callback::~Callback() {
  PyObject* const left = take().release().ptr();
  if (left == nullptr) return;
  auto& bag = leftovers();
  const std::lock_guard guard(bag.mutex);
  bag.objects.push_back(left);
  bag.any.store(true, std::memory_order_release);
}

nb::object Callback::take() {
  const std::lock_guard guard(list_->mutex_);
  if (callable_ == nullptr) return {};
  (previous_ != nullptr ? previous_->next_ : list_->first_) = next_;
  if (next_ != nullptr) next_->previous_ = previous_;
  next_ = previous_ = nullptr;
  return nb::steal(std::exchange(callable_, nullptr));
}

void Callback::call(const spec::Cqe& cqe) {
  const nb::object callable = take();
  if (callable.is_valid()) call_callback(callable, whole_cqe_, cqe);
}

void drop_leftovers() {
  auto& bag = leftovers();
  if (!bag.any.load(std::memory_order_acquire)) return;
  std::vector<PyObject*> taken;
  {
    const std::lock_guard guard(bag.mutex);
    taken.swap(bag.objects);
    bag.any.store(false, std::memory_order_relaxed);
  }
  for (PyObject* object : taken) Py_DECREF(object);
}

}  // namespace pynvme::bindings
