// The IOWorker as a state machine: step() reaps, accounts and verifies, draws and submits, and
// rings once. It drives a QueuePair directly and works on whatever clock the pair has; threads,
// sleeping, and the queue's creation and deletion are the runner's. A drawn command whose LBAs
// another command holds waits; nothing overtakes it, so the sequence stays what the seed says.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "driver/queue_pair.h"
#include "ioworker/live.h"
#include "ioworker/pacing.h"
#include "ioworker/result.h"
#include "ioworker/sequence.h"
#include "ioworker/slot_buffers.h"
#include "ioworker/workload.h"
#include "verify/effect.h"
#include "verify/integrity.h"
#include "verify/miscompare.h"

namespace pynvme::ioworker {

// What a worker works on.
struct Target {
  uint32_t nsid = 1;
  Limits limits;
  std::shared_ptr<verify::Integrity> integrity;  // null: nothing is verified, no LBA is locked
  uint64_t command_timeout_ns = 10'000'000'000;
  // For the report of a miscompare: the device's name, and the logs of all its queues.
  std::string device;
  std::function<verify::CmdLogs()> cmdlogs;
};

class Worker {
 public:
  enum class Progress : uint8_t {
    kBusy,
    kIdle,      // nothing to do before the device or the clock has moved
    kGivesWay,  // others that wait for the same LBAs should have their turn now
    kDone,
  };

  // The workload is valid for the target's limits. Allocates the buffers; throws
  // std::bad_alloc-derived.
  Worker(driver::QueuePair& pair, const Workload& workload, const Target& target, uint64_t seed,
         std::shared_ptr<Live> live = std::make_shared<Live>());
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;
  ~Worker();

  // One thread at a time. The first step starts the clock; after kDone result() is final.
  Progress step() noexcept;
  // No further commands are sent; those under way are finished. Any thread.
  void stop() { stop_requested_.store(true, std::memory_order_relaxed); }
  // The device is gone: what it has not completed has timed out, and the next step() is the last.
  void abandon() noexcept;

  // When the next command is due, if nothing is under way and nothing else can happen before; else
  // 0.
  uint64_t idle_until_ns() const;

  // The figures so far, a few milliseconds old. Any thread.
  LiveFigures live() const { return live_->read(); }
  // Before kDone: of the worker's thread only, and not summed up yet.
  const Result& result() const { return result_; }
  // Commands that the device has not completed, not even late: its memory is still the device's.
  bool device_may_access_memory() const { return pair_.used() != 0; }
  std::shared_ptr<WorkerMemory> memory() const { return memory_; }

 private:
  enum class State : uint8_t { kNew, kRunning, kDraining, kDone };
  enum class Data : uint8_t { kNone, kFromDevice, kToDevice, kRange };

  // What there is to do for an opcode.
  struct Operation {
    Data data = Data::kNone;
    verify::Effect effect = verify::Effect::kNone;
    bool has_lbas = false;             // in CDW10..12
    uint32_t stride = 0;               // from one LBA to the next in the data
    OpcodeFigures* figures = nullptr;  // of the opcodes of the workload
  };

  struct alignas(64) Slot {
    verify::Ticket ticket;
    OpcodeFigures* figures = nullptr;
    uint64_t slba = 0;
    uint32_t nlb = 0;
    uint8_t opcode = 0;
    bool busy = false;
  };
  static_assert(sizeof(Slot) == 64, "one cache line for each command");

  Operation operation_of(uint8_t opcode) const;
  void make_memory(const Workload& workload, uint64_t seed);
  void make_metadata_memory(uint64_t bytes, bool from_device, bool to_device);
  void take_log(const Workload& workload, uint64_t seed);
  void begin();
  unsigned submit() noexcept;
  bool draw() noexcept;
  void draw_next() noexcept;
  bool is_due() const noexcept;  // of timed workers
  bool hold(const Operation& operation, Slot& slot) noexcept;
  void send(uint32_t cid, const Operation& operation, Slot& slot) noexcept;
  // What the format of an LBA with metadata adds to a command.
  void add_metadata(uint32_t cid, const Operation& operation, spec::Sqe& sqe) const noexcept;
  // The LBAs of a buffer one behind another, until the next call.
  const uint8_t* data_alone(const uint8_t* data, const Operation& operation, uint32_t nlb) noexcept;
  void on_complete(uint16_t cid, const spec::Cqe& cqe, uint64_t latency_ns) noexcept;
  // False: the data do not match, and mismatch_ says why.
  bool release(const Operation& operation, Slot& slot, uint32_t cid, bool ok) noexcept;
  // The queue is gone, and the command with it.
  void interrupt(const Operation& operation, Slot& slot, uint32_t cid) noexcept;
  void on_error(const Slot& slot, uint16_t status) noexcept;
  void on_mismatch(const Slot& slot, uint16_t cid) noexcept;
  unsigned reap(unsigned max) noexcept;
  void expire() noexcept;
  void give_up(uint32_t cid, const std::string& why) noexcept;
  void account(unsigned sent) noexcept;
  void count_paced() noexcept;
  bool is_over() const noexcept;
  void publish() noexcept;
  void fail(HostError error, uint16_t status, std::string detail);
  void drain() noexcept;
  void finish() noexcept;
  uint32_t outstanding() const { return pair_.used() - pair_.abandoned(); }

  driver::QueuePair& pair_;
  Sequence sequence_;
  verify::Integrity* integrity_;
  verify::WriteLog* log_ = nullptr;  // of a worker that changes LBAs
  WorkerMemory* buffers_;
  std::unique_ptr<Slot[]> slots_;
  Draw draw_;
  Draw next_;  // drawn one ahead, so that its locks are in the cache when it is their turn
  uint64_t now_ns_ = 0;
  uint64_t remaining_;          // commands still to draw
  uint64_t second_end_ns_ = 0;  // of io_per_second's last entry
  uint64_t end_ns_ = UINT64_MAX;
  uint64_t next_check_ns_ = 0;
  State state_ = State::kNew;
  verify::Attempt attempt_ = verify::Attempt::kFresh;
  bool drawn_ = false;
  bool has_next_ = false;
  bool holds_all_reads_;
  bool traced_;
  bool timed_;  // paced or traced: commands have their time
  std::optional<Pacer> pacer_;
  spec::Sqe sqe_{};  // what all commands have in common
  uint32_t lba_bytes_;
  bool has_metadata_;

  std::array<Operation, 256> operations_;
  Result result_;
  size_t last_command_ = 0;
  verify::Mismatch mismatch_;
  std::shared_ptr<Live> live_;
  // The second that a paced command counts for.
  size_t paced_second_ = 0;
  uint64_t paced_second_end_ns_ = 0;

  std::atomic<bool> stop_requested_{false};
  uint64_t refused_since_ns_ = 0;
  uint64_t start_ns_ = 0;
  uint64_t duration_ns_;
  uint64_t timeout_ns_;
  uint64_t iops_;
  bool fw_debug_;
  std::shared_ptr<verify::Integrity> integrity_owner_;
  std::shared_ptr<verify::WriteLog> log_owner_;
  std::string device_;
  std::function<verify::CmdLogs()> cmdlogs_;
  std::shared_ptr<WorkerMemory> memory_;
  driver::LbaLayout lba_;
  std::vector<uint8_t> data_alone_;
};

}  // namespace pynvme::ioworker
