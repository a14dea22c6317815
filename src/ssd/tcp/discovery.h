// The Discovery service (NVMe Base 2.0 §3.1.2.3): a controller without namespaces and I/O queues,
// whose log page 70h says where NVM subsystems are to be found.
#pragma once

#include <deque>
#include <string>
#include <vector>

#include "ssd/config.h"
#include "ssd/tcp/controller.h"

namespace pynvme::ssd::tcp {

// Where a subsystem is reached.
struct Place {
  std::string nqn;
  std::string address;  // numeric, without brackets
  uint16_t port = 0;
  bool ipv6 = false;
  bool tls = false;
};

std::vector<uint8_t> discovery_log(const std::vector<Place>& places);

class DiscoveryController final : public Controller {
 public:
  DiscoveryController(const Config& config, Association association, const base::Clock& clock,
                      const std::vector<Place>& places);

  uint16_t io_queues() const override { return 0; }
  uint32_t queue_entries_max() const override { return config_.mqes + 1U; }
  void open_queue(uint16_t, uint32_t, uint8_t) override {}
  void close_queue(uint16_t) override {}
  void submit(uint16_t qid, const spec::Sqe& sqe) override;
  void ring(uint16_t) override {}
  bool take(uint16_t qid, spec::Cqe* cqe) override;
  void completed(const spec::Sqe& sqe, uint64_t now_ns) override;
  void set_keep_alive(uint32_t kato_ms, uint64_t now_ns) override;

 private:
  Registers& registers() override { return registers_; }
  void settle(uint64_t) override {}
  void written(unsigned asked) override;
  void advance_more(uint64_t) override {}
  uint64_t more_due() const override { return UINT64_MAX; }
  void keep_alive_expired() override {}

  Outcome execute(const spec::Sqe& sqe);
  Outcome identify(const spec::Sqe& sqe);
  Outcome get_log_page(const spec::Sqe& sqe);
  Outcome feature(const spec::Sqe& sqe, bool set);

  const Config& config_;
  Registers registers_;
  const std::vector<uint8_t> log_;
  std::deque<spec::Cqe> completions_;
  uint32_t requests_ = 0;  // Asynchronous Event Requests that wait
  uint32_t async_events_ = 0;
  uint32_t keep_alive_ms_ = 0;
};

}  // namespace pynvme::ssd::tcp
