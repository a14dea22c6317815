// What becomes of identifier and memory when creation or deletion fails; how a queue is created is
// the transport's.
#include "driver/io_queue_pair.h"

#include <algorithm>
#include <string>
#include <utility>

#include "base/log.h"
#include "driver/controller.h"
#include "driver/errors.h"
#include "spec/pci.h"

namespace pynvme::driver {
namespace {

constexpr uint8_t kMaxPriority = 3;

}  // namespace

std::shared_ptr<IoQueuePair> IoQueuePair::create(const std::shared_ptr<Controller>& controller,
                                                 const IoQueueOptions& options) {
  const uint32_t deepest = std::min<uint32_t>(kMaxDepth, controller->cap().mqes() + 1U);
  if (options.depth < kMinQueueEntries || options.depth > deepest) {
    throw InvalidArgument(controller->name() + ": a queue can be " +
                          std::to_string(kMinQueueEntries) + " to " + std::to_string(deepest) +
                          " deep (CAP.MQES is " + std::to_string(controller->cap().mqes()) +
                          "), not " + std::to_string(options.depth));
  }
  if (options.priority > kMaxPriority) {
    throw InvalidArgument("a queue's priority is 0 (urgent) to 3 (low), not " +
                          std::to_string(options.priority));
  }
  std::shared_ptr<IoQueuePair> queue(new IoQueuePair(controller, options));
  queue->create_on_device();
  return queue;
}

IoQueuePair::IoQueuePair(std::shared_ptr<Controller> controller, const IoQueueOptions& options)
    : controller_(std::move(controller)), options_(options) {}

void IoQueuePair::create_on_device() {
  controller_->reclaim_queue_ids();
  id_ = controller_->take_queue_id(&generation_);
  auto& memory = pcie::DmaMemory::instance();
  try {
    sq_memory_ = memory.allocate(options_.depth * sizeof(spec::Sqe));
    cq_memory_ = memory.allocate(options_.depth * sizeof(spec::Cqe));
    const QueueMemory sq{sq_memory_.data(), sq_memory_.iova()};
    const QueueMemory cq{cq_memory_.data(), cq_memory_.iova()};
    Transport& transport = controller_->transport();
    link_ = transport.link(*controller_, {id_, options_.depth, sq, cq});
    const pcie::Doorbells doorbells = link_->doorbells();
    pair_ = std::make_unique<QueuePair>(SubmissionQueue(id_, options_.depth, sq, doorbells),
                                        CompletionQueue(id_, options_.depth, cq, doorbells),
                                        controller_->clock(), transport.data_pointers());
    deleted_ = false;
    link_->create(*pair_, options_, generation_);
  } catch (const CommandFailed& error) {
    deleted_ = true;
    controller_->give_queue_id(id_, generation_);
    throw QueueCreationError("IO queue " + std::to_string(id_) + ": " + error.what());
  } catch (...) {
    // A device that did not answer may still take the queue up: the identifier stays taken until it
    // is needed or the device is reset, the memory until the reset.
    if (pair_ != nullptr) pair_->kill("its creation failed");
    if (deleted_) {
      controller_->give_queue_id(id_, generation_);
    } else {
      controller_->lose_queue_id(id_, generation_);
    }
    throw;
  }
  controller_->attach(*this);
  clear_interrupts();
}

IoQueuePair::~IoQueuePair() {
  remove_quietly();
  controller_->detach(*this, deleted_);
  if (device_is_done()) return;
  controller_->bury({std::make_shared<pcie::DmaBlock>(std::move(sq_memory_)),
                     std::make_shared<pcie::DmaBlock>(std::move(cq_memory_))});
}

bool IoQueuePair::device_is_done() const {
  return deleted_ || controller_->stopped_generation_.load() > generation_ ||
         (link_ != nullptr && link_->severed());
}

void IoQueuePair::remove() { delete_on_device(false); }

void IoQueuePair::remove_quietly() noexcept {
  try {
    delete_on_device(true);
  } catch (const std::exception& error) {
    base::log(base::LogLevel::kWarning, "%s", error.what());
  }
}

void IoQueuePair::delete_on_device(bool quiet) {
  if (deleted_ || pair_ == nullptr || pair_->dead()) return;
  // From here on nobody may use it, whatever comes of the deletion.
  pair_->kill("it was deleted");
  const std::string title = "IO queue " + std::to_string(id_) + ": ";
  if (quiet && controller_->ignores_deletions()) {
    throw QueueDeletionError(title +
                             "not deleted, because the device did not answer the deletion of "
                             "another one; the next reset takes it away");
  }
  try {
    link_->remove(quiet, generation_);
  } catch (const Error& error) {
    if (controller_->generation() != generation_) return;  // a reset took it away meanwhile
    if (dynamic_cast<const CommandTimeout*>(&error) != nullptr) {
      controller_->deletion_ended(generation_, false);
    }
    throw QueueDeletionError(title + error.what());
  }
  controller_->deletion_ended(generation_, true);
  deleted_ = true;
  controller_->detach(*this, true);
}

uint64_t IoQueuePair::interrupts() {
  return controller_->interrupts(options_.vector) - interrupts_cleared_at_;
}

bool IoQueuePair::interrupted() {
  if (interrupts() != 0) return true;
  // The pin is a level, shared by all: another queue may have raised it before. Interrupt Disable
  // takes it away, though not the status that says it is wanted (PCI 3.0 §6.2.3).
  namespace pci = spec::pci;
  if (controller_->interrupt_kind() != pcie::InterruptKind::kPin || !options_.interrupts) {
    return false;
  }
  pcie::Function& function = controller_->function();
  return pair_->cq().ready() && function.interrupt_pending(0) &&
         (function.config_read(pci::kCommand, 2) & pci::kCommandInterruptDisable) == 0;
}

void IoQueuePair::clear_interrupts() {
  interrupts_cleared_at_ = controller_->interrupts(options_.vector);
}

}  // namespace pynvme::driver
