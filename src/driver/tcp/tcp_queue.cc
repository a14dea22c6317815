// The sending half of a connection, and its life. Headers and padding are put together in one piece
// of memory and data are sent from where they lie; a batch is one system call.
#include "driver/tcp/tcp_queue.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/crc.h"
#include "driver/errors.h"
#include "spec/fabrics.h"
#include "spec/feature.h"
#include "spec/opcode.h"
#include "spec/sgl.h"

namespace pynvme::driver::tcp {

namespace wire = spec::tcp;

namespace {

constexpr size_t kTxBytes = 128 << 10;
constexpr size_t kRxBytes = 256 << 10;
constexpr size_t kMaxParts = 512;  // of one sendmsg(); IOV_MAX is 1024
constexpr uint64_t kSpinNs = 200'000;
constexpr uint8_t kToController = 1;
constexpr uint8_t kFromController = 2;

uint32_t round_up(uint32_t value, uint32_t to) { return (value + to - 1) / to * to; }

uint8_t direction_of(const spec::Sqe& sqe) {
  // The type of a Fabrics command is in byte 4; it carries the direction as opcodes do.
  const auto code =
      sqe.opcode == spec::fabrics::kOpcode ? static_cast<uint8_t>(sqe.nsid) : sqe.opcode;
  return static_cast<uint8_t>(spec::data_direction(code));
}

base::WireFaults& no_faults() {
  static base::WireFaults none;
  return none;
}

}  // namespace

class TcpQueue::Lock {
 public:
  explicit Lock(const TcpQueue& queue) : queue_(queue) {
    if (queue_.shared_) queue_.lock_.lock();
  }
  ~Lock() {
    if (queue_.shared_) queue_.lock_.unlock();
  }
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;

 private:
  const TcpQueue& queue_;
};

TcpQueue::TcpQueue(const QueueRings& rings, const Options& options, const base::Clock& clock,
                   bool shared)
    : options_(options),
      clock_(clock),
      shared_(shared),
      rings_(rings),
      ring_slots_(rings.entries - 1),
      commands_(ring_slots_ + kOwnCommands),
      kato_ms_(options.kato_ms),
      in_capsule_max_(rings.id == 0 ? kAdminInCapsule : 0),
      tx_(std::make_unique<uint8_t[]>(kTxBytes)),
      rx_(std::make_unique<uint8_t[]>(kRxBytes)),
      wire_faults_(&no_faults()),
      log_(std::make_shared<PduLog>()) {
  parts_.reserve(kMaxParts);
}

pcie::Doorbells TcpQueue::doorbells() noexcept {
  // One doorbell for SQ and CQ: the owner's store is read before it can make another.
  return {&doorbell_, 0, rung, polled, this};
}

void TcpQueue::set_memory(const QueueMemory& sq, const QueueMemory& cq) noexcept {
  const Lock lock(*this);
  rings_.sq = sq;
  rings_.cq = cq;
}

void TcpQueue::rung(void* self, uint32_t index) {
  auto& queue = *static_cast<TcpQueue*>(self);
  if (index % 2 != 0) return;  // the CQ's: nobody waits for room in it
  const Lock lock(queue);
  if (queue.pair_ == nullptr || queue.doorbell_ >= queue.rings_.entries) return;
  queue.sq_tail_ = queue.doorbell_;
  queue.now_ns_ = queue.clock_.now_ns();
  queue.pump();
}

void TcpQueue::polled(void* self) { static_cast<TcpQueue*>(self)->poll(); }

void TcpQueue::poll() noexcept {
  const Lock lock(*this);
  if (!stream_.is_open()) return;
  if (end_soon_.load(std::memory_order_relaxed) != nullptr) [[unlikely]]
    return cut(end_soon_.load());
  now_ns_ = clock_.now_ns();
  if (spoilt_ == nullptr || !deaf()) [[likely]]
    receive();
  if (stream_.is_open()) pump();
}

void TcpQueue::open(Stream stream, const std::function<void()>& idle) {
  close("it is being opened anew");
  {
    const Lock lock(*this);
    stream_ = std::move(stream);
    end_soon_ = nullptr;
    kato_ms_ = options_.kato_ms;  // Connect has this one, whatever Set Features said before
    connected_ = false;
    hdgst_bytes_ = ddgst_bytes_ = 0;
    rx_begin_ = rx_end_ = 0;
    reading_ = Reading::kHeader;
    open_.store(true, std::memory_order_release);
    now_ns_ = clock_.now_ns();
    wire::IcReq request{};
    request.ch = {wire::PduType::kIcReq, 0, sizeof(request), 0, sizeof(request)};
    request.hpda = static_cast<uint8_t>(options_.hpda_bytes / 4 - 1);
    request.dgst = static_cast<uint8_t>((options_.header_digest ? wire::kDgstHeader : 0) |
                                        (options_.data_digest ? wire::kDgstData : 0));
    request.maxr2t = options_.max_r2t - 1;
    uint8_t* at = reserve(sizeof(request));
    std::memcpy(at, &request, sizeof(request));
    const Mark before = mark();
    add_header(at, sizeof(request));
    if (spoils()) spoil(request.ch.type, before);
    log(request.ch.type, 0, true, UINT16_MAX, request.ch.plen, 0, 0);
    flush();
  }
  const base::Clock& real = base::Clock::real();
  const uint64_t start_ns = real.now_ns();
  while (is_open()) {
    // Of before the look: an answer that came while this thread stood still has come in time.
    const uint64_t waited_ns = real.now_ns() - start_ns;
    poll();
    {
      const Lock lock(*this);
      if (connected_) return;
    }
    if (!is_open()) break;
    stream_.wait(false, 1);
    if (idle) idle();
    if (waited_ns > uint64_t{options_.answer_ms} * 1'000'000) {
      fail("no ICResp came within " + std::to_string(options_.answer_ms) + " ms");
    }
  }
  throw EnumerateError(options_.name + ": " + error() +
                       (options_.tls == nullptr
                            ? ". Is what listens there an NVMe/TCP target, and one without TLS?"
                            : ". Is what listens there an NVMe/TCP target?"));
}

void TcpQueue::serve(QueuePair* pair) {
  const Lock lock(*this);
  sq_head_ = sq_tail_ = cq_tail_ = 0;
  cq_phase_ = 1;
  pair_ = pair;
}

void TcpQueue::stop() noexcept {
  const Lock lock(*this);
  pair_ = nullptr;
  sq_head_ = sq_tail_;
  for (uint32_t cid = 0; cid < ring_slots_; ++cid) {
    Command& command = commands_[cid];
    if (command.state == State::kFree) continue;
    command.state = State::kOrphan;
    command.data = nullptr;
  }
  std::erase_if(transfers_, [this](const Transfer& one) { return one.cid < ring_slots_; });
  held_.clear();
  if (data_.cccid < ring_slots_) data_start_ = nullptr;
}

void TcpQueue::close(const char* reason) noexcept {
  const Lock lock(*this);
  if (!stream_.is_open()) return;
  cut(reason);
}

std::string TcpQueue::error() const {
  const Lock lock(*this);
  return errors_.empty() ? "" : errors_.back();
}

void TcpQueue::fail(const std::string& what) noexcept {
  const Lock lock(*this);
  if (stream_.is_open()) cut(what);
}

// Whatever is under way is lost: the pair's owner finds it dead.
void TcpQueue::cut(const std::string& what) noexcept {
  stream_.close();
  spoilt_.reset();
  parts_.clear();
  first_part_ = tx_used_ = 0;
  ++tx_epoch_;
  transfers_.clear();
  held_.clear();
  std::fill(commands_.begin(), commands_.end(), Command{});
  reading_ = Reading::kHeader;
  rx_begin_ = rx_end_ = 0;
  data_start_ = nullptr;
  errors_.push_back("the connection is closed: " + what);
  if (pair_ != nullptr) pair_->disconnect(errors_.back().c_str());
  pair_ = nullptr;
  open_.store(false, std::memory_order_release);
}

void TcpQueue::log(wire::PduType type, uint8_t flags, bool sent, uint16_t cid, uint32_t plen,
                   uint32_t offset, uint32_t length) noexcept {
  log_->add({now_ns_, type, flags, sent, cid, plen, offset, length});
}

std::optional<uint16_t> TcpQueue::begin(spec::Sqe sqe, const void* data, uint32_t size) {
  const Lock lock(*this);
  if (!stream_.is_open()) return std::nullopt;
  for (uint32_t i = ring_slots_; i < commands_.size(); ++i) {
    if (commands_[i].state != State::kFree) continue;
    sqe.cid = static_cast<uint16_t>(i);
    sqe.set_psdt(spec::Psdt::kSglMetadataBuffer);
    std::vector<uint8_t>& own = own_data_[i - ring_slots_];
    own.assign(size, 0);
    if (data != nullptr && direction_of(sqe) == kToController) std::memcpy(own.data(), data, size);
    sqe.prp1 = reinterpret_cast<uintptr_t>(own.data());
    sqe.prp2 = size;
    now_ns_ = clock_.now_ns();
    if (!queue_capsule(sqe)) return std::nullopt;
    pump();
    return sqe.cid;
  }
  return std::nullopt;
}

void TcpQueue::forget(uint16_t handle) noexcept {
  const Lock lock(*this);
  Command& command = commands_[handle];
  command.state = command.state == State::kBusy ? State::kOrphan : State::kFree;
}

bool TcpQueue::finished(uint16_t handle, spec::Cqe* cqe, void* data) {
  const Lock lock(*this);
  Command& command = commands_[handle];
  if (command.state != State::kDone) return false;
  *cqe = command.cqe;
  const std::vector<uint8_t>& own = own_data_[handle - ring_slots_];
  if (data != nullptr && (command.direction & kFromController) != 0) {
    std::memcpy(data, own.data(), own.size());
  }
  command = Command{};
  return true;
}

spec::Cqe TcpQueue::execute(spec::Sqe sqe, void* data, uint32_t size, const char* what,
                            const std::function<void()>& idle) {
  const base::Clock& real = base::Clock::real();
  const uint64_t start_ns = real.now_ns();
  std::optional<uint16_t> handle;
  const auto wait = [&] {
    stream_.wait(false, 1);
    if (!idle) return;
    try {
      idle();
    } catch (...) {
      if (handle) forget(*handle);
      throw;
    }
  };
  while (true) {
    if (!is_open()) throw DeviceGone(options_.name + ": " + what + ": " + error());
    if (!handle) handle = begin(sqe, data, size);
    const uint64_t waited_ns = real.now_ns() - start_ns;  // of before the look, as in open()
    poll();
    spec::Cqe cqe;
    if (handle && finished(*handle, &cqe, data)) return cqe;
    if (waited_ns > uint64_t{options_.answer_ms} * 1'000'000) {
      fail(std::string(what) + " had no answer within " + std::to_string(options_.answer_ms) +
           " ms");
      continue;
    }
    if (waited_ns >= kSpinNs) wait();
  }
}

uint8_t* TcpQueue::reserve(size_t bytes) noexcept {
  if (tx_used_ + bytes > kTxBytes || parts_.size() + 4 > kMaxParts) return nullptr;
  return tx_.get() + tx_used_;
}

void TcpQueue::add_header(uint8_t* at, size_t bytes) noexcept {
  tx_used_ += bytes;
  if (parts_.size() > first_part_) {
    iovec& last = parts_.back();
    if (static_cast<uint8_t*>(last.iov_base) + last.iov_len == at) {
      last.iov_len += bytes;
      return;
    }
  }
  parts_.push_back({at, bytes});
}

// The digest of a header, and padding up to `padded` bytes. Returns what comes next.
uint8_t* TcpQueue::close_header(uint8_t* at, uint32_t header_bytes, uint32_t padded) noexcept {
  uint32_t bytes = header_bytes;
  if (hdgst_bytes_ != 0) {
    const uint32_t digest = base::crc32c(at, header_bytes);
    std::memcpy(at + bytes, &digest, sizeof(digest));
    bytes += hdgst_bytes_;
  }
  if (padded > bytes) {
    std::memset(at + bytes, 0, padded - bytes);
    bytes = padded;
  }
  add_header(at, bytes);
  return at + bytes;
}

void TcpQueue::add_data(const uint8_t* data, uint32_t size) noexcept {
  parts_.push_back({const_cast<uint8_t*>(data), size});  // NOLINT: sendmsg() only reads it
  if (ddgst_bytes_ == 0) return;
  const uint32_t digest = base::crc32c(data, size);
  uint8_t* at = tx_.get() + tx_used_;
  std::memcpy(at, &digest, sizeof(digest));
  add_header(at, sizeof(digest));
}

bool TcpQueue::queue_capsule(const spec::Sqe& sqe) noexcept {
  uint8_t* at = reserve(sizeof(wire::CapsuleCmd) + 2 * wire::kDigestBytes + 128);
  if (at == nullptr) return false;
  Command& command = commands_[sqe.cid];
  command = Command{};
  command.state = State::kBusy;
  // NOLINTNEXTLINE(performance-no-int-to-ptr): build_sgl() put the host's address there.
  command.data = reinterpret_cast<uint8_t*>(sqe.prp1);
  command.length = static_cast<uint32_t>(sqe.prp2);
  command.direction = direction_of(sqe);
  command.must_be_whole = rings_.id != 0 && sqe.opcode == spec::io::kRead;
  // Fabrics commands always have room for their data (NVMe TCP Transport 1.0 §3.3.2.2).
  const uint32_t room = sqe.opcode == spec::fabrics::kOpcode
                            ? kAdminInCapsule
                            : std::min(in_capsule_max_, options_.in_capsule_max);
  const bool in_capsule =
      command.direction == kToController && command.length != 0 && command.length <= room;
  const uint32_t header = sizeof(wire::CapsuleCmd);
  uint32_t plen = header + hdgst_bytes_;
  uint32_t pdo = 0;
  if (in_capsule) {
    pdo = round_up(plen, cpda_bytes_);
    plen = pdo + command.length + ddgst_bytes_;
  }
  const auto flags = static_cast<uint8_t>((hdgst_bytes_ != 0 ? wire::kHdgstf : 0) |
                                          (in_capsule && ddgst_bytes_ != 0 ? wire::kDdgstf : 0));
  const wire::CommonHeader ch{wire::PduType::kCapsuleCmd, flags, static_cast<uint8_t>(header),
                              static_cast<uint8_t>(pdo), plen};
  const spec::SglDescriptor sgl =
      spec::make_sgl(in_capsule ? spec::kSglInCapsule : spec::kSglTransport, 0, command.length);
  std::memcpy(at, &ch, sizeof(ch));
  std::memcpy(at + sizeof(ch), &sqe, sizeof(sqe));
  std::memcpy(at + sizeof(ch) + offsetof(spec::Sqe, prp1), &sgl, sizeof(sgl));
  const bool spoils = this->spoils();
  const Mark before = spoils ? mark() : Mark{};
  close_header(at, header, pdo);
  if (in_capsule) {
    add_data(command.data, command.length);
    command.moved = command.length;
    command.tx_epoch = tx_epoch_;
  }
  if (spoils) [[unlikely]]
    spoil(ch.type, before);
  log(ch.type, flags, true, sqe.cid, plen, 0, in_capsule ? command.length : 0);
  if (rings_.id == 0 && sqe.opcode == spec::admin::kSetFeatures &&
      static_cast<uint8_t>(sqe.cdw10) == spec::fid::kKeepAliveTimer) {
    kato_ms_.store(sqe.cdw11, std::memory_order_relaxed);
  }
  return true;
}

// False: no room for more just now.
bool TcpQueue::queue_transfers() noexcept {
  while (!transfers_.empty()) {
    Transfer& one = transfers_.front();
    Command& command = commands_[one.cid];
    const uint32_t size = std::min(one.left, max_h2c_);
    uint8_t* at = reserve(sizeof(wire::Data) + 2 * wire::kDigestBytes + 128);
    if (at == nullptr) return false;
    const bool last = size == one.left;
    const uint32_t pdo =
        round_up(static_cast<uint32_t>(sizeof(wire::Data)) + hdgst_bytes_, cpda_bytes_);
    wire::Data header{};
    header.ch = {
        wire::PduType::kH2cData,
        static_cast<uint8_t>((hdgst_bytes_ != 0 ? wire::kHdgstf : 0) |
                             (ddgst_bytes_ != 0 ? wire::kDdgstf : 0) | (last ? wire::kLastPdu : 0)),
        sizeof(header), static_cast<uint8_t>(pdo), pdo + size + ddgst_bytes_};
    header.cccid = one.cid;
    header.ttag = one.ttag;
    header.datao = one.offset;
    header.datal = size;
    std::memcpy(at, &header, sizeof(header));
    const bool spoils = this->spoils();
    const Mark before = spoils ? mark() : Mark{};
    close_header(at, sizeof(header), pdo);
    add_data(command.data + one.offset, size);
    if (spoils) [[unlikely]]
      spoil(header.ch.type, before);
    command.tx_epoch = tx_epoch_;
    log(header.ch.type, header.ch.flags, true, one.cid, header.ch.plen, one.offset, size);
    one.offset += size;
    one.left -= size;
    if (last) {
      --command.open_r2ts;
      transfers_.pop_front();
    }
  }
  return true;
}

void TcpQueue::pump() noexcept {
  if (!connected_) return flush();
  while (stream_.is_open()) {
    bool room = queue_transfers();
    const auto* ring = static_cast<const spec::Sqe*>(rings_.sq.data);
    while (room && sq_head_ != sq_tail_) {
      const spec::Sqe& sqe = ring[sq_head_];
      // Only the driver writes to the ring; a CID beyond its slots would be its own fault.
      if (sqe.cid < ring_slots_ && !(room = queue_capsule(sqe))) break;
      sq_head_ = sq_head_ + 1 == rings_.entries ? 0 : sq_head_ + 1;
    }
    if (first_part_ == parts_.size() && spoilt_ == nullptr) return;
    flush();
    if (room || first_part_ != parts_.size()) return;
  }
}

void TcpQueue::flush() noexcept {
  if (spoilt_ != nullptr) [[unlikely]]
    return flush_spoilt();
  if (send_parts(parts_.size())) sent_all();
}

// Those before `end`; false: not all of them could be sent.
bool TcpQueue::send_parts(size_t end) noexcept {
  while (first_part_ < end) {
    const auto count = static_cast<int>(end - first_part_);
    const ssize_t sent = stream_.send(&parts_[first_part_], count);
    if (sent < 0) {
      // What the target had to say comes before the connection's end.
      const int error = errno;
      receive();
      if (stream_.is_open()) cut("sending failed: " + stream_.reason(error));
      return false;
    }
    if (sent == 0) return false;
    taken(static_cast<size_t>(sent));
  }
  return true;
}

void TcpQueue::taken(size_t bytes) noexcept {
  while (bytes != 0) {
    iovec& part = parts_[first_part_];
    const size_t of_part = std::min(bytes, part.iov_len);
    part.iov_base = static_cast<uint8_t*>(part.iov_base) + of_part;
    part.iov_len -= of_part;
    bytes -= of_part;
    if (part.iov_len == 0) ++first_part_;
  }
}

void TcpQueue::sent_all() noexcept {
  parts_.clear();
  first_part_ = tx_used_ = 0;
  ++tx_epoch_;
  if (held_.empty()) return;
  for (const uint16_t cid : std::exchange(held_, {})) complete(cid, commands_[cid].cqe);
}

}  // namespace pynvme::driver::tcp
