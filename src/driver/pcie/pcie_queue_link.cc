// IO queues by admin commands: creation in the order CQ, SQ, deletion in the order SQ, CQ (NVMe
// Base 2.0 §3.3.1.1 and §3.3.1.3).
#include <utility>

#include "driver/admin_commands.h"
#include "driver/command_queue.h"
#include "driver/controller.h"
#include "driver/errors.h"
#include "driver/io_queue_pair.h"
#include "driver/pcie/pcie_transport.h"
#include "spec/status.h"

namespace pynvme::driver {
namespace {

Command plain(const spec::Sqe& sqe) {
  Command command;
  command.sqe = sqe;
  return command;
}

class PcieQueueLink final : public QueueLink {
 public:
  PcieQueueLink(Controller& controller, const QueueRings& rings, const pcie::Doorbells& doorbells)
      : controller_(controller), rings_(rings), doorbells_(doorbells) {}

  pcie::Doorbells doorbells() override { return doorbells_; }

  void create(QueuePair&, IoQueueOptions& options, uint32_t generation) override {
    const unsigned vectors = controller_.interrupt_vectors();
    if (options.vector == IoQueueOptions::kAnyVector) {
      // Vector 0 is the admin queue's; with one vector there is no choice.
      options.vector =
          vectors > 1 ? static_cast<uint16_t>(1 + (rings_.id - 1U) % (vectors - 1)) : 0;
    }
    controller_.execute(plain(create_cq_command(rings_.id, rings_.entries, rings_.cq.iova,
                                                options.interrupts, options.vector)),
                        "Create I/O Completion Queue", false, generation);
    try {
      controller_.execute(plain(create_sq_command(rings_.id, rings_.entries, rings_.sq.iova,
                                                  rings_.id, options.priority)),
                          "Create I/O Submission Queue", false, generation);
    } catch (const CommandFailed&) {
      controller_.admin().execute(plain(delete_cq_command(rings_.id)), true, generation);
      throw;
    }
  }

  void remove(bool quiet, uint32_t generation) override {
    controller_.execute(plain(delete_sq_command(rings_.id)), "Delete I/O Submission Queue", quiet,
                        generation);
    controller_.execute(plain(delete_cq_command(rings_.id)), "Delete I/O Completion Queue", quiet,
                        generation);
  }

 private:
  Controller& controller_;
  QueueRings rings_;
  pcie::Doorbells doorbells_;
};

}  // namespace

std::unique_ptr<QueueLink> PcieTransport::link(Controller& controller, const QueueRings& rings) {
  check_doorbells(rings.id, doorbells_.stride_bytes);
  return std::make_unique<PcieQueueLink>(controller, rings, doorbells_);
}

bool PcieTransport::reclaim_queue(Controller& controller, uint16_t id, uint32_t generation) {
  bool gone = true;
  for (const spec::Sqe& sqe : {delete_sq_command(id), delete_cq_command(id)}) {
    const spec::Cqe cqe = controller.admin().execute(plain(sqe), false, generation);
    // Invalid Queue Identifier: there is none, which is as good.
    gone &= cqe.ok() || (cqe.sct() == spec::sct::kCommandSpecific &&
                         cqe.sc() == spec::sc::kInvalidQueueIdentifier);
  }
  return gone;
}

}  // namespace pynvme::driver
