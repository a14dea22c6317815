// An NVMe controller behind a transport: registers, initialisation step by step or as a whole,
// resets, shutdown, the admin queue, and the IO queues' identifiers and fate. Shared: queues hold
// on to it, so that objects may be dropped in any order.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "driver/cmdlog.h"
#include "driver/command_queue.h"
#include "driver/lba_layout.h"
#include "driver/queue_pair.h"
#include "driver/transport.h"
#include "pcie/dma_memory.h"
#include "pcie/function.h"
#include "spec/identify.h"
#include "spec/registers.h"

namespace pynvme::driver {

class IoQueuePair;

class Controller : public std::enable_shared_from_this<Controller> {
 public:
  static constexpr uint32_t kMaxAsyncEvents = 4;
  static constexpr uint32_t kDefaultTimeoutMs = 10'000;

  // Touches no register but CAP. Throws EnumerateError, DeviceGone.
  static std::shared_ptr<Controller> open(std::unique_ptr<Transport> transport,
                                          const base::Clock& clock = base::Clock::real());
  // Over PCIe: takes a function that is already set up on its bus (pcie::Bus::open).
  static std::shared_ptr<Controller> open(std::shared_ptr<pcie::Function> function,
                                          const base::Clock& clock = base::Clock::real());
  // Normal shutdown, then disabled; bounded, never throws.
  ~Controller();
  Controller(const Controller&) = delete;
  Controller& operator=(const Controller&) = delete;

  Transport& transport() { return *transport_; }
  // Throws InvalidArgument on a fabric, which has none.
  pcie::Function& function();
  const std::string& name() const { return transport_->name(); }
  const base::Clock& clock() const { return clock_; }

  // Registers: of BAR0, or the properties of a fabric. Reads that return all ones throw DeviceGone
  // when CSTS reads all ones as well. A write that clears CC.EN or resets the subsystem also ends
  // all queues.
  uint32_t read32(uint32_t offset);
  uint64_t read64(uint32_t offset);
  void write32(uint32_t offset, uint32_t value);
  spec::Cap cap() const { return cap_; }
  // Throws DeviceGone or ControllerFatal when the registers say so.
  void check_alive();
  // Transport::vanished().
  bool vanished() { return transport_->vanished(); }

  // Milliseconds that a command may take.
  uint32_t timeout_ms() const { return timeout_ms_.load(std::memory_order_relaxed); }
  void set_timeout_ms(uint32_t value) { timeout_ms_.store(value, std::memory_order_relaxed); }
  // Called about every millisecond by whoever waits in here, in its thread, with nothing locked;
  // may throw, which ends the wait. Set before other threads use the controller.
  void set_idle_hook(std::function<void()> hook) { idle_hook_ = std::move(hook); }
  void idle() {
    if (idle_hook_) idle_hook_();
  }

  // NVMe Base 2.0 §3.5.1, whole: disable, admin queue, CC, enable, identify, queues, AERs. Also the
  // controller reset of a running one.
  void initialise();
  // The same in steps, for scripts with an initialisation of their own.
  void disable();           // CC.EN = 0, waits for CSTS.RDY = 0
  void init_admin_queue();  // PCIe: AQA, ASQ, ACQ, interrupts on
  void enable();            // CC from CAP, CC.EN = 1, waits for CSTS.RDY = 1
  void wait_ready(bool ready);
  void identify();                          // controller structure: MDTS, AERL, ...
  void init_namespaces();                   // the active namespaces
  uint32_t request_queues(uint16_t count);  // Set Features 07h; returns cdw0
  void init_queues(uint32_t cdw0);          // cdw0 of Number of Queues: what was granted
  void arm_async_events();                  // min(AERL + 1, 4) AERs

  // Resets other than CC.EN. Each ends all queues, restores configuration space and leaves the
  // controller disabled: initialise() comes next. InvalidArgument where there is no such thing.
  void subsystem_reset();  // NSSR; also where CAP.NSSRS is 0
  void hot_reset();
  void function_level_reset();
  void power_off();
  void power_on();
  // CC.SHN, and waits for CSTS.SHST within RTD3E (at least kDefaultTimeoutMs). Throws
  // ShutdownTimeout.
  void shutdown(bool abrupt);

  // What Identify told; zeroes before identify().
  const spec::IdentifyController& identify_data() const { return *identify_; }
  uint64_t mdts_bytes() const;  // 0: no limit
  const std::vector<uint32_t>& active_namespaces() const { return active_namespaces_; }
  spec::IdentifyNamespace identify_namespace(uint32_t nsid);
  // Of the namespace that Identify told of.
  LbaLayout lba_layout(uint32_t nsid, const spec::IdentifyNamespace& data);

  CommandQueue& admin() { return *admin_; }
  // Sends an admin command of the driver's own and throws CommandFailed, naming `what`, on an
  // error.
  spec::Cqe execute(Command command, const char* what, bool quiet = false,
                    std::optional<uint32_t> generation = std::nullopt);

  // IO queues that may exist at once (0 before init_queues()).
  uint32_t io_queue_limit() const { return io_queue_limit_; }
  // Counts the resets that took the queues away.
  uint32_t generation() const { return generation_.load(std::memory_order_acquire); }

  // Interrupts: how many vectors are on, how many messages each received since it was switched on.
  pcie::InterruptKind interrupt_kind() const { return transport_->interrupt_kind(); }
  unsigned interrupt_vectors() const { return transport_->interrupt_vectors(); }
  uint64_t interrupts(unsigned vector) { return transport_->interrupts(vector); }

  // Keeps memory that the device may still write to until it is reset.
  void bury(std::vector<std::shared_ptr<void>> memory);

  // The logs of the admin queue, of the kEndedLogs IO queues that ended last, and of all IO queues
  // there are.
  static constexpr size_t kEndedLogs = 32;
  std::vector<std::shared_ptr<const CmdLog>> cmdlogs();

 private:
  friend class IoQueuePair;
  friend class CommandQueue;

  Controller(std::unique_ptr<Transport> transport, const base::Clock& clock);

  // Waits until (register & mask) == value; `what` completes "... did not ...".
  void wait_register(uint32_t offset, uint32_t mask, uint32_t value, uint64_t limit_ms,
                     const char* what);
  // A reset begins: all queues die, their buffers are buried.
  void queues_lost(const char* reason);
  // The device does no DMA any more: what is buried can go.
  void device_stopped();
  void check_identify() const;
  // An identifier is taken before its queue is created and given back when nothing of it is left on
  // the device. In between the queue is attached: resets reach it.
  // generation: tells the controller's; identifiers of an earlier one are over.
  uint16_t take_queue_id(uint32_t* generation);
  void attach(IoQueuePair& queue);
  void detach(IoQueuePair& queue, bool give_id);
  void give_queue_id(uint16_t id, uint32_t generation);
  // Deletes what may be left of queues whose creation or deletion had no answer in time, when their
  // identifiers are the last ones.
  void reclaim_queue_ids();
  void lose_queue_id(uint16_t id, uint32_t generation);
  // A device that let one deletion of a queue run into its timeout would let each of the others do
  // so, one after the other: until one is answered, or a reset, those that nobody asked for (the
  // ends of objects) are left to the reset.
  bool ignores_deletions() const { return ignored_generation_.load() == generation(); }
  void deletion_ended(uint32_t generation, bool answered) {
    ignored_generation_.store(answered ? kNoGeneration : generation);
  }
  void set_commands(IoQueuePair& queue, CommandQueue* commands);
  void keep_log(const IoQueuePair& queue);  // with mutex_
  [[noreturn]] void throw_gone() const;
  uint32_t ready_limit_ms();
  void reset_as(ResetKind kind, const char* reason);

  // Before transport_: outlives it, so that nothing is freed that a device can still reach.
  std::vector<std::shared_ptr<void>> graveyard_;  // guarded by mutex_
  std::unique_ptr<Transport> transport_;
  const base::Clock& clock_;
  spec::Cap cap_{};
  pcie::DmaBlock admin_sq_memory_;
  pcie::DmaBlock admin_cq_memory_;
  std::unique_ptr<QueuePair> admin_pair_;
  std::unique_ptr<CommandQueue> admin_;
  std::unique_ptr<spec::IdentifyController> identify_;
  std::vector<uint32_t> active_namespaces_;
  std::atomic<uint32_t> timeout_ms_{kDefaultTimeoutMs};
  std::atomic<uint32_t> generation_{0};
  std::atomic<uint32_t> stopped_generation_{0};  // generation_ when the device last stopped
  static constexpr uint64_t kNoGeneration = UINT64_MAX;
  std::atomic<uint64_t> ignored_generation_{kNoGeneration};
  std::function<void()> idle_hook_;

  std::mutex mutex_;  // of what follows; never held while a command runs
  struct IoQueueEntry {
    bool taken = false;
    bool lost = false;  // taken by nobody, but perhaps still in use on the device
    IoQueuePair* queue = nullptr;
  };
  std::vector<IoQueueEntry> io_queues_;                   // by queue identifier
  std::deque<std::shared_ptr<const CmdLog>> ended_logs_;  // oldest first
  uint32_t io_queue_limit_ = 0;
};

}  // namespace pynvme::driver
