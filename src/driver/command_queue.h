// A queue pair as scripts use it: commands with buffers and callbacks, sent at once, delivered by
// wait(). Serves the admin queue and IO queues alike. Buffers stay alive until the device is done
// with them, also when their command was given up. Several threads may use one queue; deliveries
// and the controller's idle hook run with nothing locked.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/spinlock.h"
#include "driver/queue_pair.h"
#include "pcie/dma_memory.h"
#include "spec/command.h"

namespace pynvme::driver {

class Controller;
class IoQueuePair;
struct Command;

// What a command transfers: `size` bytes from `iova` on (not the whole buffer, if that is larger:
// the shape of the PRPs depends on the length).
struct DataBuffer {
  uint64_t iova = 0;
  uint8_t* data = nullptr;
  size_t size = 0;
  std::shared_ptr<void> keep_alive;
};

// Sees a completion first, when it is reaped or its command given up, and may change the status
// (data verification). Runs in the reaping thread with the queue locked: no calls back into the
// queue.
class CompletionHook {
 public:
  virtual ~CompletionHook() = default;
  // cqe has cdw0 FFFFFFFFh and status FFFFh when the command timed out.
  virtual void on_complete(const Command& command, spec::Cqe& cqe) noexcept = 0;
  // Instead of it when the queue went away: no completion comes any more.
  virtual void on_lost(const Command& command) noexcept = 0;
};

struct Command {
  spec::Sqe sqe{};  // cid is filled in; the data pointer too unless data.size is 0
  DataBuffer data;
  uint32_t metadata_bytes = 0;           // of memory at MPTR, zeroed, which the queue provides
  std::shared_ptr<void> context;         // handed back in Finished: the script's callback
  std::shared_ptr<CompletionHook> hook;  // may be null
  uint64_t hook_value = 0;               // for the hook's own use
  // An AER that a script sent: an error that it comes back with is a completion like any other.
  bool own_event = false;
};

// A command that is over.
struct Finished {
  spec::Sqe sqe{};
  spec::Cqe cqe{};
  uint16_t sqid = 0;
  uint16_t cid = 0;
  uint32_t sender = 0;       // the thread that sent it
  bool timed_out = false;    // cdw0 FFFFFFFFh, status FFFFh
  bool async_event = false;  // an AER: not counted; already sent again when it succeeded
  uint64_t latency_ns = 0;
  std::shared_ptr<void> context;
  std::shared_ptr<void>
      keep_alive;  // the buffer; when it timed out the device may still write to it
  std::shared_ptr<CompletionHook> hook;  // alive until here
};

// Where wait() hands completions to, one at a time, in the order in which they were reaped. What
// deliver() throws ends the wait; that completion counts as delivered, the rest stay for the next
// wait.
class Delivery {
 public:
  virtual ~Delivery() = default;
  virtual void deliver(Finished& finished) = 0;
};

class CommandQueue {
 public:
  // The admin queue: reaped only after an interrupt on vector 0 while interrupts are on; its AERs
  // are not counted, do not time out and are sent again when they succeed, by then as the driver's
  // own. The controller owns it.
  CommandQueue(Controller& controller, QueuePair& pair);
  // An IO queue; removes it from the device when it goes.
  explicit CommandQueue(std::shared_ptr<IoQueuePair> io);
  ~CommandQueue();
  CommandQueue(const CommandQueue&) = delete;
  CommandQueue& operator=(const CommandQueue&) = delete;

  // Sends at once, one doorbell. Returns the CID. Throws QueueFull (nothing is lost), QueueDead,
  // InvalidArgument (an iova that PRPs cannot express).
  uint16_t send(Command command);

  // Delivers until `expected` completions (AERs come on top), and returns cdw0 of the last one
  // counted. When several threads send to this queue, each gets its own commands first (those sent
  // by their callbacks included), and what others sent only while no other thread waits. Throws
  // InvalidArgument inside a callback, and where two waits would take each other's completions;
  // CommandTimeout at once when nothing that could complete is outstanding (an AER that a script
  // just sent could, in error); DeviceGone, ControllerFatal, QueueDead; and whatever deliver() or
  // the controller's idle hook throws.
  uint32_t wait(uint32_t expected, Delivery& delivery);

  // Sends, waits for this very command and returns its completion, whatever its status; others that
  // arrive meanwhile are kept for their wait(). Allowed inside callbacks. Throws CommandTimeout and
  // what wait() throws. quiet: the idle hook is not called (destructors).
  // generation: of the controller; when a reset took that away meanwhile, nothing is sent and
  // QueueDead is thrown.
  spec::Cqe execute(Command command, bool quiet = false,
                    std::optional<uint32_t> generation = std::nullopt);

  // Takes completions from the device without delivering them: hooks run, slots become free, and
  // wait() delivers later. For a sender that needs an earlier command to be over.
  void reap();

  uint32_t outstanding();                  // AERs not counted
  uint32_t room();                         // commands that fit right now
  uint32_t undelivered();                  // reaped, for wait() to deliver
  uint32_t async_events();                 // AERs at the device
  bool transfers(const void* keep_alive);  // an outstanding command, not given up, has this buffer
  uint16_t latest_cid() const { return latest_cid_; }             // sent last by send()
  uint64_t latest_latency_ns() const { return latest_latency_; }  // delivered last
  QueuePair& pair() { return pair_; }
  const std::shared_ptr<IoQueuePair>& io() const { return io_; }  // null for the admin queue

  // For the controller, around a reset: gives up all that is outstanding (hooks learn of it,
  // undelivered completions are forgotten) and takes the buffers, for whoever knows when the device
  // is through with them.
  std::vector<std::shared_ptr<void>> drop_all();

 private:
  struct Execution;
  struct Slot {
    Command command;
    pcie::DmaBlock prp_list;
    pcie::DmaBlock metadata;
    Execution* execution = nullptr;
    uint32_t sender = 0;
    bool counted = false;
    bool async_event = false;
    bool own_event = false;
  };
  class Guard;
  class Waiting;

  uint16_t submit_locked(Command&& command, Execution* execution);
  void point_to_data(Slot& slot, Command& command);
  static void point_to_metadata(Slot& slot, Command& command);
  static void point_by_sgl(Command& command, bool admin);
  unsigned reap_locked();  // how many entries it took
  bool interrupt_arrived();
  void finish_locked(uint16_t cid, spec::Cqe cqe, uint64_t latency_ns);
  void expire_locked(uint64_t now_ns);
  void give_up_locked(uint16_t cid, uint64_t latency_ns);
  void rearm_locked();
  Finished& push_ready(Slot& slot, uint16_t cid, const spec::Cqe& cqe, uint64_t latency_ns);
  bool may_refuse_event() const;
  bool take_ready(bool only_async, uint32_t owner, Finished* out);
  bool take_own(bool only_async, uint32_t owner, Finished* out);
  bool has_own(uint32_t owner) const;
  bool leaves_others(uint32_t owner) const;
  void throw_if_dead() const;
  std::string title() const;

  Controller& controller_;
  QueuePair& pair_;
  std::shared_ptr<IoQueuePair> io_;
  const bool admin_;
  base::SpinLock lock_;
  std::vector<Slot> slots_;
  // Completions that wait to be delivered: from ready_head_ on; emptied as a whole, so that it
  // keeps its memory.
  std::vector<Finished> ready_;
  size_t ready_head_ = 0;
  std::vector<Command> rearm_;
  // What to destroy when the lock is released: destructors of buffers may need the GIL.
  std::vector<Command> garbage_;
  uint32_t counted_ = 0;  // outstanding and waited for by wait()
  uint32_t async_events_ = 0;
  uint32_t own_events_ = 0;         // those of them that a script sent
  uint64_t own_event_sent_ns_ = 0;  // the last of those
  uint64_t interrupts_handled_ = 0;
  uint32_t waiting_ = 0;        // threads
  bool waits_for_all_ = false;  // one of them takes what others sent, too
  uint32_t sender_ = 0;         // of all that is outstanding or undelivered; unless
  bool mixed_ = false;          // there are several
  std::atomic<uint16_t> latest_cid_{0};
  std::atomic<uint64_t> latest_latency_{0};
};

}  // namespace pynvme::driver
