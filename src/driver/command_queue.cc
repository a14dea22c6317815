// The lock is held for bookkeeping only: never across a delivery, the idle hook or a destructor of
// somebody else's object, all of which may want Python's lock.
#include "driver/command_queue.h"

#include <atomic>
#include <cstring>
#include <mutex>
#include <utility>

#include "base/log.h"
#include "driver/admin_commands.h"
#include "driver/controller.h"
#include "driver/errors.h"
#include "driver/io_queue_pair.h"
#include "driver/patience.h"
#include "driver/prp.h"
#include "spec/opcode.h"

namespace pynvme::driver {
namespace {

// By then a device has refused an AER that it does not take (NVMe Base 2.0 §5.2: too many, or a bad
// field), or it waits for an event.
constexpr uint64_t kEventRefusalNs = 500'000'000;

// A wait inside a delivery would hand completions to a script that is not waiting for them.
thread_local bool delivering = false;

// Threads that send, by number. A callback sends on behalf of whoever sent its command, whichever
// thread delivers it.
std::atomic<uint32_t> last_thread{0};
thread_local uint32_t this_thread = 0;
thread_local uint32_t on_behalf_of = 0;

uint32_t sender() {
  if (on_behalf_of != 0) return on_behalf_of;
  if (this_thread == 0) [[unlikely]]
    this_thread = ++last_thread;
  return this_thread;
}

class DeliveryScope {
 public:
  explicit DeliveryScope(uint32_t sender) {
    delivering = true;
    on_behalf_of = sender;
  }
  ~DeliveryScope() {
    delivering = false;
    on_behalf_of = 0;
  }
  DeliveryScope(const DeliveryScope&) = delete;
  DeliveryScope& operator=(const DeliveryScope&) = delete;
};

spec::Cqe all_ones() {
  spec::Cqe cqe;
  std::memset(static_cast<void*>(&cqe), 0xFF, sizeof(cqe));
  return cqe;
}

}  // namespace

// Of execute(): where its completion goes.
struct CommandQueue::Execution {
  spec::Cqe cqe{};
  Command command;  // keeps the buffer until the executing thread lets go
  bool done = false;
  bool timed_out = false;
  bool dropped = false;
};

class CommandQueue::Guard {
 public:
  explicit Guard(CommandQueue& queue) : queue_(queue) { queue_.lock_.lock(); }
  ~Guard() {
    if (!queue_.garbage_.empty()) garbage_.swap(queue_.garbage_);
    queue_.lock_.unlock();
  }
  Guard(const Guard&) = delete;
  Guard& operator=(const Guard&) = delete;

 private:
  CommandQueue& queue_;
  std::vector<Command> garbage_;
};

class CommandQueue::Waiting {
 public:
  explicit Waiting(CommandQueue& queue) : queue_(queue) {
    if (delivering) {
      throw InvalidArgument(
          "waitdone() was called inside a callback: a callback may send commands, "
          "the wait that runs it takes their completions too (raise its expected "
          "number)");
    }
    const uint32_t me = sender();
    const Guard guard(queue_);
    if (queue_.has_own(me)) owner_ = me;
    if (queue_.waiting_ != 0 && (owner_ == 0 || queue_.waits_for_all_)) {
      throw InvalidArgument(queue_.title() +
                            ": another thread waits on this queue already, and each would take "
                            "completions that the other waits for; let every thread wait for "
                            "commands that it sent itself, or give it a queue of its own");
    }
    ++queue_.waiting_;
    if (owner_ == 0) queue_.waits_for_all_ = true;
  }
  ~Waiting() {
    const Guard guard(queue_);
    --queue_.waiting_;
    if (owner_ == 0) queue_.waits_for_all_ = false;
  }
  // Whose commands count; 0: everybody's.
  uint32_t owner() const { return owner_; }
  Waiting(const Waiting&) = delete;
  Waiting& operator=(const Waiting&) = delete;

 private:
  CommandQueue& queue_;
  uint32_t owner_ = 0;
};

CommandQueue::CommandQueue(Controller& controller, QueuePair& pair)
    : controller_(controller), pair_(pair), admin_(true), slots_(pair.slots()) {}

CommandQueue::CommandQueue(std::shared_ptr<IoQueuePair> io)
    : controller_(io->controller()),
      pair_(io->pair()),
      io_(std::move(io)),
      admin_(false),
      slots_(pair_.slots()) {
  controller_.set_commands(*io_, this);
}

CommandQueue::~CommandQueue() {
  if (io_ != nullptr) {
    controller_.set_commands(*io_, nullptr);
    io_->remove_quietly();
  }
  auto buffers = drop_all();
  if (io_ != nullptr && !io_->device_is_done()) controller_.bury(std::move(buffers));
}

std::string CommandQueue::title() const {
  return controller_.name() +
         (admin_ ? ": admin queue" : ": IO queue " + std::to_string(pair_.id()));
}

void CommandQueue::throw_if_dead() const {
  if (const char* reason = pair_.death(); reason != nullptr) {
    if (pair_.disconnected()) throw DeviceGone(title() + ": " + reason);
    throw QueueDead(title() + " is not usable: " + reason);
  }
}

uint16_t CommandQueue::send(Command command) {
  const Guard guard(*this);
  const uint16_t cid = submit_locked(std::move(command), nullptr);
  latest_cid_.store(cid, std::memory_order_relaxed);
  return cid;
}

uint16_t CommandQueue::submit_locked(Command&& command, Execution* execution) {
  throw_if_dead();
  const uint32_t next = pair_.next_cid();
  if (next == QueuePair::kFull) {
    throw QueueFull(title() + " is full: " + std::to_string(pair_.slots()) +
                    " commands are outstanding, one less than its depth; nothing was sent. Reap "
                    "some with waitdone() first");
  }
  const auto cid = static_cast<uint16_t>(next);
  Slot& slot = slots_[cid];
  if (pair_.data_pointers() == DataPointers::kSgl) [[unlikely]] {
    point_by_sgl(command, admin_);
  } else if (command.data.size != 0) {
    point_to_data(slot, command);
    if (command.metadata_bytes != 0) [[unlikely]]
      point_to_metadata(slot, command);
  }
  command.sqe.cid = cid;
  slot.command = std::move(command);
  slot.execution = execution;
  slot.async_event = admin_ && slot.command.sqe.opcode == spec::admin::kAsyncEventRequest;
  slot.own_event = slot.async_event && slot.command.own_event;
  slot.counted = execution == nullptr && !slot.async_event;
  slot.sender = sender();
  if (slot.counted) {
    if (counted_ == 0 && ready_.empty()) {
      mixed_ = false;
    } else if (slot.sender != sender_) {
      mixed_ = true;
    }
    sender_ = slot.sender;
    ++counted_;
  }
  if (slot.async_event) ++async_events_;
  if (slot.own_event) {
    ++own_events_;
    own_event_sent_ns_ = controller_.clock().now_ns();
  }
  pair_.submit(slot.command.sqe);
  // One tail doorbell has to announce both halves of a fused operation (NVMe Base 2.0 §3.4.2), so
  // the first one waits for the next command, or for wait().
  if (admin_ || slot.command.sqe.fuse() != spec::Fuse::kFirst) pair_.ring();
  if (slot.async_event) pair_.never_expires(cid);
  return cid;
}

void CommandQueue::point_to_data(Slot& slot, Command& command) {
  const DataBuffer& data = command.data;
  const size_t pages = prp_list_pages(data.iova, data.size);
  if (pages * kPrpPageSize > slot.prp_list.size()) {
    slot.prp_list = pcie::DmaMemory::instance().allocate(pages * kPrpPageSize);
  }
  auto* list = reinterpret_cast<uint64_t*>(slot.prp_list.data());
  const PrpPair prp = build_prp(data.iova, data.size, {list, slot.prp_list.iova(), pages});
  command.sqe.prp1 = prp.prp1;
  command.sqe.prp2 = prp.prp2;
}

void CommandQueue::point_to_metadata(Slot& slot, Command& command) {
  if (command.metadata_bytes > slot.metadata.size()) {
    slot.metadata = pcie::DmaMemory::instance().allocate(command.metadata_bytes);
  } else {
    std::memset(slot.metadata.data(), 0, command.metadata_bytes);
  }
  command.sqe.mptr = slot.metadata.iova();
}

// Targets hold the length of a descriptor against that of the command (NVMe Base 2.0 §4.1.2: Data
// SGL Length Invalid), so a buffer that is larger than the command needs is not described as a
// whole.
void CommandQueue::point_by_sgl(Command& command, bool admin) {
  command.sqe.set_psdt(spec::Psdt::kSglMetadataBuffer);
  const size_t bytes = admin ? admin_data_bytes(command.sqe, command.data.size) : command.data.size;
  const PrpPair sgl = build_sgl(bytes == 0 ? nullptr : command.data.data, bytes);
  command.sqe.prp1 = sgl.prp1;
  command.sqe.prp2 = sgl.prp2;
}

bool CommandQueue::interrupt_arrived() {
  if (controller_.interrupt_kind() == pcie::InterruptKind::kNone) return true;
  pair_.cq().poll();
  const uint64_t arrived = controller_.interrupts(0);
  if (arrived != interrupts_handled_) {
    interrupts_handled_ = arrived;
    return true;
  }
  // The pin is a level: an entry that came while it was still up made no new edge.
  return controller_.interrupt_kind() == pcie::InterruptKind::kPin &&
         controller_.function().interrupt_pending(0);
}

unsigned CommandQueue::reap_locked() {
  // Completions of admin commands are looked for only when their interrupt came: a device that
  // forgets it must be noticed. IO queues are polled.
  if (admin_ && !interrupt_arrived()) return 0;
  // No more than a ring full at a time: a device that posts without end must not hold the lock.
  const unsigned taken = pair_.reap(
      pair_.cq().entries(),
      [this](uint16_t cid, const spec::Cqe& cqe, uint64_t latency_ns) {
        finish_locked(cid, cqe, latency_ns);
      },
      [this](uint16_t cid) {
        base::log(base::LogLevel::kWarning, "%s: cid %u completed after it had timed out",
                  title().c_str(), cid);
        garbage_.push_back(std::move(slots_[cid].command));
        slots_[cid].command = {};
      });
  if (!rearm_.empty()) rearm_locked();
  return taken;
}

void CommandQueue::finish_locked(uint16_t cid, spec::Cqe cqe, uint64_t latency_ns) {
  Slot& slot = slots_[cid];
  if (slot.command.hook != nullptr) slot.command.hook->on_complete(slot.command, cqe);
  if (slot.async_event) --async_events_;
  if (slot.own_event) --own_events_;
  if (slot.async_event && cqe.ok()) {
    rearm_.push_back(
        {.sqe = slot.command.sqe, .data = {}, .context = slot.command.context, .hook = nullptr});
  }
  if (slot.counted || slot.async_event) {
    push_ready(slot, cid, cqe, latency_ns);
  } else if (slot.execution != nullptr) {
    slot.execution->cqe = cqe;
    slot.execution->command = std::move(slot.command);
    slot.execution->done = true;
    slot.execution = nullptr;
  } else {
    garbage_.push_back(std::move(slot.command));
  }
}

Finished& CommandQueue::push_ready(Slot& slot, uint16_t cid, const spec::Cqe& cqe,
                                   uint64_t latency_ns) {
  if (slot.counted) --counted_;
  slot.counted = false;
  Finished& finished = ready_.emplace_back();
  finished.sqe = slot.command.sqe;
  finished.cqe = cqe;
  finished.sqid = pair_.id();
  finished.cid = cid;
  finished.sender = slot.sender;
  finished.async_event = slot.async_event && (cqe.ok() || !slot.own_event);
  finished.latency_ns = latency_ns;
  finished.context = std::move(slot.command.context);
  finished.keep_alive = std::move(slot.command.data.keep_alive);
  finished.hook = std::move(slot.command.hook);
  return finished;
}

void CommandQueue::rearm_locked() {
  for (auto& command : rearm_) {
    if (pair_.dead() || pair_.room() == 0) {
      base::log(base::LogLevel::kWarning, "%s: no room to send an AER again", title().c_str());
      garbage_.push_back(std::move(command));
      continue;
    }
    submit_locked(std::move(command), nullptr);
  }
  rearm_.clear();
}

void CommandQueue::expire_locked(uint64_t now_ns) {
  const uint64_t timeout_ns = uint64_t{controller_.timeout_ms()} * 1'000'000;
  if (!pair_.overdue(now_ns, timeout_ns)) return;
  // A last look: the host may have stood still between the one before and its reading of the clock.
  // It ends with one that takes nothing, because only an empty queue has its device polled.
  for (uint32_t taken = 0; !pair_.dead() && taken < pair_.cq().entries();) {
    const unsigned more = reap_locked();
    if (more == 0) break;
    taken += more;
  }
  pair_.expire(now_ns, timeout_ns, [&](uint16_t cid) {
    if (admin_ && pair_.cq().ready()) {
      base::log(base::LogLevel::kError,
                "%s: a completion waits, but no interrupt came on vector 0: not reaped",
                title().c_str());
    }
    base::log(base::LogLevel::kWarning, "drive timeout: qpair: %u, cid: %u", pair_.id(), cid);
    give_up_locked(cid, timeout_ns);
  });
}

// The command is over for the script. Its buffer and PRP list stay with the slot: the device may
// still write there.
void CommandQueue::give_up_locked(uint16_t cid, uint64_t latency_ns) {
  Slot& slot = slots_[cid];
  spec::Cqe cqe = all_ones();
  if (slot.command.hook != nullptr) slot.command.hook->on_complete(slot.command, cqe);
  const auto keep_alive = slot.command.data.keep_alive;
  if (slot.counted) {
    Finished& finished = push_ready(slot, cid, cqe, latency_ns);
    finished.timed_out = true;
  } else if (slot.execution != nullptr) {
    slot.execution->done = true;
    slot.execution->timed_out = true;
    slot.execution->command.hook = std::move(slot.command.hook);
    slot.execution = nullptr;
  }
  slot.command.data.keep_alive = keep_alive;
}

bool CommandQueue::has_own(uint32_t owner) const {
  if (!mixed_) return sender_ == owner;
  for (size_t i = ready_head_; i < ready_.size(); ++i) {
    if (!ready_[i].async_event && ready_[i].sender == owner) return true;
  }
  for (const Slot& slot : slots_) {
    if (slot.counted && slot.sender == owner) return true;
  }
  return false;
}

// What others sent is not for this one: its own are still to come, or another thread waits as well.
bool CommandQueue::leaves_others(uint32_t owner) const { return waiting_ > 1 || has_own(owner); }

bool CommandQueue::take_own(bool only_async, uint32_t owner, Finished* out) {
  for (size_t i = ready_head_; i < ready_.size(); ++i) {
    Finished& one = ready_[i];
    if (!one.async_event && (only_async || one.sender != owner)) continue;
    *out = std::move(one);
    ready_.erase(ready_.begin() + static_cast<ptrdiff_t>(i));
    if (ready_head_ == ready_.size()) {
      ready_.clear();
      ready_head_ = 0;
    }
    return true;
  }
  return false;
}

bool CommandQueue::take_ready(bool only_async, uint32_t owner, Finished* out) {
  if (ready_head_ == ready_.size()) return false;
  if (owner != 0 && (mixed_ || sender_ != owner)) [[unlikely]] {
    if (take_own(only_async, owner, out)) return true;
    if (leaves_others(owner)) return false;
  }
  if (only_async && !ready_[ready_head_].async_event) return false;
  *out = std::move(ready_[ready_head_++]);
  if (ready_head_ == ready_.size()) {
    ready_.clear();
    ready_head_ = 0;
  }
  return true;
}

uint32_t CommandQueue::wait(uint32_t expected, Delivery& delivery) {
  const Waiting waiting(*this);
  Patience patience(controller_.clock());
  uint32_t counted = 0;
  uint32_t cdw0 = 0;
  for (bool first = true;; first = false) {
    Finished finished;
    bool taken = false;
    {
      const Guard guard(*this);
      const bool enough = counted >= expected;
      taken = take_ready(enough, waiting.owner(), &finished);
      // Without anything to wait for, look once: there may be an AER.
      if (!taken && !pair_.dead() && (!enough || first)) {
        reap_locked();
        taken = take_ready(enough, waiting.owner(), &finished);
      }
      if (!taken && enough) return cdw0;
      if (!taken) {
        throw_if_dead();
        if ((counted_ == 0 ||
             (waiting_ > 1 && waiting.owner() != 0 && !has_own(waiting.owner()))) &&
            !may_refuse_event()) {
          throw CommandTimeout(title() + ": waiting for " + std::to_string(expected) +
                               " completions, but after " + std::to_string(counted) +
                               " nothing is outstanding that could complete");
        }
      }
    }
    if (taken) {
      if (!finished.async_event) {
        ++counted;
        cdw0 = finished.cqe.cdw0;
        latest_latency_.store(finished.latency_ns, std::memory_order_relaxed);
      }
      const DeliveryScope scope(finished.sender);
      delivery.deliver(finished);
      continue;
    }
    if (!patience.pause()) continue;
    controller_.idle();
    controller_.check_alive();
    const Guard guard(*this);
    pair_.ring();  // half of a fused operation that nothing followed
    expire_locked(patience.now_ns());
  }
}

spec::Cqe CommandQueue::execute(Command command, bool quiet, std::optional<uint32_t> generation) {
  Execution execution;
  const uint8_t opcode = command.sqe.opcode;
  uint16_t cid = 0;
  {
    const Guard guard(*this);
    if (generation && *generation != controller_.generation()) {
      throw QueueDead(title() + ": a reset came before the command");
    }
    cid = submit_locked(std::move(command), &execution);
  }
  Patience patience(controller_.clock());
  try {
    while (true) {
      {
        const Guard guard(*this);
        if (!execution.done && !pair_.dead()) reap_locked();
        if (execution.done) break;
        throw_if_dead();
      }
      if (!patience.pause()) continue;
      if (!quiet) controller_.idle();
      controller_.check_alive();
      const Guard guard(*this);
      expire_locked(patience.now_ns());
    }
  } catch (...) {
    const Guard guard(*this);
    if (!execution.done) slots_[cid].execution = nullptr;
    throw;
  }
  if (execution.dropped) throw_if_dead();
  if (execution.dropped) throw QueueDead(title() + ": a reset took the command away");
  if (execution.timed_out) {
    throw CommandTimeout(
        title() + ": " +
        (admin_ ? spec::admin_command_name(opcode) : spec::io_command_name(opcode)) + ", cid " +
        std::to_string(cid) + ", did not complete within " +
        std::to_string(controller_.timeout_ms()) + " ms");
  }
  return execution.cqe;
}

void CommandQueue::reap() {
  const Guard guard(*this);
  if (!pair_.dead()) reap_locked();
}

uint32_t CommandQueue::outstanding() {
  const Guard guard(*this);
  return counted_;
}

uint32_t CommandQueue::room() {
  const Guard guard(*this);
  return pair_.room();
}

uint32_t CommandQueue::undelivered() {
  const Guard guard(*this);
  return static_cast<uint32_t>(ready_.size() - ready_head_);
}

uint32_t CommandQueue::async_events() {
  const Guard guard(*this);
  return async_events_;
}

bool CommandQueue::transfers(const void* keep_alive) {
  const Guard guard(*this);
  for (uint32_t cid = 0; cid < slots_.size(); ++cid) {
    if (slots_[cid].command.data.keep_alive.get() == keep_alive &&
        pair_.outstanding(static_cast<uint16_t>(cid))) {
      return true;
    }
  }
  return false;
}

bool CommandQueue::may_refuse_event() const {
  return own_events_ != 0 && controller_.clock().now_ns() - own_event_sent_ns_ < kEventRefusalNs;
}

std::vector<std::shared_ptr<void>> CommandQueue::drop_all() {
  std::vector<std::shared_ptr<void>> buffers;
  const Guard guard(*this);
  for (uint32_t cid = 0; cid < slots_.size(); ++cid) {
    Slot& slot = slots_[cid];
    Command& command = slot.command;
    // Still there only when the command is not over for the script.
    if (command.hook != nullptr) command.hook->on_lost(command);
    if (slot.execution != nullptr) {
      slot.execution->done = true;
      slot.execution->dropped = true;
    }
    if (command.data.keep_alive != nullptr) buffers.push_back(std::move(command.data.keep_alive));
    if (command.context != nullptr) buffers.push_back(std::move(command.context));
    if (command.hook != nullptr) buffers.push_back(std::move(command.hook));
    if (slot.prp_list) {
      buffers.push_back(std::make_shared<pcie::DmaBlock>(std::move(slot.prp_list)));
    }
    if (slot.metadata) {
      buffers.push_back(std::make_shared<pcie::DmaBlock>(std::move(slot.metadata)));
    }
    slot = Slot{};
  }
  for (auto& finished : ready_) {
    buffers.push_back(std::move(finished.context));
    buffers.push_back(std::move(finished.keep_alive));
    buffers.push_back(std::move(finished.hook));
  }
  ready_.clear();
  ready_head_ = 0;
  for (auto& command : garbage_) buffers.push_back(std::make_shared<Command>(std::move(command)));
  garbage_.clear();
  counted_ = async_events_ = own_events_ = 0;
  return buffers;
}

}  // namespace pynvme::driver
