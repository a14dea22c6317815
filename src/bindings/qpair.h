// nvme.Qpair: an IO submission and completion queue of a script.
#pragma once

#include <memory>

#include <nanobind/nanobind.h>

#include "bindings/callback.h"
#include "bindings/int_arg.h"
#include "bindings/open_device.h"
#include "driver/io_queue_pair.h"

namespace pynvme::bindings {

class Controller;

class Qpair final : public DeviceUser {
 public:
  Qpair(const Controller& nvme, const driver::IoQueueOptions& options);
  ~Qpair() override;
  Qpair(const Qpair&) = delete;
  Qpair& operator=(const Qpair&) = delete;

  OpenController& open() const { return *open_; }
  // Throws when the queue was deleted or its device closed.
  driver::CommandQueue& queue() const {
    if (queue_ == nullptr) [[unlikely]]
      throw_gone();
    return *queue_;
  }
  driver::IoQueuePair& io() const { return *queue().io(); }
  uint16_t sqid() const { return sqid_; }
  const std::shared_ptr<CallbackList>& callbacks() const { return callbacks_; }

  uint32_t wait_done(uint32_t expected);
  // Completions were reaped ahead of their waitdone(): they still count against the depth.
  void reaped_ahead() { reaped_ahead_ = true; }
  // Throws when there is no room for one more command.
  void check_room() const;
  // Delete SQ and CQ on the device; nothing to do the second time.
  void remove();

  void end_use() noexcept override;
  driver::CommandQueue* script_queue() override { return queue_.get(); }

 private:
  [[noreturn]] void throw_gone() const;

  std::shared_ptr<OpenController> open_;
  std::shared_ptr<CallbackList> callbacks_;
  std::unique_ptr<driver::CommandQueue> queue_;
  uint32_t busy_ = 0;
  uint16_t sqid_ = 0;
  bool reaped_ahead_ = false;
};

}  // namespace pynvme::bindings
