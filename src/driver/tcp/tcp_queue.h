// One NVMe/TCP connection as a queue pair's other end (NVMe TCP Transport 1.0): takes entries from
// the SQ ring in host memory when the doorbell is rung, sends them as capsules with their data, and
// writes what comes back into the CQ ring. Works in the thread that rings and polls. Besides the
// ring it carries the Fabrics commands of the connection itself. A peer that breaks the rules gets
// an H2CTermReq and loses the connection.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/spinlock.h"
#include "base/wire_faults.h"
#include "driver/pdu_log.h"
#include "driver/queue_pair.h"
#include "driver/tcp/options.h"
#include "driver/tcp/stream.h"
#include "driver/transport.h"
#include "spec/command.h"
#include "spec/tcp.h"

namespace pynvme::driver::tcp {

class TcpQueue {
 public:
  // Fabrics commands that may be under way beside those of the ring; CIDs above those of the ring.
  static constexpr uint32_t kOwnCommands = 4;
  // In-capsule data that every admin queue takes (NVMe/TCP 1.0 §3.3.2.2).
  static constexpr uint32_t kAdminInCapsule = 8192;

  // shared: several threads ring and poll (the admin queue). The rings' memory may come later.
  TcpQueue(const QueueRings& rings, const Options& options, const base::Clock& clock, bool shared);
  ~TcpQueue() = default;
  TcpQueue(const TcpQueue&) = delete;
  TcpQueue& operator=(const TcpQueue&) = delete;

  pcie::Doorbells doorbells() noexcept;
  void set_memory(const QueueMemory& sq, const QueueMemory& cq) noexcept;

  // Takes over a connected stream and exchanges ICReq and ICResp. Throws EnumerateError.
  void open(Stream stream, const std::function<void()>& idle);
  // The rings are empty; their commands are carried from here on, until stop() or the connection's
  // end, which is told to `pair`.
  void serve(QueuePair* pair);
  // Commands of the ring are forgotten: what still comes for them goes nowhere.
  void stop() noexcept;
  void close(const char* reason) noexcept;
  bool is_open() const noexcept { return open_.load(std::memory_order_acquire); }
  // Why it is not; empty: it never was.
  std::string error() const;

  // Data of IO commands up to this size go with the capsule.
  void set_in_capsule_max(uint32_t bytes) noexcept { in_capsule_max_ = bytes; }

  // A Fabrics command or another of the driver's own, `size` bytes of `data` with it. Throws
  // DeviceGone when the connection is lost or the answer does not come in time.
  spec::Cqe execute(spec::Sqe sqe, void* data, uint32_t size, const char* what,
                    const std::function<void()>& idle);
  // The same without waiting: begin() returns a handle, or nothing when there is no room.
  // Data to the controller are copied then, data from it by finished().
  std::optional<uint16_t> begin(spec::Sqe sqe, const void* data, uint32_t size);
  bool finished(uint16_t handle, spec::Cqe* cqe, void* data = nullptr);
  // Nobody will ask for it.
  void forget(uint16_t handle) noexcept;
  // Takes what came.
  void poll() noexcept;
  // Ends the connection because of something that is no PDU's fault.
  void fail(const std::string& what) noexcept;

  // The same from a thread that does not own the queue: its owner does it with his next poll.
  // `reason` is a literal.
  void end_soon(const char* reason) noexcept { end_soon_.store(reason); }

  // What is to go wrong with PDUs that it sends; before open().
  void set_wire_faults(base::WireFaults& faults) noexcept { wire_faults_ = &faults; }

  // Bytes of the target, as they come from the stream: for poll(), and for the fuzzer.
  void consume(const uint8_t* bytes, size_t size);

  // Of the association: the script may set the feature anew.
  uint32_t kato_ms() const noexcept { return kato_ms_.load(std::memory_order_relaxed); }
  const std::shared_ptr<PduLog>& pdu_log() const { return log_; }
  bool header_digest() const noexcept { return hdgst_bytes_ != 0; }
  bool data_digest() const noexcept { return ddgst_bytes_ != 0; }

 private:
  enum class State : uint8_t {
    kFree,
    kBusy,
    kOrphan,  // of the ring, forgotten
    kDone,    // our own: finished() fetches the completion
  };
  enum class Reading : uint8_t { kHeader, kData, kDigest };

  struct Command {
    uint8_t* data = nullptr;
    uint32_t length = 0;
    uint32_t moved = 0;     // received, or asked for by R2Ts
    uint32_t tx_epoch = 0;  // its data are in the transmission of this number
    uint16_t open_r2ts = 0;
    State state = State::kFree;
    uint8_t direction = 0;  // bit 0: to the controller, bit 1: from it
    bool must_be_whole = false;
    bool digest_error = false;
    spec::Cqe cqe{};
  };
  struct Transfer {  // what is left of an R2T
    uint16_t cid;
    uint16_t ttag;
    uint32_t offset;
    uint32_t left;
  };
  class Lock;

  static void rung(void* self, uint32_t index);
  static void polled(void* self);

  // Sending.
  void pump() noexcept;
  bool queue_capsule(const spec::Sqe& sqe) noexcept;
  bool queue_transfers() noexcept;
  uint8_t* reserve(size_t bytes) noexcept;
  void add_header(uint8_t* at, size_t bytes) noexcept;
  void add_data(const uint8_t* data, uint32_t size) noexcept;
  uint8_t* close_header(uint8_t* at, uint32_t header_bytes, uint32_t padded) noexcept;
  void flush() noexcept;
  bool send_parts(size_t end) noexcept;
  void taken(size_t bytes) noexcept;
  void sent_all() noexcept;

  // Faults (tcp_faults.cc).
  struct Mark {  // what was there to be sent before a PDU
    size_t parts = 0;
    size_t last_bytes = 0;
  };
  struct Spoilt;
  bool spoils() const noexcept { return wire_faults_->armed() || spoilt_ != nullptr; }
  Mark mark() const noexcept {
    return {parts_.size(), parts_.size() > first_part_ ? parts_.back().iov_len : 0};
  }
  std::vector<uint8_t> take_back(const Mark& mark) noexcept;
  void push_spoilt(std::vector<uint8_t> pdu) noexcept;
  void spoil(spec::tcp::PduType type, const Mark& mark) noexcept;
  void flush_spoilt() noexcept;
  bool deaf() const noexcept;

  // Receiving (tcp_receive.cc).
  void receive() noexcept;
  void parse() noexcept;
  bool parse_header() noexcept;
  bool check_type(const spec::tcp::CommonHeader& ch) noexcept;
  bool check_header(const spec::tcp::CommonHeader& ch) noexcept;
  void on_response(const uint8_t* header) noexcept;
  void on_data(const uint8_t* header) noexcept;
  void on_r2t(const uint8_t* header) noexcept;
  void on_term_req(const uint8_t* header, uint32_t plen) noexcept;
  void on_ic_resp(const uint8_t* header) noexcept;
  void end_of_data() noexcept;
  void complete(uint16_t cid, spec::Cqe cqe) noexcept;
  void post(uint16_t cid, const spec::Cqe& cqe) noexcept;
  Command* command_of(uint16_t cid) noexcept;

  void violate(spec::tcp::Fes fes, uint32_t fei, const std::string& what) noexcept;
  void cut(const std::string& what) noexcept;
  void log(spec::tcp::PduType type, uint8_t flags, bool sent, uint16_t cid, uint32_t plen,
           uint32_t offset, uint32_t length) noexcept;

  const Options& options_;
  const base::Clock& clock_;
  const bool shared_;
  mutable base::SpinLock lock_;
  QueueRings rings_;
  const uint32_t ring_slots_;

  // The rings' other ends.
  uint32_t doorbell_ = 0;
  uint32_t sq_head_ = 0;
  uint32_t sq_tail_ = 0;
  uint32_t cq_tail_ = 0;
  uint16_t cq_phase_ = 1;
  QueuePair* pair_ = nullptr;
  std::vector<Command> commands_;
  std::vector<uint8_t> own_data_[kOwnCommands];
  std::atomic<uint32_t> kato_ms_;

  // What was agreed upon.
  bool connected_ = false;  // ICResp came
  uint32_t hdgst_bytes_ = 0;
  uint32_t ddgst_bytes_ = 0;
  uint32_t cpda_bytes_ = 4;
  uint32_t max_h2c_ = spec::tcp::kMaxH2cDataMin;
  uint32_t in_capsule_max_ = 0;

  // Transmission: parts from first_part_ on are to be sent; headers lie in tx_.
  std::vector<iovec> parts_;
  size_t first_part_ = 0;
  std::unique_ptr<uint8_t[]> tx_;
  size_t tx_used_ = 0;
  uint32_t tx_epoch_ = 1;
  std::deque<Transfer> transfers_;
  std::vector<uint16_t> held_;  // complete, but their data are still being sent

  // Reception.
  std::unique_ptr<uint8_t[]> rx_;
  size_t rx_begin_ = 0;
  size_t rx_end_ = 0;
  size_t header_at_ = 0;  // of the PDU that is looked at
  Reading reading_ = Reading::kHeader;
  spec::tcp::Data data_{};         // the header of the data that are being received
  uint8_t* data_start_ = nullptr;  // null: nobody wants them
  uint32_t data_done_ = 0;

  base::WireFaults* wire_faults_;   // never null
  std::shared_ptr<Spoilt> spoilt_;  // null, but while a fault has its effect

  Stream stream_;
  std::atomic<const char*> end_soon_{nullptr};
  std::atomic<bool> open_{false};
  std::deque<std::string> errors_;  // each lives as long as the queue: kill() takes a literal
  uint64_t now_ns_ = 0;             // of this batch
  std::shared_ptr<PduLog> log_;
};

}  // namespace pynvme::driver::tcp
