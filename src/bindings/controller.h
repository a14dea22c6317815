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
  explicit Controller(const std::shared_ptr<OpenDevice>& device);
  ~Controller();
  Controller(const Controller&) = delete;
  Controller& operator=(const Controller&) = delete;

  OpenController& open() const { return *open_; }
  const std::shared_ptr<OpenController>& shared() const { return open_; }
  driver::Controller& driver() const { return open_->driver(); }

  // `callback` as a script gave it: None or a callable.
  void send(driver::Command command, nanobind::handle callback);
  uint32_t wait_done(uint32_t expected);
  // For all asynchronous events from now on; None ends that. Sends an AER if the controller takes
  // one more than were sent.
  void async_events(nanobind::handle callback);
  void call_aer_callback(const spec::Cqe& cqe) const;

  int traverse(visitproc visit, void* arg);
  void clear();

 private:
  std::shared_ptr<OpenController> open_;
  std::shared_ptr<CallbackList> callbacks_;
  nanobind::object aer_callback_;
  bool aer_whole_cqe_ = false;
};

// The commands of the API, one method each.
void bind_admin_commands(nanobind::class_<Controller>& controller);

}  // namespace pynvme::bindings
