// nvme.Namespace: IO commands of scripts, each followed through data verification.
#pragma once

#include <memory>

#include <nanobind/nanobind.h>

#include "bindings/command.h"
#include "bindings/controller.h"
#include "bindings/open_device.h"
#include "bindings/qpair.h"

namespace pynvme::bindings {

class Namespace {
 public:
  Namespace(const Controller& nvme, uint32_t nsid, uint64_t nlba_verify);

  OpenController& controller() const { return *controller_; }
  const std::shared_ptr<OpenController>& shared_controller() const { return controller_; }
  uint64_t session() const { return session_; }
  uint32_t nsid() const { return nsid_; }
  bool is_open() const { return ns_ != nullptr; }
  // What is known of it now. Throws when closed.
  OpenNamespace& state() {
    if (ns_ == nullptr) [[unlikely]]
      throw_closed();
    controller_->refresh(*ns_);
    return *ns_;
  }
  void close() { ns_.reset(); }

  // `stamped`: a Write whose data get their stamps here.
  void send(Qpair& qpair, driver::Command command, const Buffer* buffer, bool stamped,
            nanobind::handle callback);

 private:
  [[noreturn]] void throw_closed() const;
  void begin(Qpair& qpair, CommandContext& context, BufferMemory* stamped, bool fused);

  std::shared_ptr<OpenController> controller_;
  std::shared_ptr<OpenNamespace> ns_;
  uint64_t session_;
  uint32_t nsid_;
};

// The IO commands of the API, one method each.
void bind_io_commands(nanobind::class_<Namespace>& ns);

}  // namespace pynvme::bindings
