// A controller as the transport sees it: properties, queues that take commands and give
// completions, a Keep Alive timer. An I/O controller has the SSD behind it, a Discovery controller
// a log page. It lives as long as the connection of its admin queue.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <utility>

#include "base/clock.h"
#include "spec/command.h"
#include "spec/fabrics.h"
#include "ssd/frontend/registers.h"
#include "ssd/status_word.h"

namespace pynvme::ssd::tcp {

// Who is associated with a controller.
struct Association {
  uint16_t cntlid = 0;
  std::string subnqn;
  std::string hostnqn;
  std::array<uint8_t, 16> hostid{};
};

class Controller {
 public:
  Controller(Association association, const base::Clock& clock)
      : association_(std::move(association)), clock_(clock) {}
  virtual ~Controller() = default;
  Controller(const Controller&) = delete;
  Controller& operator=(const Controller&) = delete;

  const Association& association() const { return association_; }
  uint16_t cntlid() const { return association_.cntlid; }

  // Property Get and Property Set (NVMe Base 2.0 §6.4, §6.5): kSuccess or a status.
  uint16_t property_get(const spec::fabrics::Property& command, uint64_t* value);
  uint16_t property_set(const spec::fabrics::Property& command);
  // CC.EN and CSTS.RDY are both set: commands other than Fabrics commands are processed.
  bool ready();
  // It was reset or shut down since this was asked last: its I/O queues are gone.
  bool take_queues_gone() { return std::exchange(queues_gone_, false); }

  virtual uint16_t io_queues() const = 0;
  virtual uint32_t queue_entries_max() const = 0;
  virtual void open_queue(uint16_t qid, uint32_t entries, uint8_t priority) = 0;
  virtual void close_queue(uint16_t qid) = 0;
  // A command whose data pointer is prp1, with its DirectBuffer in prp2; it is worked on when the
  // queue is rung.
  virtual void submit(uint16_t qid, const spec::Sqe& sqe) = 0;
  virtual void ring(uint16_t qid) = 0;
  virtual bool take(uint16_t qid, spec::Cqe* cqe) = 0;
  // An admin command completed with success, and may concern more than itself.
  virtual void completed(const spec::Sqe& sqe, uint64_t now_ns) = 0;

  // What falls due; false when the Keep Alive timer has expired, which ends the association.
  bool advance(uint64_t now_ns);
  uint64_t next_due() const;
  virtual void set_keep_alive(uint32_t kato_ms, uint64_t now_ns) = 0;

 protected:
  virtual Registers& registers() = 0;
  virtual void settle(uint64_t now_ns) = 0;  // registers up to date
  virtual void written(unsigned asked) = 0;  // CC was; Registers' kEnable, kDisable, kShutdown
  virtual void advance_more(uint64_t now_ns) = 0;
  virtual uint64_t more_due() const = 0;
  virtual void keep_alive_expired() = 0;

  void arm_keep_alive(uint64_t ms, uint64_t now_ns) {
    keep_alive_ns_ = ms * 1'000'000;
    restart_keep_alive(now_ns);
  }
  void restart_keep_alive(uint64_t now_ns) {
    keep_alive_due_ns_ = keep_alive_ns_ == 0 ? UINT64_MAX : now_ns + keep_alive_ns_;
  }
  void note_queues_gone() { queues_gone_ = true; }
  uint64_t now() const { return clock_.now_ns(); }

 private:
  const Association association_;
  const base::Clock& clock_;
  uint64_t keep_alive_ns_ = 0;
  uint64_t keep_alive_due_ns_ = UINT64_MAX;
  bool queues_gone_ = false;
};

}  // namespace pynvme::ssd::tcp
