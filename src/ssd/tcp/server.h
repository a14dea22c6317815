// An NVMe/TCP target: listens, and serves all connections from one thread that sleeps while nobody
// wants anything. It owns the subsystem, the connections and their controllers.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/wire_faults.h"
#include "ssd/faults/faults.h"
#include "ssd/tcp/buffer_pool.h"
#include "ssd/tcp/connection.h"
#include "ssd/tcp/controller.h"
#include "ssd/tcp/discovery.h"
#include "ssd/tcp/options.h"
#include "ssd/tcp/subsystem.h"

namespace pynvme::ssd::tcp {

class Server {
 public:
  // Opens the SSD and listens. Throws std::invalid_argument for options that make no sense,
  // std::runtime_error when the address or the SSD's file cannot be used.
  Server(const Config& config, TargetOptions options, const base::Clock& clock);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Serves in a thread of its own until stop(), which closes every connection.
  void start();
  void stop();

  uint16_t port() const { return port_; }
  const std::string& nqn() const { return subsystem_.nqn(); }

  // From any thread.
  base::WireFaults& wire_faults() { return wire_faults_; }
  // Faults of the SSD itself (ssd/faults/), from any thread. plant_fault throws
  // std::invalid_argument, also for what only a PCI function can do.
  uint64_t plant_fault(std::string_view match, std::string_view action);
  bool clear_fault(uint64_t id) { return subsystem_.faults().clear(id); }
  void clear_ssd_faults() { subsystem_.faults().clear(); }
  std::vector<FaultState> ssd_faults() const { return subsystem_.faults().list(); }
  std::optional<FaultState> ssd_fault(uint64_t id) const { return subsystem_.faults().state(id); }
  // Connections and controllers at this moment, commands and bytes so far.
  struct Counts {
    uint32_t connections;
    uint32_t controllers;
    uint64_t accepted;
    uint32_t faults;  // that have yet to happen
  };
  Counts counts() const;

  // For connections, in the server's thread.
  const TargetOptions& options() const { return options_; }
  Subsystem& subsystem() { return subsystem_; }
  BufferPool& pool() { return pool_; }
  uint64_t now() const { return clock_.now_ns(); }
  bool allows(std::string_view hostnqn) const;
  // Null: it need not authenticate.
  const DhchapKeys* keys_of(std::string_view hostnqn) const;
  // The TLS keys that a host may mean by a name.
  std::vector<base::tls::Identity> keys_called(std::string_view identity) const;
  Controller* associate(Connection& admin, Association association, bool discovery);
  Controller* find(uint16_t cntlid);
  bool has_queue(uint16_t cntlid, uint16_t qid) const;
  void join(Connection& io);
  void detach(Connection& connection);
  // The admin queue's controller was reset.
  void queues_gone(Connection& admin);

 private:
  struct Associated {
    std::unique_ptr<Controller> controller;
    Connection* admin = nullptr;
    std::vector<Connection*> io;
  };

  void listen();
  void run();
  void accept_all();
  void turn(uint64_t now_ns);
  uint64_t next_due() const;
  int wait(uint64_t timeout_ns);
  void watch(Connection& connection);
  uint16_t next_cntlid();
  Place place_of(const Connection& connection) const;

  const TargetOptions options_;
  const base::Clock& clock_;
  BufferPool pool_;
  Subsystem subsystem_;
  int listener_ = -1;
  int epoll_ = -1;
  int spare_ = -1;  // given up for a moment when the process has no more descriptors
  int wake_ = -1;
  uint16_t port_ = 0;
  std::map<uint16_t, Associated> associations_;
  uint16_t last_cntlid_ = 0;
  std::vector<std::unique_ptr<Connection>> connections_;
  std::vector<uint8_t> events_;  // epoll_event

  std::atomic<bool> stopping_{false};
  std::atomic<uint32_t> connection_count_{0};
  std::atomic<uint32_t> controller_count_{0};
  std::atomic<uint64_t> accepted_{0};
  base::WireFaults wire_faults_;
  std::thread thread_;
};

}  // namespace pynvme::ssd::tcp
