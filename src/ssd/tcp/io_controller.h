// An I/O controller of a fabric: the SSD's engine and command sets on queues that the transport
// fills. The engine finds SQEs in rings of this process as it would find them in host memory, so
// that every command does what it does behind PCI.
#pragma once

#include <cstdint>
#include <vector>

#include "ssd/admin/admin.h"
#include "ssd/frontend/engine.h"
#include "ssd/nvm/nvm.h"
#include "ssd/tcp/controller.h"
#include "ssd/tcp/controller_parts.h"
#include "ssd/timekeeper.h"

namespace pynvme::ssd::tcp {

class Subsystem;

class IoController final : public Controller {
 public:
  IoController(Subsystem& subsystem, Association association, uint32_t in_capsule_bytes);
  ~IoController() override;

  ControllerParts& parts() { return own_; }
  const ControllerParts& parts() const { return own_; }

  uint16_t io_queues() const override;
  uint32_t queue_entries_max() const override { return own_.parts.config.mqes + 1U; }
  void open_queue(uint16_t qid, uint32_t entries, uint8_t priority) override;
  void close_queue(uint16_t qid) override;
  void submit(uint16_t qid, const spec::Sqe& sqe) override;
  void ring(uint16_t qid) override;
  bool take(uint16_t qid, spec::Cqe* cqe) override;
  void completed(const spec::Sqe& sqe, uint64_t now_ns) override;
  void set_keep_alive(uint32_t kato_ms, uint64_t now_ns) override;

  // From the subsystem: what another controller, or the SSD by itself, has done.
  void namespace_changed(uint32_t nsid);
  void raise(uint8_t type, uint8_t info, uint8_t log_page);

 private:
  // Of one queue: where its entries lie.
  struct Rings {
    std::vector<uint8_t> sq;
    std::vector<uint8_t> cq;
    uint32_t entries = 0;
    uint32_t tail = 0;
  };

  Registers& registers() override { return own_.registers; }
  void settle(uint64_t now_ns) override;
  void written(unsigned asked) override;
  void advance_more(uint64_t now_ns) override;
  uint64_t more_due() const override;
  void keep_alive_expired() override;
  void enable();
  void reset();
  void shut_down();

  Subsystem& subsystem_;
  const Fabric fabric_;
  ControllerParts own_;
  Nvm nvm_;
  Admin admin_;
  Timekeeper timekeeper_;
  Engine engine_;
  std::vector<Rings> rings_;
  uint32_t connected_keep_alive_ms_ = 0;  // KATO of Connect
  uint64_t ready_at_ns_ = UINT64_MAX;
  uint64_t shutdown_at_ns_ = UINT64_MAX;
};

}  // namespace pynvme::ssd::tcp
