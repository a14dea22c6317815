// Registers, the life of queues across resets, and what all parts of the controller share. The
// initialisation sequence is in controller_init.cc, resets and shutdown in controller_reset.cc.
#include "driver/controller.h"

#include <algorithm>
#include <cstdio>
#include <utility>

#include "base/log.h"
#include "driver/errors.h"
#include "driver/io_queue_pair.h"
#include "driver/patience.h"
#include "driver/pcie/pcie_transport.h"
#include "spec/status.h"

namespace pynvme::driver {

namespace reg = spec::reg;

std::shared_ptr<Controller> Controller::open(std::unique_ptr<Transport> transport,
                                             const base::Clock& clock) {
  return std::shared_ptr<Controller>(new Controller(std::move(transport), clock));
}

std::shared_ptr<Controller> Controller::open(std::shared_ptr<pcie::Function> function,
                                             const base::Clock& clock) {
  return open(std::make_unique<PcieTransport>(std::move(function), clock), clock);
}

Controller::Controller(std::unique_ptr<Transport> transport, const base::Clock& clock)
    : transport_(std::move(transport)),
      clock_(clock),
      identify_(std::make_unique<spec::IdentifyController>()) {
  cap_ = {read64(reg::kCap)};
  // On a fabric there are no pages: CC.MPS is what MDTS counts in, and nothing else.
  if (cap_.mpsmin() != 0 && transport_->data_pointers() == DataPointers::kPrp) {
    throw EnumerateError(name() + " needs memory pages of " +
                         std::to_string(4096U << cap_.mpsmin()) +
                         " bytes (CAP.MPSMIN); only 4096 are supported");
  }
  auto& memory = pcie::DmaMemory::instance();
  const uint32_t entries = transport_->admin_entries();
  admin_sq_memory_ = memory.allocate(entries * sizeof(spec::Sqe));
  admin_cq_memory_ = memory.allocate(entries * sizeof(spec::Cqe));
  const QueueMemory sq{admin_sq_memory_.data(), admin_sq_memory_.iova()};
  const QueueMemory cq{admin_cq_memory_.data(), admin_cq_memory_.iova()};
  const pcie::Doorbells doorbells = transport_->attach_admin({0, entries, sq, cq});
  admin_pair_ = std::make_unique<QueuePair>(SubmissionQueue(0, entries, sq, doorbells),
                                            CompletionQueue(0, entries, cq, doorbells), clock_,
                                            transport_->data_pointers());
  admin_pair_->kill("the controller was not initialised");
  admin_ = std::make_unique<CommandQueue>(*this, *admin_pair_);
}

Controller::~Controller() {
  idle_hook_ = nullptr;
  try {
    if (spec::Cc{read32(reg::kCc)}.en()) {
      shutdown(false);
      disable();
    }
  } catch (const std::exception& error) {
    base::log(base::LogLevel::kWarning, "while closing: %s", error.what());
  }
  transport_->close();
}

pcie::Function& Controller::function() {
  // The transport keeps it for as long as there is a controller.
  const auto function = transport_->function();
  if (function == nullptr) {
    throw InvalidArgument(name() +
                          " is reached over a fabric: there is no PCIe function, with no "
                          "configuration space, BARs, interrupts or PCIe resets");
  }
  return *function;
}

void Controller::throw_gone() const {
  throw DeviceGone(name() + " is gone: " + transport_->gone_text());
}

uint32_t Controller::read32(uint32_t offset) {
  const uint32_t value = transport_->read32(offset);
  // Some registers may hold all ones; CSTS cannot.
  if (value == UINT32_MAX && transport_->read32(reg::kCsts) == UINT32_MAX) throw_gone();
  return value;
}

uint64_t Controller::read64(uint32_t offset) {
  const uint64_t value = transport_->read64(offset);
  const bool ones = static_cast<uint32_t>(value) == UINT32_MAX || value >> 32 == UINT32_MAX;
  if (ones && transport_->read32(reg::kCsts) == UINT32_MAX) throw_gone();
  return value;
}

void Controller::write32(uint32_t offset, uint32_t value) {
  if (offset == reg::kCc && !spec::Cc{value}.en() && spec::Cc{transport_->read32(reg::kCc)}.en()) {
    queues_lost("CC.EN was cleared");
  }
  if (offset == reg::kNssr && value == spec::kNssrReset && cap_.nssrs()) {
    queues_lost("the NVM subsystem was reset");
  }
  transport_->write32(offset, value);
}

void Controller::check_alive() {
  const spec::Csts csts{transport_->status()};
  if (csts.value == UINT32_MAX) throw_gone();
  if (csts.cfs()) {
    throw ControllerFatal(name() + " reports a fatal error (CSTS.CFS): it needs a reset()");
  }
}

void Controller::wait_register(uint32_t offset, uint32_t mask, uint32_t value, uint64_t limit_ms,
                               const char* what) {
  Patience patience(clock_);
  const uint64_t start_ns = clock_.now_ns();
  while (true) {
    const uint32_t now = read32(offset);
    if ((now & mask) == value) return;
    if (!patience.pause()) continue;
    idle();
    if (patience.now_ns() - start_ns < limit_ms * 1'000'000) continue;
    // Read after the time was, so that a wait that was held up itself does not fail.
    const uint32_t last = read32(offset);
    if ((last & mask) == value) return;
    char text[160];
    std::snprintf(text, sizeof(text), "%s within %llu ms: register %02Xh is %08Xh", what,
                  static_cast<unsigned long long>(limit_ms), offset, last);
    throw CommandTimeout(name() + " did not " + text);
  }
}

void Controller::queues_lost(const char* reason) {
  std::vector<std::shared_ptr<void>> buffers;
  {
    const std::lock_guard guard(mutex_);
    generation_.fetch_add(1, std::memory_order_acq_rel);
    for (const auto& entry : io_queues_) {
      if (entry.queue == nullptr) continue;
      entry.queue->pair().kill_and_wait(reason);
      keep_log(*entry.queue);
      if (entry.queue->commands_ == nullptr) continue;
      auto more = entry.queue->commands_->drop_all();
      buffers.insert(buffers.end(), std::make_move_iterator(more.begin()),
                     std::make_move_iterator(more.end()));
    }
    io_queue_limit_ = 0;
    io_queues_.clear();
  }
  admin_pair_->kill(reason);
  auto more = admin_->drop_all();
  buffers.insert(buffers.end(), std::make_move_iterator(more.begin()),
                 std::make_move_iterator(more.end()));
  bury(std::move(buffers));
  transport_->queues_lost();
}

void Controller::device_stopped() {
  std::vector<std::shared_ptr<void>> freed;
  {
    const std::lock_guard guard(mutex_);
    stopped_generation_.store(generation_.load());
    freed.swap(graveyard_);
  }
}

void Controller::bury(std::vector<std::shared_ptr<void>> memory) {
  const std::lock_guard guard(mutex_);
  graveyard_.insert(graveyard_.end(), std::make_move_iterator(memory.begin()),
                    std::make_move_iterator(memory.end()));
}

uint64_t Controller::mdts_bytes() const {
  return identify_->mdts == 0 ? 0 : (uint64_t{4096} << cap_.mpsmin()) << identify_->mdts;
}

spec::Cqe Controller::execute(Command command, const char* what, bool quiet,
                              std::optional<uint32_t> generation) {
  const spec::Cqe cqe = admin_->execute(std::move(command), quiet, generation);
  if (!cqe.ok()) {
    char status[16];
    std::snprintf(status, sizeof(status), "%02x/%02x", cqe.sct(), cqe.sc());
    throw CommandFailed(name() + ": " + what + " failed with status " + status + ", " +
                            spec::status_text(cqe.sct(), cqe.sc()),
                        cqe);
  }
  return cqe;
}

uint16_t Controller::take_queue_id(uint32_t* generation) {
  const std::lock_guard guard(mutex_);
  *generation = generation_.load();
  if (io_queue_limit_ == 0) {
    throw QueueCreationError(name() +
                             " has no IO queues: the controller is not initialised (after a "
                             "reset of any kind, Controller.reset() comes first)");
  }
  for (uint32_t id = 1; id <= io_queue_limit_; ++id) {
    if (io_queues_[id].taken) continue;
    io_queues_[id].taken = true;
    return static_cast<uint16_t>(id);
  }
  throw QueueCreationError(name() + ": all " + std::to_string(io_queue_limit_) +
                           " IO queue pairs that the device granted are in use; delete one first");
}

void Controller::attach(IoQueuePair& queue) {
  const std::lock_guard guard(mutex_);
  if (queue.generation_ != generation_.load()) {
    queue.pair().kill("a reset took it away");
    return;
  }
  io_queues_[queue.id_].queue = &queue;
}

void Controller::detach(IoQueuePair& queue, bool give_id) {
  const std::lock_guard guard(mutex_);
  if (queue.id_ >= io_queues_.size() || io_queues_[queue.id_].queue != &queue) return;
  io_queues_[queue.id_] = {!give_id, !give_id, nullptr};
  keep_log(queue);
}

void Controller::keep_log(const IoQueuePair& queue) {
  ended_logs_.push_back(queue.pair_->cmdlog());
  if (ended_logs_.size() > kEndedLogs) ended_logs_.pop_front();
}

void Controller::give_queue_id(uint16_t id, uint32_t generation) {
  const std::lock_guard guard(mutex_);
  if (generation == generation_.load() && id < io_queues_.size()) io_queues_[id] = {};
}

void Controller::lose_queue_id(uint16_t id, uint32_t generation) {
  const std::lock_guard guard(mutex_);
  if (generation == generation_.load() && id < io_queues_.size() && io_queues_[id].taken)
    io_queues_[id].lost = true;
}

void Controller::reclaim_queue_ids() {
  std::vector<uint16_t> lost;
  uint32_t generation = 0;
  {
    const std::lock_guard guard(mutex_);
    generation = generation_.load();
    for (uint32_t id = 1; id <= io_queue_limit_; ++id) {
      if (!io_queues_[id].taken) return;
      if (std::exchange(io_queues_[id].lost, false)) lost.push_back(static_cast<uint16_t>(id));
    }
  }
  for (const uint16_t id : lost) {
    bool gone = false;
    try {
      gone = transport_->reclaim_queue(*this, id, generation);
      deletion_ended(generation, true);
    } catch (const CommandTimeout&) {
      deletion_ended(generation, false);
      for (const uint16_t one : lost) lose_queue_id(one, generation);
      return;
    } catch (...) {  // Ctrl-C, or the device is gone
      for (const uint16_t one : lost) lose_queue_id(one, generation);
      throw;
    }
    gone ? give_queue_id(id, generation) : lose_queue_id(id, generation);
  }
}

void Controller::set_commands(IoQueuePair& queue, CommandQueue* commands) {
  const std::lock_guard guard(mutex_);
  queue.commands_ = commands;
}

std::vector<std::shared_ptr<const CmdLog>> Controller::cmdlogs() {
  std::vector<std::shared_ptr<const CmdLog>> logs{admin_pair_->cmdlog()};
  const std::lock_guard guard(mutex_);
  logs.insert(logs.end(), ended_logs_.begin(), ended_logs_.end());
  for (const auto& entry : io_queues_) {
    if (entry.queue != nullptr) logs.push_back(entry.queue->pair_->cmdlog());
  }
  return logs;
}

}  // namespace pynvme::driver
