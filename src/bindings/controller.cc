#include "bindings/controller.h"

#include <algorithm>
#include <string>
#include <utility>

#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "bindings/bind.h"
#include "bindings/bool_arg.h"
#include "bindings/buffer.h"
#include "bindings/command.h"
#include "bindings/controller_doc.h"
#include "bindings/errors.h"
#include "bindings/int_arg.h"
#include "bindings/pcie.h"
#include "driver/admin_commands.h"
#include "spec/identify.h"
#include "spec/opcode.h"
#include "spec/registers.h"

namespace nb = nanobind;
using namespace nb::literals;  // NOLINT(google-build-using-namespace): argument names

namespace pynvme::bindings {
namespace {

// A controller without MDTS is still bounded by the 65536 LBAs of one command.
constexpr uint64_t kUnlimitedTransferBytes = 65536ULL * 512;

uint32_t register_offset(const Controller& self, const IntArg& offset) {
  const uint64_t size = self.driver().transport().register_bytes();
  const uint64_t at = offset.u64("offset");
  if (at + 4 > size && self.driver().transport().function() == nullptr) {
    throw nb::index_error((self.driver().transport().name() +
                           " is reached over a fabric: " + std::to_string(at) +
                           " is no offset of a property, and there are no "
                           "doorbells")
                              .c_str());
  }
  if (at + 4 > size) {
    throw nb::index_error(("register offset " + std::to_string(at) + " is outside of BAR0, " +
                           std::to_string(size) + " bytes")
                              .c_str());
  }
  if (at % 4 != 0)
    throw_argument_error("register offset " + std::to_string(at) + " is not a multiple of 4");
  return static_cast<uint32_t>(at);
}

// Over PCIe a register is a matter of nanoseconds; others run while a target on a fabric or a
// server answers.
template <class Access>
auto access(Controller& self, Access on) {
  const auto driver = self.open().shared_driver();
  const auto function = driver->transport().function();
  if (function != nullptr && !function->is_served()) [[likely]]
    return on(*driver);
  const PythonWait wait;
  return on(*driver);
}

// A sequence of the driver that waits for the device.
template <class Steps>
void run(Controller& self, Steps steps) {
  // A copy: close() in another thread takes it from the object while this waits.
  // NOLINTNEXTLINE(performance-unnecessary-copy-initialization)
  const auto open = self.shared();
  const auto driver = open->shared_driver();
  {
    ++open->admin_busy;
    const PythonWait wait;
    try {
      steps(*driver);
    } catch (...) {
      if (PythonWait* const current = PythonWait::current()) current->acquire();
      --open->admin_busy;
      pass_on_log();
      throw;
    }
  }
  --open->admin_busy;
  pass_on_log();
}

void initialise(Controller& self) {
  run(self, [](driver::Controller& driver) { driver.initialise(); });
  self.open().spare_events = self.driver().admin().async_events();
  self.open().changes()->set_cache_present(
      (self.driver().identify_data().vwc & spec::kVwcPresent) != 0);
}

std::pair<uint32_t, uint16_t> execute_command(Controller& self, const IntArg& opcode, Buffer* buf,
                                              const IntArg& nsid, const IntArg& cdw10,
                                              const IntArg& cdw11, const IntArg& cdw14) {
  driver::Command command;
  command.sqe.opcode = opcode.u8("opcode");
  command.sqe.nsid = nsid.u32("nsid");
  command.sqe.cdw10 = cdw10.u32("cdw10");
  command.sqe.cdw11 = cdw11.u32("cdw11");
  command.sqe.cdw14 = cdw14.u32("cdw14");
  command.data = all_data_of(buf);
  const verify::NamespaceChange change = self.change_of(command.sqe);
  const spec::Cqe cqe = execute(self.open(), std::move(command));
  if (cqe.ok()) self.open().changes()->note(change);
  return {cqe.cdw0, cqe.status};
}

int traverse(PyObject* self, visitproc visit, void* arg) noexcept {
  Py_VISIT(Py_TYPE(self));
  if (!nb::inst_ready(self)) return 0;
  return nb::inst_ptr<Controller>(self)->traverse(visit, arg);
}

int clear(PyObject* self) noexcept {
  if (nb::inst_ready(self)) nb::inst_ptr<Controller>(self)->clear();
  return 0;
}

PyType_Slot slots[] = {{Py_tp_traverse, reinterpret_cast<void*>(traverse)},
                       {Py_tp_clear, reinterpret_cast<void*>(clear)},
                       {0, nullptr}};

}  // namespace

Controller::Controller(std::shared_ptr<DeviceHandle> handle, bool owned)
    : handle_(std::move(handle)),
      open_(handle_->device()->controller()),
      session_(open_->begin_session()),
      owned_(owned),
      callbacks_(std::make_shared<CallbackList>()) {
  handle_->add(this);
}

Controller::~Controller() {
  stop_listening();
  // The admin queue may go on for others. The garbage collector took the callbacks for ours alone
  // (traverse), and may have emptied them already.
  callbacks_->clear();
  handle_->remove(this);
  if (open_ != nullptr) open_->end_session();
}

void Controller::throw_closed() const {
  throw_argument_error("the controller of " + address() + " is closed. Make a new Controller().");
}

void Controller::stop_listening() noexcept {
  if (open_ != nullptr) std::erase(open_->event_listeners, this);
}

void Controller::close() noexcept {
  end_session();
  if (owned_) handle_->close();
}

void Controller::end_session() noexcept {
  if (open_ == nullptr) return;
  stop_listening();
  handle_->remove(this);
  const auto open = std::move(open_);
  open->close_session(session_);
}

verify::NamespaceChange Controller::change_of(const spec::Sqe& sqe) {
  return verify::classify_admin(sqe, driver().identify_data().fna);
}

void Controller::send(driver::Command command, nb::handle callback) {
  if (command.sqe.opcode == spec::admin::kAsyncEventRequest) {
    if (!callback.is_none()) {
      async_events(callback);
      auto context = std::make_shared<CommandContext>();
      context->callback = Callback::make(callback, callbacks_);
      command.hook = std::move(context);
    }
    command.own_event = true;
    send_now(std::move(command));
    return;
  }
  const verify::NamespaceChange change = change_of(command.sqe);
  if (change.any || !callback.is_none()) {
    auto context = std::make_shared<CommandContext>();
    context->callback = Callback::make(callback, callbacks_);
    if (change.any) {
      context->changes = open_->changes();
      context->change = change;
    }
    command.hook = std::move(context);
  }
  send_now(std::move(command));
}

void Controller::send_now(driver::Command command) {
  std::optional<PythonWait> wait;
  if (open_->is_served()) wait.emplace();
  driver().admin().send(std::move(command));
}

uint32_t Controller::wait_done(uint32_t expected) {
  return bindings::wait_done(*open_, driver().admin(), expected, open_->admin_busy);
}

void Controller::async_events(nb::handle callback) {
  aer_whole_cqe_ = !callback.is_none() && takes_whole_cqe(callback);
  stop_listening();
  if (callback.is_none()) {
    aer_callback_.reset();
    return;
  }
  aer_callback_ = nb::borrow(callback);
  open().event_listeners.push_back(this);
}

void Controller::call_aer_callback(const spec::Cqe& cqe) const {
  const nb::object callable = aer_callback_;  // it may take itself away
  if (callable.is_valid()) call_callback(callable, aer_whole_cqe_, cqe);
}

int Controller::traverse(visitproc visit, void* arg) {
  Py_VISIT(aer_callback_.ptr());
  return callbacks_->traverse(visit, arg);
}

void Controller::clear() {
  stop_listening();
  aer_callback_.reset();
  callbacks_->clear();
}

void bind_controller(nb::module_& m) {
  nb::class_<Controller> controller(m, "Controller", nb::type_slots(slots),
                                    nb::is_weak_referenceable());
  controller
      .def(
          "__init__",
          [](Controller* self, const Pcie& pcie) { new (self) Controller(pcie.handle(), false); },
          "pcie"_a)
      .def(
          "__init__",
          [](Controller* self, const std::string& address) {
            new (self) Controller(std::make_shared<DeviceHandle>(address), true);
          },
          "addr"_a)
      .def(
          "__getitem__",
          [](Controller& self, const IntArg& offset) {
            const uint32_t at = register_offset(self, offset);
            return access(self, [at](driver::Controller& driver) { return driver.read32(at); });
          },
          "offset"_a, nb::sig("def __getitem__(self, offset: int, /) -> int"), doc::kGetRegister)
      .def(
          "__setitem__",
          [](Controller& self, const IntArg& offset, const IntArg& value) {
            const uint32_t at = register_offset(self, offset);
            const uint32_t to = value.u32("register value");
            access(self, [at, to](driver::Controller& driver) { driver.write32(at, to); });
          },
          "offset"_a, "value"_a,
          nb::sig("def __setitem__(self, offset: int, value: int, /) -> None"), doc::kSetRegister)
      .def_prop_ro(
          "cap",
          [](Controller& self) {
            return access(self, [](driver::Controller& driver) { return driver.read64(0); });
          },
          doc::kCap)
      .def_prop_ro(
          "mdts",
          [](Controller& self) {
            const uint64_t bytes = self.driver().mdts_bytes();
            return bytes == 0 ? kUnlimitedTransferBytes : bytes;
          },
          doc::kMdts)
      .def_prop_rw(
          "timeout", [](Controller& self) { return self.driver().timeout_ms(); },
          [](Controller& self, const IntArg& ms) {
            self.driver().set_timeout_ms(static_cast<uint32_t>(ms.in("timeout", 1, UINT32_MAX)));
          },
          doc::kTimeout, nb::for_setter(nb::sig("def timeout(self, value: int, /) -> None")))
      .def_prop_ro(
          "addr", [](Controller& self) { return self.address(); }, doc::kAddr)
      .def_prop_ro(
          "latest_cid", [](Controller& self) { return self.driver().admin().latest_cid(); },
          doc::kAdminLatestCid)
      .def_prop_ro(
          "latest_latency",
          [](Controller& self) {
            return static_cast<double>(self.driver().admin().latest_latency_ns()) / 1000;
          },
          doc::kAdminLatestLatency)
      .def(
          "init_adminq",
          [](Controller& self) {
            run(self, [](driver::Controller& driver) { driver.init_admin_queue(); });
            self.open().spare_events = 0;
          },
          doc::kInitAdminq)
      .def(
          "init_ns",
          [](Controller& self) {
            run(self, [](driver::Controller& driver) {
              driver.identify();
              driver.init_namespaces();
            });
          },
          doc::kInitNs)
      .def(
          "init_queues",
          [](Controller& self, const IntArg& cdw0) { self.driver().init_queues(cdw0.u32("cdw0")); },
          "cdw0"_a, doc::kInitQueues)
      .def(
          "waitdone",
          [](Controller& self, const IntArg& expected) {
            return self.wait_done(static_cast<uint32_t>(expected.in("expected", 0, 65535)));
          },
          "expected"_a = 1, doc::kAdminWaitdone)
      .def(
          "cmdname",
          [](Controller&, const IntArg& opcode) {
            return spec::admin_command_name(opcode.u8("opcode"));
          },
          "opcode"_a, doc::kAdminCmdname)
      .def(
          "close", [](Controller& self) { self.close(); }, doc::kControllerClose);
  bind_admin_commands(controller);

  // What python/nvme/controller.py and subsystem.py build on.
  m.def("controller_initialise", initialise);
  m.def("controller_disable",
        [](Controller& self) { run(self, [](driver::Controller& driver) { driver.disable(); }); });
  m.def("controller_subsystem_reset", [](Controller& self) {
    run(self, [](driver::Controller& driver) { driver.subsystem_reset(); });
  });
  m.def("controller_shutdown", [](Controller& self, BoolArg abrupt) {
    run(self, [abrupt](driver::Controller& driver) { driver.shutdown(abrupt); });
    if (!abrupt) self.open().flushed_all();
  });
  m.def("controller_power_off", [](Controller& self) {
    run(self, [](driver::Controller& driver) { driver.power_off(); });
    self.open().power_lost();
  });
  m.def("controller_power_on",
        [](Controller& self) { run(self, [](driver::Controller& driver) { driver.power_on(); }); });
  m.def("controller_power_lost", [](Controller& self) { self.open().power_lost(); });
  m.def("controller_has_slot_power", [](Controller& self) {
    const auto function = self.driver().transport().function();
    return function != nullptr && function->has_slot_power();
  });
  m.def("controller_on_fabric",
        [](Controller& self) { return self.driver().transport().function() == nullptr; });
  m.def(
      "controller_async_events",
      [](Controller& self, nb::object callback) { self.async_events(std::move(callback)); },
      "nvme"_a, "callback"_a.none());
  m.def("controller_execute", execute_command, "nvme"_a, "opcode"_a, "buf"_a.none(), "nsid"_a = 0,
        "cdw10"_a = 0, "cdw11"_a = 0, "cdw14"_a = 0,
        "Send an admin command and wait for it alone: (cdw0, status1). Allowed in callbacks.");
  m.def("controller_initialised", [](Controller& self) {
    return access(self, [](driver::Controller& driver) {
      if (driver.admin().pair().dead()) return false;
      const spec::Cc cc{driver.read32(spec::reg::kCc)};
      const spec::Csts csts{driver.read32(spec::reg::kCsts)};
      return cc.en() && csts.rdy() && !csts.cfs() && csts.shst() == spec::Shst::kNormal;
    });
  });
}

}  // namespace pynvme::bindings
