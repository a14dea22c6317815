// nvme.Controller: one script object of a controller; several may share the controller itself.
#pragma once

#include <memory>

#include <nanobind/nanobind.h>

#include "bindings/callback.h"
#include "bindings/open_device.h"
#include "driver/command_queue.h"

namespace pynvme::bindings {

class Controller {
 public:
  // owned: the device was opened for this object, and is closed with it.
  Controller(std::shared_ptr<DeviceHandle> handle, bool owned);
  ~Controller();
  Controller(const Controller&) = delete;
  Controller& operator=(const Controller&) = delete;

  // These throw when closed.
  const std::shared_ptr<OpenController>& shared() const {
    if (open_ == nullptr) [[unlikely]]
      throw_closed();
    return open_;
  }
  OpenController& open() const { return *shared(); }
  driver::Controller& driver() const { return open().driver(); }

  const std::shared_ptr<DeviceHandle>& handle() const { return handle_; }
  const std::string& address() const { return handle_->address(); }
  uint64_t session() const { return session_; }
  // What was made with this object is over; the controller too, when nobody else uses it.
  void close() noexcept;
  void end_session() noexcept;

  // `callback` as a script gave it: None or a callable.
  verify::NamespaceChange change_of(const spec::Sqe& sqe);
  void send(driver::Command command, nanobind::handle callback);
  uint32_t wait_done(uint32_t expected);
  // For all asynchronous events from now on; None ends that.
  void async_events(nanobind::handle callback);
  bool listens() const { return aer_callback_.is_valid(); }
  void call_aer_callback(const spec::Cqe& cqe) const;

  int traverse(visitproc visit, void* arg);
  void clear();

 private:
  void send_now(driver::Command command);
  [[noreturn]] void throw_closed() const;
  void stop_listening() noexcept;

  std::shared_ptr<DeviceHandle> handle_;
  std::shared_ptr<OpenController> open_;  // null: closed
  uint64_t session_;
  const bool owned_;
  std::shared_ptr<CallbackList> callbacks_;
  nanobind::object aer_callback_;
  bool aer_whole_cqe_ = false;
};

// The commands of the API, one method each.
void bind_admin_commands(nanobind::class_<Controller>& controller);

}  // namespace pynvme::bindings
