// NVMe over TCP: properties instead of registers, a connection for each queue pair, and the
// association between host and controller that they make up. A thread of its own keeps it alive
// while the script does other things.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/wire_faults.h"
#include "driver/tcp/options.h"
#include "driver/tcp/tcp_queue.h"
#include "driver/transport.h"

namespace pynvme::driver::tcp {

class TcpTransport final : public Transport {
 public:
  // Connects; finds the subsystem by discovery where the options name none. `idle` is called by
  // whoever waits. Throws EnumerateError.
  TcpTransport(Options options, std::function<void()> idle,
               const base::Clock& clock = base::Clock::real());
  ~TcpTransport() override;

  const std::string& name() const override { return options_.name; }
  DataPointers data_pointers() const noexcept override { return DataPointers::kSgl; }
  std::shared_ptr<pcie::Function> function() const noexcept override { return nullptr; }

  uint64_t register_bytes() const override;
  uint32_t read32(uint32_t offset) override;
  uint64_t read64(uint32_t offset) override;
  void write32(uint32_t offset, uint32_t value) override;
  uint32_t status() override;
  std::string gone_text() const override;

  uint32_t admin_entries() const override;
  pcie::Doorbells attach_admin(const QueueRings& rings) override;
  void recover(const std::function<void(const char* reason)>& lost) override;
  void start_admin(QueuePair& pair) override;
  void queues_lost() override;
  void identified(const spec::IdentifyController& data) override;

  std::unique_ptr<QueueLink> link(Controller& controller, const QueueRings& rings) override;
  bool reclaim_queue(Controller&, uint16_t, uint32_t) override { return true; }

  void check_reset(ResetKind kind) const override;
  void reset(ResetKind kind, const std::function<void()>& idle) override;
  void close() noexcept override;

  base::WireFaults* wire_faults() noexcept override { return &wire_faults_; }
  std::shared_ptr<const PduLog> pdu_log(uint16_t sqid) const override;

  const Options& options() const noexcept { return options_; }
  uint16_t cntlid() const noexcept { return cntlid_; }

 private:
  class Link;

  void connect();
  void connect_io(TcpQueue& queue, const QueueRings& rings, uint8_t priority, QueuePair& pair);
  spec::Cqe property_get(uint32_t offset, bool wide);
  void tend() noexcept;
  void tend_once() noexcept;
  void association_lost() noexcept;

  Options options_;
  const std::function<void()> idle_;
  const base::Clock& clock_;
  base::WireFaults wire_faults_;
  std::unique_ptr<TcpQueue> admin_;
  uint16_t cntlid_ = 0;
  bool enabled_ = false;  // CC.EN was set since the association began
  uint32_t in_capsule_max_ = 0;
  std::atomic<uint32_t> csts_{0};
  std::atomic<bool> csts_wanted_{false};

  mutable std::mutex mutex_;  // of what follows
  std::vector<Link*> links_;
  bool ending_ = false;
  std::condition_variable wake_;
  // Of the thread alone.
  std::optional<uint16_t> keep_alive_;
  std::optional<uint16_t> csts_read_;
  uint64_t keep_alive_sent_ns_ = 0;
  uint64_t association_ = 0;  // counts connect()s, with mutex_
  uint64_t tended_association_ = 0;
  std::thread tender_;
};

}  // namespace pynvme::driver::tcp
