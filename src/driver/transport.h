// The second seam: how registers and queues reach a controller. driver/pcie meets it with a PCI
// function, driver/tcp with connections to an NVMe/TCP target, which has no BARs and does not
// pretend to. Crossed at set-up, on register accesses and on slow paths; the hot loop holds the
// plain pointers of pcie::Doorbells and the ring memory, whoever works behind them.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/wire_faults.h"
#include "driver/queue.h"
#include "pcie/function.h"
#include "spec/identify.h"

namespace pynvme::driver {

class Controller;
class PduLog;
class QueuePair;
struct IoQueueOptions;

// How a command says where its data are (CDW0.PSDT). On a fabric there are only SGLs (NVMe Base 2.0
// §3.3.3.1); the transport puts its own descriptor in the place of the one that the driver made,
// whose address is that of the host's memory.
enum class DataPointers : uint8_t { kPrp, kSgl };

enum class ResetKind : uint8_t { kSubsystem, kHot, kFunctionLevel, kPowerOff, kPowerOn };

// Ring memory of a queue pair; the SQ and the CQ have the same identifier and size.
struct QueueRings {
  uint16_t id = 0;
  uint32_t entries = 0;
  QueueMemory sq;
  QueueMemory cq;
};

// An IO queue pair's way to the device: made before its QueuePair, ended after it.
class QueueLink {
 public:
  virtual ~QueueLink() = default;
  virtual pcie::Doorbells doorbells() = 0;
  // Creates the queue on the device. Throws CommandFailed when the device refused and has nothing
  // of it; after any other exception it may have.
  virtual void create(QueuePair& pair, IoQueueOptions& options, uint32_t generation) = 0;
  // quiet: see CommandQueue::execute(). Throws Error.
  virtual void remove(bool quiet, uint32_t generation) = 0;
  // The device cannot reach the queue's memory any more, whatever became of remove().
  virtual bool severed() const noexcept { return false; }
};

class Transport {
 public:
  virtual ~Transport() = default;

  // "sim", "0000:01:00.0", "10.0.0.1:4420": what errors call the device.
  virtual const std::string& name() const = 0;
  virtual DataPointers data_pointers() const noexcept = 0;
  // The PCI function; null on a fabric.
  virtual std::shared_ptr<pcie::Function> function() const noexcept = 0;

  // Registers of BAR0, or the properties of a fabric: naturally aligned, all ones when nobody
  // answers.
  virtual uint64_t register_bytes() const = 0;
  virtual uint32_t read32(uint32_t offset) = 0;
  virtual uint64_t read64(uint32_t offset) = 0;
  virtual void write32(uint32_t offset, uint32_t value) = 0;
  // CSTS for those who wait, every millisecond: where reading it is no matter of nanoseconds it may
  // be a little old. The place for what the connection itself needs.
  virtual uint32_t status() = 0;
  // Completes "<name> is gone: " when registers read all ones.
  virtual std::string gone_text() const = 0;
  // Whether what was sent and not completed never will be, because there is no device any more.
  // Any thread, every few milliseconds in which nothing came.
  virtual bool vanished() { return false; }

  // Once, before anything else is done with the admin queue; the pair outlives its use.
  virtual uint32_t admin_entries() const = 0;
  virtual pcie::Doorbells attach_admin(const QueueRings& rings) = 0;
  // What the device forgot since it was last heard of is set up again, so that registers can be
  // read; `lost` is called first when that was the end of the queues.
  virtual void recover(const std::function<void(const char* reason)>& lost) = 0;
  // CC.EN is 0 and the rings are empty: admin commands go to `pair` from here on.
  virtual void start_admin(QueuePair& pair) = 0;
  // All queues are dead for the host; nobody is at work on them.
  virtual void queues_lost() = 0;
  virtual void identified(const spec::IdentifyController& data) = 0;

  virtual std::unique_ptr<QueueLink> link(Controller& controller, const QueueRings& rings) = 0;
  // Removes what may be left of a queue whose creation or deletion had no answer in time. False:
  // still in doubt.
  // Throws CommandTimeout where the device does not answer.
  virtual bool reclaim_queue(Controller& controller, uint16_t id, uint32_t generation) = 0;

  // Throws InvalidArgument where there is no such reset.
  virtual void check_reset(ResetKind kind) const = 0;
  // Returns when registers may be accessed again (kPowerOff: when the power is off). `idle` is
  // called while it waits. Throws DeviceGone.
  virtual void reset(ResetKind kind, const std::function<void()>& idle) = 0;
  // The last call.
  virtual void close() noexcept = 0;

  // The last PDUs of the queue's connection; null where there are no PDUs, or no such queue. Any
  // thread.
  // What is to go wrong with PDUs that the host sends; null where there are none.
  virtual base::WireFaults* wire_faults() noexcept { return nullptr; }
  virtual std::shared_ptr<const PduLog> pdu_log(uint16_t sqid) const {
    static_cast<void>(sqid);
    return nullptr;
  }

  // PCIe only: none elsewhere. interrupts(): messages that the vector received so far.
  virtual pcie::InterruptKind interrupt_kind() const noexcept { return pcie::InterruptKind::kNone; }
  virtual unsigned interrupt_vectors() const noexcept { return 0; }
  virtual uint64_t interrupts(unsigned vector) {
    static_cast<void>(vector);
    return 0;
  }
};

}  // namespace pynvme::driver
