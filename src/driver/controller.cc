// Registers, the life of queues across resets, and what all parts of the controller share. The
// initialisation sequence is in controller_init.cc, resets and shutdown in controller_reset.cc.
#include "driver/controller.h"

#include <algorithm>
#include <cstdio>
#include <utility>

#include "base/log.h"
#include "driver/admin_commands.h"
#include "driver/errors.h"
#include "driver/io_queue_pair.h"
#include "driver/patience.h"
#include "pcie/config_space.h"
#include "spec/opcode.h"
#include "spec/status.h"

namespace pynvme::driver {

namespace reg = spec::reg;

std::shared_ptr<Controller> Controller::open(std::shared_ptr<pcie::Function> function,
                                             const base::Clock& clock) {
  return std::shared_ptr<Controller>(new Controller(std::move(function), clock));
}

Controller::Controller(std::shared_ptr<pcie::Function> function, const base::Clock& clock)
    : function_(std::move(function)),
      clock_(clock),
      identify_(std::make_unique<spec::IdentifyController>()) {
  if (function_->bar_size(0) < reg::kDoorbells) {
    throw EnumerateError(name() + " is no NVMe controller: BAR0 has " +
                         std::to_string(function_->bar_size(0)) + " bytes");
  }
  cap_ = {read64(reg::kCap)};
  if (cap_.mpsmin() != 0) {
    throw EnumerateError(name() + " needs memory pages of " +
                         std::to_string(4096U << cap_.mpsmin()) +
                         " bytes (CAP.MPSMIN); only 4096 are supported");
  }
  doorbells_ = function_->doorbells(4U << cap_.dstrd());
  auto& memory = pcie::DmaMemory::instance();
  admin_sq_memory_ = memory.allocate(kAdminEntries * sizeof(spec::Sqe));
  admin_cq_memory_ = memory.allocate(kAdminEntries * sizeof(spec::Cqe));
  admin_pair_ = std::make_unique<QueuePair>(
      SubmissionQueue(0, kAdminEntries, {admin_sq_memory_.data(), admin_sq_memory_.iova()},
                      doorbells_),
      CompletionQueue(0, kAdminEntries, {admin_cq_memory_.data(), admin_cq_memory_.iova()},
                      doorbells_),
      clock_);
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
  // Whatever state it was left in, the device reaches no memory from here on.
  pcie::ConfigSpace(*function_).set_bus_master(false);
}

uint32_t Controller::raw_read32(uint32_t offset) {
  return static_cast<uint32_t>(function_->bar_read(0, offset, 4));
}

uint32_t Controller::read32(uint32_t offset) {
  const uint32_t value = raw_read32(offset);
  // Some registers may hold all ones; CSTS cannot.
  if (value == UINT32_MAX && raw_read32(reg::kCsts) == UINT32_MAX) {
    throw DeviceGone(name() +
                     " is gone: its registers read all ones. It has lost power or its link, is in "
                     "D3hot, or memory space is switched off; power it on, bring it to D0 or "
                     "reset it, then reset() the controller");
  }
  return value;
}

uint64_t Controller::read64(uint32_t offset) {
  const uint64_t low = read32(offset);
  return static_cast<uint64_t>(read32(offset + 4)) << 32 | low;
}

void Controller::write32(uint32_t offset, uint32_t value) {
  if (offset == reg::kCc && !spec::Cc{value}.en() && spec::Cc{raw_read32(reg::kCc)}.en()) {
    queues_lost("CC.EN was cleared");
  }
  if (offset == reg::kNssr && value == spec::kNssrReset && cap_.nssrs()) {
    queues_lost("the NVM subsystem was reset");
    saved_config_ = pcie::ConfigSpace(*function_).save();
  }
  function_->bar_write(0, offset, value, 4);
}

void Controller::write64(uint32_t offset, uint64_t value) {
  // Two dwords: every controller takes them, an 8-byte write it need not (§3.1.3).
  write32(offset, static_cast<uint32_t>(value));
  write32(offset + 4, static_cast<uint32_t>(value >> 32));
}

void Controller::check_alive() {
  const spec::Csts csts{read32(reg::kCsts)};
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
    // Asked for after the read above, so that a wait that was held up itself does not fail.
    if (patience.now_ns() - start_ns < limit_ms * 1'000'000) continue;
    char text[160];
    std::snprintf(text, sizeof(text), "%s within %llu ms: register %02Xh is %08Xh", what,
                  static_cast<unsigned long long>(limit_ms), offset, now);
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

uint64_t Controller::interrupts(unsigned vector) {
  if (vector >= interrupts_.size()) return 0;
  auto& seen = interrupts_[vector];
  if (const uint64_t more = function_->take_interrupts(vector); more != 0) seen.fetch_add(more);
  return seen.load(std::memory_order_relaxed);
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
    bool gone = true;
    for (const spec::Sqe& sqe : {delete_sq_command(id), delete_cq_command(id)}) {
      try {
        Command command;
        command.sqe = sqe;
        const spec::Cqe cqe = admin_->execute(std::move(command), false, generation);
        // Invalid Queue Identifier: there is none, which is as good.
        gone &= cqe.ok() || (cqe.sct() == spec::sct::kCommandSpecific &&
                             cqe.sc() == spec::sc::kInvalidQueueIdentifier);
      } catch (const CommandTimeout&) {
        gone = false;
      } catch (...) {  // Ctrl-C, or the device is gone
        for (const uint16_t one : lost) lose_queue_id(one, generation);
        throw;
      }
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
