// A device that scripts have open, as all their objects share it: the PCIe function (none on a
// fabric), the controller on it, and who must let go before it can be closed. All members are
// guarded by the GIL unless they say else.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include <nanobind/nanobind.h>

#include "bindings/python_wait.h"
#include "driver/command_queue.h"
#include "driver/controller.h"
#include "driver/lba_layout.h"
#include "pcie/address.h"
#include "pcie/embedded/slot.h"
#include "pcie/function.h"
#include "spec/command.h"
#include "verify/integrity.h"
#include "verify/namespace_changes.h"

namespace pynvme::bindings {

struct BufferMemory;
class Controller;
class OpenController;

// Queues and workers: what lives on the controller and ends before it.
class DeviceUser {
 public:
  virtual ~DeviceUser() = default;
  virtual void end_use() noexcept = 0;
  // The queue that the script itself sends to; null for workers.
  virtual driver::CommandQueue* script_queue() { return nullptr; }
  // Of the Controller object that it was made with.
  uint64_t session() const { return session_; }

 protected:
  explicit DeviceUser(uint64_t session) : session_(session) {}

 private:
  const uint64_t session_;
};

class OpenDevice : public std::enable_shared_from_this<OpenDevice> {
 public:
  // The one that is open already, when the name says the same device.
  static std::shared_ptr<OpenDevice> open(const std::string& address);
  ~OpenDevice();

  // Throw when closed, and on a fabric.
  pcie::Function& function() const;
  std::shared_ptr<pcie::Function> shared_function() const;
  const std::string& address() const { return address_; }
  // The controller on it, made when there is none. On a fabric a new one each time: whoever
  // connects gets a controller of his own (NVMe Base 2.0 §3.1.2, dynamic controller model).
  std::shared_ptr<OpenController> controller();
  // The one that is open; null when there is none, and on a fabric.
  std::shared_ptr<OpenController> controller_if_any() const;
  void close() noexcept;

  // Whether memory that is allocated is announced to other programs, which takes their answer.
  static bool any_is_served();
  // At interpreter exit: everything that is still open.
  static void close_all() noexcept;

 private:
  friend class DeviceHandle;
  explicit OpenDevice(const std::string& address);
  bool still_there() const;
  std::shared_ptr<driver::Controller> open_driver(std::string* subnqn) const;

  std::string address_;
  std::shared_ptr<pcie::EmbeddedSlot> slot_;  // of a script's own SSD: it stays in while it is open
  uint32_t plugs_ = 0;                        // of the slot, when it was opened
  uint32_t handles_ = 0;
  std::shared_ptr<pcie::Function> function_;
  std::optional<pcie::Address> fabric_;                     // instead of a function
  std::vector<std::weak_ptr<OpenController>> controllers_;  // at most one, but on a fabric
};

// One opening of a device: an address that a script gave to Pcie() or Controller(), and the objects
// that were made from it. Closing it closes those; the device goes with its last handle. So two
// scripts in one process can each open the same device, and neither closes it under the other.
class DeviceHandle {
 public:
  explicit DeviceHandle(const std::string& address);
  ~DeviceHandle();
  DeviceHandle(const DeviceHandle&) = delete;
  DeviceHandle& operator=(const DeviceHandle&) = delete;

  // Throws when closed.
  const std::shared_ptr<OpenDevice>& device() const;
  const std::string& address() const { return address_; }
  void close() noexcept;

  void add(Controller* controller) { controllers_.push_back(controller); }
  void remove(Controller* controller) noexcept { std::erase(controllers_, controller); }

 private:
  std::shared_ptr<OpenDevice> device_;  // null: closed
  std::string address_;
  std::vector<Controller*> controllers_;
};

// What the host knows of a namespace; shared by all Namespace objects of one nsid.
struct OpenNamespace {
  uint32_t nsid = 1;
  uint64_t lba_count = 0;
  driver::LbaLayout lba;
  std::shared_ptr<verify::Integrity> integrity;  // null: no memory for it
  uint64_t nlba_verify = 0;                      // as the script asked for, 0: all
  verify::Atomicity atomicity;                   // in a loss of power
  uint64_t followed_bytes = 0;                   // what `integrity` has room for
  uint64_t followed_lbas = 0;                    // and what it follows now
  uint64_t changes_seen = 0;                     // of OpenController::changes()
  uint64_t erasures_seen = 0;
};

// What is known of a subsystem's namespaces by all controllers of it that this process has on a
// fabric: what one of them writes is no miscompare when another one reads it. A PCIe function has
// one of its own.
struct SubsystemKnowledge {
  // Of this subsystem behind this address, while anybody has it.
  static std::shared_ptr<SubsystemKnowledge> of(const std::string& address,
                                                const std::string& subnqn);

  struct Followed {  // as in OpenNamespace
    std::weak_ptr<verify::Integrity> integrity;
    uint64_t followed_bytes = 0;
    uint64_t followed_lbas = 0;
    uint64_t erasures_seen = 0;
  };
  std::unordered_map<uint32_t, Followed> namespaces;
  // What admin commands did to them. Any thread.
  const std::shared_ptr<verify::NamespaceChanges> changes =
      std::make_shared<verify::NamespaceChanges>();
};

class OpenController {
 public:
  OpenController(std::shared_ptr<OpenDevice> device, std::shared_ptr<driver::Controller> driver,
                 std::shared_ptr<SubsystemKnowledge> knowledge);
  ~OpenController();
  OpenController(const OpenController&) = delete;
  OpenController& operator=(const OpenController&) = delete;

  // Throws when closed.
  driver::Controller& driver() const;
  const std::shared_ptr<driver::Controller>& shared_driver() const;
  bool is_open() const { return driver_ != nullptr; }
  // Another program answers each access: a doorbell may take a message and its reply.
  bool is_served() const { return served_; }
  const std::shared_ptr<OpenDevice>& device() const { return device_; }
  void close() noexcept;

  // A Controller object begins and ends. The last one that ends by close() closes the controller;
  // one that is dropped leaves it to its queues.
  uint64_t begin_session();
  void end_session() noexcept { --sessions_; }
  void close_session(uint64_t session) noexcept;

  void add(DeviceUser* user) { users_.push_back(user); }
  void remove(DeviceUser* user) noexcept { std::erase(users_, user); }
  const std::vector<DeviceUser*>& users() const { return users_; }

  // What is known of the namespace, read from the device when nothing is.
  std::shared_ptr<OpenNamespace> open_namespace(uint32_t nsid, uint64_t nlba_verify);
  // Reads the format anew when a Format NVM or the like has succeeded since. lba_count is 0 while
  // the namespace is not active.
  void refresh(OpenNamespace& ns) {
    if (ns.changes_seen != changes_->count()) [[unlikely]]
      read_format(ns);
  }
  // What admin commands did to namespaces. Any thread; outlives the controller.
  const std::shared_ptr<verify::NamespaceChanges>& changes() const { return changes_; }
  // "namespace 2 of sim is not active: ..."
  std::string inactive_text(uint32_t nsid);
  // Of every namespace: power was lost, and with it what was not durable.
  void power_lost();
  // All that completed is durable: a normal shutdown is complete.
  void flushed_all() noexcept;

  // Threads that wait on or reap the admin queue right now.
  uint32_t admin_busy = 0;
  // Controller objects with a callback for asynchronous events.
  std::vector<Controller*> event_listeners;
  void tell_listeners(const spec::Cqe& cqe) const;
  // Buffers of commands that were given up, and that a live command uses as well: they move out of
  // the device's reach when that one is over.
  std::vector<std::shared_ptr<BufferMemory>> abandoned;
  void move_out(const std::shared_ptr<BufferMemory>& memory);
  void move_out_abandoned();
  // AERs that the driver armed, until a script that sends its own takes them over.
  uint32_t spare_events = 0;

 private:
  std::vector<std::shared_ptr<verify::Integrity>> followed() const;
  void read_format(OpenNamespace& ns);
  void follow(OpenNamespace& ns);
  void follow_anew(OpenNamespace& ns);
  void adopt(OpenNamespace& ns) const;
  void publish(const OpenNamespace& ns);

  std::shared_ptr<OpenDevice> device_;
  std::shared_ptr<driver::Controller> driver_;
  std::vector<DeviceUser*> users_;
  uint64_t last_session_ = 0;
  uint32_t sessions_ = 0;
  std::unordered_map<uint32_t, std::weak_ptr<OpenNamespace>> namespaces_;
  std::shared_ptr<SubsystemKnowledge> knowledge_;
  std::shared_ptr<verify::NamespaceChanges> changes_;
  const bool served_;
};

}  // namespace pynvme::bindings
