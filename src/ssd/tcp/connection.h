// One connection of a host: NVMe/TCP PDUs in, commands to a controller's queue, PDUs out. It begins
// with ICReq (behind a TLS handshake, where the target has a key), then Connect makes it an admin
// or an I/O queue. Whatever the host sends ends in an answer, in C2HTermReq, or in the end of this
// connection.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/tls/channel.h"
#include "spec/fabrics.h"
#include "spec/tcp.h"
#include "ssd/frontend/prp.h"
#include "ssd/status_word.h"
#include "ssd/tcp/authentication.h"
#include "ssd/tcp/buffer_pool.h"
#include "ssd/tcp/controller.h"
#include "ssd/tcp/options.h"

namespace pynvme::ssd::tcp {

class Server;

class Connection {
 public:
  // Takes the socket over; -1 in tests that feed bytes by hand.
  Connection(Server& server, int fd, uint64_t now_ns);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  int fd() const { return fd_; }
  bool dead() const { return dead_; }
  bool is_admin() const { return controller_ != nullptr && qid_ == 0; }
  Controller* controller() const { return controller_; }
  uint16_t qid() const { return qid_; }

  // The socket has something, or room.
  void on_readable();
  void on_writable();
  // Bytes from the host, as if they had been received.
  void feed(const uint8_t* bytes, size_t size);
  // Completions that came by themselves, and PDUs whose time has come.
  void serve(uint64_t now_ns);
  // The next time when serve() has something to do or the host has waited too long.
  uint64_t next_due() const;

  void close();
  // Ends it with a reset of the connection, as of a target that is gone.
  void reset();
  // The controller was reset: commands that it had are forgotten.
  void forget_commands();
  // What is there to be sent, for tests.
  std::vector<uint8_t> take_output();
  // What epoll should watch, and what it has been told.
  uint32_t events_wanted() const;
  uint32_t events_watched = 0;

 private:
  static constexpr size_t kReceiveBytes = 128 << 10;
  static constexpr uint32_t kR2tsMax = 8;
  static constexpr size_t kBacklogBytesMax = 16 << 20;

  enum class State : uint8_t { kNew, kOpen, kTerminating };
  enum class Stage : uint8_t { kFree, kCapsule, kWaitsForData, kAtWork };

  struct R2t {
    bool active = false;
    uint32_t offset = 0;
    uint32_t bytes = 0;
    uint32_t received = 0;
  };

  struct Slot {
    spec::Sqe sqe;
    Stage stage = Stage::kFree;
    bool to_host = false;
    uint16_t refused = kSuccess;  // found before the data had arrived
    uint8_t* buffer = nullptr;
    uint32_t length = 0;  // of the buffer
    uint32_t offset = 0;  // where the command's data begin in it
    DirectBuffer direct;  // what became of it
    uint32_t received = 0;
    uint32_t requested = 0;
    std::array<R2t, kR2tsMax> r2ts;
    uint32_t r2ts_active = 0;
    bool digest_error = false;
  };

  // Data of a PDU on its way: padding, data, digest.
  struct Payload {
    enum class For : uint8_t { kNothing, kCapsule, kH2cData, kDiscard };
    For what = For::kNothing;
    uint16_t slot = 0;
    uint16_t r2t = 0;
    uint32_t padding = 0;
    uint8_t* to = nullptr;  // null: thrown away
    uint32_t bytes = 0;     // that are still to come
    uint32_t digest_bytes = 0;
    uint32_t total = 0;
    const uint8_t* begin = nullptr;
    std::array<uint8_t, 4> digest{};
  };

  struct Outgoing {
    // The longest header, digest and padding, or an ICResp.
    std::array<uint8_t, 160> header;
    uint32_t header_bytes = 0;
    const uint8_t* data = nullptr;
    uint32_t data_bytes = 0;
    uint32_t digest = 0;
    bool has_digest = false;
    uint8_t* release = nullptr;  // a buffer that goes back when this was sent
    uint32_t release_bytes = 0;
    uint64_t not_before_ns = 0;
    bool then_close = false;

    size_t bytes() const { return header_bytes + data_bytes + (has_digest ? 4U : 0U); }
  };

  // connection_security.cc
  void begin_tls();
  bool shake_hands();
  bool is_of_its_host(const spec::fabrics::ConnectData& data) const;
  ssize_t read_some(const iovec* parts, int count);
  ssize_t write_some(const iovec* parts, size_t count);

  // connection.cc: the parser
  void process();
  bool take_header();
  bool take_payload();
  void payload_done();
  // The offset of the field that is wrong, -1 when none is.
  int wrong_field(const spec::tcp::CommonHeader& ch) const;
  void ic_request(const spec::tcp::IcReq& request);
  void h2c_data(const spec::tcp::Data& pdu, uint32_t bytes);
  void terminate(spec::tcp::Fes fes, uint32_t fei, const void* header, size_t bytes);
  void expect(Payload payload, const spec::tcp::CommonHeader& ch, uint32_t bytes);

  // connection_commands.cc
  void capsule(const spec::tcp::CapsuleCmd& pdu, uint32_t data_bytes);
  uint16_t check_pointer(const Slot& slot, uint32_t data_bytes) const;
  void request_data(uint16_t index);
  void execute(uint16_t index);
  uint16_t execute_fabrics(Slot& slot, spec::Cqe& cqe);
  uint16_t connect(Slot& slot, spec::Cqe& cqe);
  uint16_t connect_admin(const spec::fabrics::Connect& command,
                         const spec::fabrics::ConnectData& data, spec::Cqe& cqe);
  uint16_t connect_io(const spec::fabrics::Connect& command, const spec::fabrics::ConnectData& data,
                      spec::Cqe& cqe);
  void become_queue(const spec::fabrics::Connect& command);
  uint16_t refuse_unauthenticated(const Slot& slot) const;
  uint16_t authenticate(Slot& slot);
  void collect();
  void finish(uint16_t index, spec::Cqe cqe);
  void finish(uint16_t index, uint16_t status);
  int free_slot();
  void release(Slot& slot);

  // connection_output.cc
  Outgoing& add(const void* header, size_t bytes);  // and its digest
  void add_whole(spec::tcp::PduType type, const void* header, size_t bytes);
  void add_response(const spec::Cqe& cqe);
  void add_data(Slot& slot, bool success);
  void add_r2t(uint16_t index, uint32_t r2t);
  void inject(spec::tcp::PduType type);
  void flush(uint64_t now_ns);
  void sent(size_t bytes);
  void linger_not();
  void drop_output();

  Server& server_;
  const int fd_;
  std::unique_ptr<base::tls::Channel> tls_;  // null: none
  bool shaking_hands_ = false;
  std::string tls_hostnqn_;  // whose key it is
  State state_ = State::kNew;
  bool dead_ = false;
  bool header_digest_ = false;
  bool data_digest_ = false;
  uint32_t data_alignment_ = 4;  // HPDA
  uint32_t r2ts_max_ = 1;

  Controller* controller_ = nullptr;
  uint16_t qid_ = 0;
  uint32_t entries_ = 1;  // of the queue, once connected
  bool flow_control_ = true;
  uint16_t sq_head_ = 0;
  bool closes_ = false;  // after what is to be sent: Disconnect, or authentication that failed
  std::unique_ptr<Authentication> authentication_;  // null: not asked for
  uint64_t authentication_due_ns_ = UINT64_MAX;
  bool rung_needed_ = false;
  bool ready_ = false;  // the controller was, when this batch began
  bool ready_known_ = false;

  std::vector<Slot> slots_;
  std::vector<uint16_t> free_slots_;
  struct Free {
    void operator()(void* memory) const { std::free(memory); }
  };
  // By CID: slot + 1. Zero pages until a CID is used.
  std::unique_ptr<uint16_t[], Free> by_cid_;

  std::vector<uint8_t> received_;
  size_t begin_ = 0;
  size_t end_ = 0;
  Payload payload_;

  std::vector<Outgoing> output_;
  size_t first_ = 0;       // of output_ that is not sent yet
  size_t first_sent_ = 0;  // bytes of it that are
  size_t backlog_ = 0;
  bool blocked_ = false;  // the socket has no room
  bool silent_ = false;   // kHalfOpen
  bool reset_ = false;    // kReset
  bool deaf_ = false;     // kStopReading
  bool swap_ = false;     // the last of output_ belongs after the next one
  uint64_t deadline_ns_;  // of the handshake, of a host that does not read, of C2HTermReq
};

}  // namespace pynvme::ssd::tcp
