#include "bindings/qpair.h"

#include <string>

#include <nanobind/stl/string.h>

#include "bindings/bind.h"
#include "bindings/bool_arg.h"
#include "bindings/command.h"
#include "bindings/controller.h"
#include "bindings/errors.h"
#include "bindings/qpair_doc.h"
#include "driver/errors.h"

namespace nb = nanobind;
using namespace nb::literals;  // NOLINT(google-build-using-namespace): argument names

namespace pynvme::bindings {
namespace {

std::unique_ptr<driver::CommandQueue> create(const Controller& nvme,
                                             const driver::IoQueueOptions& options) {
  const auto driver = nvme.open().shared_driver();
  try {
    const PythonWait wait;
    return std::make_unique<driver::CommandQueue>(driver::IoQueuePair::create(driver, options));
  } catch (const driver::InvalidArgument& error) {
    throw_argument_error(error.what(), "QpairArgumentError");
  }
}

void construct(Qpair* self, const Controller& nvme, const IntArg& depth, const IntArg& prio,
               BoolArg ien, const IntArg& iv) {
  driver::IoQueueOptions options;
  try {
    options.depth = depth.u32("depth");
    options.priority = static_cast<uint8_t>(prio.in("prio", 0, 3));
    options.vector = iv.u16("iv");
  } catch (nb::python_error& error) {
    throw_argument_error(nb::cast<std::string>(nb::str(error.value())), "QpairArgumentError");
  }
  options.interrupts = ien;
  new (self) Qpair(nvme, options);
}

uint32_t vector_of(const Qpair& self) {
  self.open().driver().function();  // throws on a fabric, which has no interrupts
  if (!self.io().options().interrupts) {
    throw_argument_error("queue " + std::to_string(self.sqid()) +
                         " was created with ien=False: it has no interrupts");
  }
  return self.io().options().vector;
}

int traverse(PyObject* self, visitproc visit, void* arg) noexcept {
  Py_VISIT(Py_TYPE(self));
  if (!nb::inst_ready(self)) return 0;
  return nb::inst_ptr<Qpair>(self)->callbacks()->traverse(visit, arg);
}

int clear(PyObject* self) noexcept {
  if (nb::inst_ready(self)) nb::inst_ptr<Qpair>(self)->callbacks()->clear();
  return 0;
}

PyType_Slot slots[] = {{Py_tp_traverse, reinterpret_cast<void*>(traverse)},
                       {Py_tp_clear, reinterpret_cast<void*>(clear)},
                       {0, nullptr}};

}  // namespace

Qpair::Qpair(const Controller& nvme, const driver::IoQueueOptions& options)
    : DeviceUser(nvme.session()),
      open_(nvme.shared()),
      callbacks_(std::make_shared<CallbackList>()),
      queue_(create(nvme, options)),
      sqid_(queue_->pair().id()) {
  open_->add(this);
}

Qpair::~Qpair() { end_use(); }

void Qpair::end_use() noexcept {
  if (queue_ == nullptr) return;
  open_->remove(this);
  // Deletes the queues on the device, which may take as long as a command.
  auto queue = std::move(queue_);
  ++open_->admin_busy;
  {
    const PythonWait wait;
    queue.reset();
  }
  --open_->admin_busy;
  drop_leftovers();  // callbacks of commands that never completed
}

void Qpair::throw_gone() const {
  throw_argument_error("queue " + std::to_string(sqid_) + " of " + open_->device()->address() +
                       " is deleted. Make a new Qpair().");
}

uint32_t Qpair::wait_done(uint32_t expected) {
  reaped_ahead_ = false;
  return bindings::wait_done(*open_, queue(), expected, busy_);
}

void Qpair::check_room() const {
  auto& commands = queue();
  const uint32_t kept = reaped_ahead_ && !delivering() ? commands.undelivered() : 0;
  if (commands.room() > kept) [[likely]]
    return;
  const uint32_t usable = commands.pair().slots();
  throw_argument_error("queue " + std::to_string(sqid_) + " of " + open_->device()->address() +
                       " is full: " + std::to_string(usable) +
                       " commands wait for waitdone(), one less than its depth; nothing was sent");
}

void Qpair::remove() {
  if (queue_ == nullptr) return;
  const auto io = queue_->io();
  ++open_->admin_busy;
  try {
    const PythonWait wait;
    io->remove();
  } catch (...) {
    --open_->admin_busy;
    end_use();
    throw;
  }
  --open_->admin_busy;
  end_use();
}

void bind_qpair(nb::module_& m) {
  nb::class_<Qpair>(m, "Qpair", nb::type_slots(slots), nb::is_weak_referenceable(), doc::kQpair)
      .def("__init__", construct, "nvme"_a, "depth"_a, "prio"_a = 0, "ien"_a = BoolArg{true},
           "iv"_a = 0xFFFF)
      .def(
          "waitdone",
          [](Qpair& self, const IntArg& expected) {
            return self.wait_done(static_cast<uint32_t>(expected.in("expected", 0, 65535)));
          },
          "expected"_a = 1, doc::kQpairWaitdone)
      .def("delete", &Qpair::remove, doc::kDelete)
      .def_prop_ro("sqid", &Qpair::sqid, doc::kSqid)
      .def_prop_ro(
          "latest_cid", [](const Qpair& self) { return self.queue().latest_cid(); },
          doc::kQpairLatestCid)
      .def_prop_ro(
          "latest_latency",
          [](const Qpair& self) {
            return static_cast<double>(self.queue().latest_latency_ns()) / 1000;
          },
          doc::kQpairLatestLatency)
      .def(
          "msix_clear",
          [](Qpair& self) {
            vector_of(self);
            self.io().clear_interrupts();
          },
          doc::kMsixClear)
      .def(
          "msix_isset",
          [](Qpair& self) {
            vector_of(self);
            self.queue().pair().cq().poll();
            return self.io().interrupted();
          },
          doc::kMsixIsset)
      .def(
          "msix_mask",
          [](Qpair& self) {
            self.open().driver().function().mask_interrupt(vector_of(self), true);
          },
          doc::kMsixMask)
      .def(
          "msix_unmask",
          [](Qpair& self) {
            self.open().driver().function().mask_interrupt(vector_of(self), false);
          },
          doc::kMsixUnmask);
}

}  // namespace pynvme::bindings
