// An IO queue pair on the device: ring memory, a queue identifier, creation and deletion. The pair
// inside is driven by an IOWorker directly or by a CommandQueue.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "driver/queue_pair.h"
#include "driver/transport.h"
#include "pcie/dma_memory.h"

namespace pynvme::driver {

class CommandQueue;
class Controller;

struct IoQueueOptions {
  static constexpr uint16_t kAnyVector = 0xFFFF;

  uint32_t depth = 64;           // entries of SQ and CQ, 2..min(1024, MQES + 1); depth - 1 usable
  uint8_t priority = 0;          // QPRIO 0..3: urgent, high, medium, low
  bool interrupts = true;        // IEN
  uint16_t vector = kAnyVector;  // IV; kAnyVector spreads the queues over the vectors from 1 on
};

class IoQueuePair {
 public:
  static constexpr uint32_t kMaxDepth = 1024;

  // Creates CQ and SQ on the device. Throws InvalidArgument (depth, priority, vector),
  // QueueCreationError.
  static std::shared_ptr<IoQueuePair> create(const std::shared_ptr<Controller>& controller,
                                             const IoQueueOptions& options);
  ~IoQueuePair();
  IoQueuePair(const IoQueuePair&) = delete;
  IoQueuePair& operator=(const IoQueuePair&) = delete;

  Controller& controller() { return *controller_; }
  QueuePair& pair() { return *pair_; }
  uint16_t id() const { return id_; }
  const IoQueueOptions& options() const { return options_; }  // vector: the one in use
  bool dead() const { return pair_->dead(); }

  // Deletes SQ and CQ; nothing to do when the queue is dead already. Throws QueueDeletionError.
  void remove();
  // The same for destructors: logs instead of throwing.
  void remove_quietly() noexcept;
  // After remove(): the device cannot touch the commands' buffers any more. While this is false
  // they must outlive the controller's next reset: hand them to Controller::bury().
  bool device_is_done() const;

  // Interrupts that arrived on the queue's vector since clear_interrupts().
  uint64_t interrupts();
  void clear_interrupts();
  // Whether one arrived; the pin counts while it is asserted for this queue.
  bool interrupted();

 private:
  friend class Controller;
  friend class CommandQueue;
  IoQueuePair(std::shared_ptr<Controller> controller, const IoQueueOptions& options);
  void create_on_device();
  void delete_on_device(bool quiet);

  const std::shared_ptr<Controller> controller_;
  IoQueueOptions options_;
  uint16_t id_ = 0;
  uint32_t generation_ = 0;  // the controller's, when the queue was created
  pcie::DmaBlock sq_memory_;
  pcie::DmaBlock cq_memory_;
  std::unique_ptr<QueueLink> link_;
  std::unique_ptr<QueuePair> pair_;
  CommandQueue* commands_ = nullptr;  // guarded by the controller
  std::atomic<bool> deleted_{true};   // on the device there is nothing of this queue
  uint64_t interrupts_cleared_at_ = 0;
};

}  // namespace pynvme::driver
