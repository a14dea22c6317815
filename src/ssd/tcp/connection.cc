// The parser: bytes to PDUs, each field of which is checked before it is used (NVMe TCP Transport
// 1.0 §3.6). A wrong one ends the connection with C2HTermReq that names it (§3.5).
#include "ssd/tcp/connection.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "base/crc.h"
#include "ssd/tcp/server.h"

namespace pynvme::ssd::tcp {
namespace {

using spec::tcp::CommonHeader;
using spec::tcp::Fes;
using spec::tcp::PduType;

constexpr uint32_t kTermBytes = 24;
// Received straight into the command's buffer when this much is still to come.
constexpr uint32_t kStraightBytes = 4096;
// Fields of the common header, by offset.
constexpr int kType = 0;
constexpr int kFlags = 1;
constexpr int kHlen = 2;
constexpr int kPdo = 3;
constexpr int kPlen = 4;
constexpr int kNone = -1;

template <typename T>
T load(const uint8_t* from) {
  T value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

}  // namespace

Connection::Connection(Server& server, int fd, uint64_t now_ns)
    : server_(server),
      fd_(fd),
      slots_(1),
      free_slots_{0},
      by_cid_(static_cast<uint16_t*>(std::calloc(UINT16_MAX + 1, sizeof(uint16_t)))),
      received_(kReceiveBytes),
      deadline_ns_(now_ns + server.options().connect_timeout_ms * 1'000'000ULL) {
  if (by_cid_ == nullptr) throw std::bad_alloc();
  if (fd >= 0 && server.options().tls_key != nullptr) begin_tls();
}

Connection::~Connection() {
  close();
  tls_.reset();
  if (fd_ >= 0) ::close(fd_);
}

void Connection::close() {
  if (dead_) return;
  dead_ = true;
  if (controller_ != nullptr) server_.detach(*this);
  controller_ = nullptr;
  for (Slot& slot : slots_) release(slot);
  drop_output();
  if (tls_ != nullptr && !reset_ && !silent_) tls_->end();
  if (fd_ >= 0 && !reset_) ::shutdown(fd_, SHUT_RDWR);
}

void Connection::on_readable() {
  if (shaking_hands_ && !shake_hands()) return;
  while (!dead_ && !deaf_ && !silent_) {
    if (begin_ == end_) begin_ = end_ = 0;
    if (begin_ > kReceiveBytes / 2) {
      std::memmove(received_.data(), received_.data() + begin_, end_ - begin_);
      end_ -= begin_;
      begin_ = 0;
    }
    std::array<iovec, 2> pieces;
    int count = 0;
    size_t straight = 0;
    if (begin_ == end_ && payload_.padding == 0 && payload_.to != nullptr &&
        payload_.bytes >= kStraightBytes) {
      straight = payload_.bytes;
      pieces[count++] = {payload_.to, straight};
    }
    const size_t room = received_.size() - end_;
    pieces[count++] = {received_.data() + end_, room};
    const ssize_t got = read_some(pieces.data(), count);
    if (got < 0) {
      if (errno == EINTR) continue;
      if (errno != EAGAIN) close();
      break;
    }
    if (got == 0) {
      close();
      break;
    }
    const auto bytes = static_cast<size_t>(got);
    const size_t direct = std::min(bytes, straight);
    if (direct != 0) {
      payload_.to += direct;
      payload_.bytes -= static_cast<uint32_t>(direct);
    }
    end_ += bytes - direct;
    process();
    if (bytes < straight + room) break;
  }
}

void Connection::feed(const uint8_t* bytes, size_t size) {
  while (size > 0 && !dead_) {
    if (begin_ != 0) {
      std::memmove(received_.data(), received_.data() + begin_, end_ - begin_);
      end_ -= begin_;
      begin_ = 0;
    }
    const size_t n = std::min(size, received_.size() - end_);
    std::memcpy(received_.data() + end_, bytes, n);
    end_ += n;
    bytes += n;
    size -= n;
    process();
  }
}

void Connection::process() {
  ready_known_ = false;
  while (!dead_ && state_ != State::kTerminating) {
    if (payload_.what != Payload::For::kNothing) {
      if (!take_payload()) break;
    } else if (!take_header()) {
      break;
    }
  }
  if (state_ == State::kTerminating) begin_ = end_ = 0;  // only the host's close is waited for
  if (dead_) return;
  collect();
  flush(server_.now());
}

int Connection::wrong_field(const CommonHeader& ch) const {
  const bool command = ch.type == PduType::kCapsuleCmd;
  if (!command && ch.type != PduType::kH2cData && ch.type != PduType::kIcReq &&
      ch.type != PduType::kH2cTermReq) {
    return kType;
  }
  if (ch.hlen != spec::tcp::header_bytes(ch.type)) return kHlen;
  if (ch.type == PduType::kIcReq) return ch.plen == ch.hlen ? kNone : kPlen;
  if (ch.type == PduType::kH2cTermReq) {
    return ch.plen >= kTermBytes && ch.plen <= spec::tcp::kTermReqPlenMax ? kNone : kPlen;
  }
  const bool digest = (ch.flags & spec::tcp::kHdgstf) != 0;
  if (digest != header_digest_) return kFlags;
  const uint32_t header = ch.hlen + (header_digest_ ? spec::tcp::kDigestBytes : 0);
  if (ch.plen < header) return kPlen;
  if (command && ch.plen == header) return kNone;
  // There are data: where, and with a digest if that was agreed on.
  if (ch.pdo < header || ch.pdo % (4U * (server_.options().cpda + 1U)) != 0) return kPdo;
  if (((ch.flags & spec::tcp::kDdgstf) != 0) != data_digest_) return kFlags;
  const uint32_t around = ch.pdo + (data_digest_ ? spec::tcp::kDigestBytes : 0);
  return ch.plen > around ? kNone : kPlen;
}

bool Connection::take_header() {
  const size_t available = end_ - begin_;
  if (available < sizeof(CommonHeader)) return false;
  const uint8_t* const at = received_.data() + begin_;
  const auto ch = load<CommonHeader>(at);
  if (const int wrong = wrong_field(ch); wrong != kNone) {
    terminate(Fes::kInvalidHeaderField, static_cast<uint32_t>(wrong), at, sizeof ch);
    return false;
  }
  // The handshake first, and once (§3.3).
  if ((ch.type == PduType::kIcReq) != (state_ == State::kNew)) {
    if (ch.type == PduType::kH2cTermReq) {
      close();
    } else {
      terminate(Fes::kSequenceError, 0, at, sizeof ch);
    }
    return false;
  }
  const bool has_digest = header_digest_ && ch.type != PduType::kH2cTermReq;
  const uint32_t header = ch.hlen + (has_digest ? spec::tcp::kDigestBytes : 0);
  if (available < header) return false;
  if (has_digest) {
    const auto digest = load<uint32_t>(at + ch.hlen);
    if (base::crc32c(at, ch.hlen) != digest) {
      terminate(Fes::kHeaderDigestError, digest, at, ch.hlen);
      return false;
    }
  }
  const uint32_t data_bytes =
      ch.plen == header ? 0 : ch.plen - ch.pdo - (data_digest_ ? spec::tcp::kDigestBytes : 0);
  begin_ += header;
  switch (ch.type) {
    case PduType::kIcReq:
      ic_request(load<spec::tcp::IcReq>(at));
      break;
    case PduType::kCapsuleCmd:
      capsule(load<spec::tcp::CapsuleCmd>(at), data_bytes);
      break;
    case PduType::kH2cData:
      h2c_data(load<spec::tcp::Data>(at), data_bytes);
      break;
    default:
      close();  // H2CTermReq: the host has given up
      break;
  }
  return !dead_;
}

void Connection::ic_request(const spec::tcp::IcReq& request) {
  if (request.pfv != 0) {
    terminate(Fes::kUnsupportedParameter, offsetof(spec::tcp::IcReq, pfv), &request,
              sizeof request);
    return;
  }
  if (request.hpda > spec::tcp::kDataAlignmentMax) {
    terminate(Fes::kInvalidHeaderField, offsetof(spec::tcp::IcReq, hpda), &request, sizeof request);
    return;
  }
  const TargetOptions& options = server_.options();
  const bool header = options.header_digest && (request.dgst & spec::tcp::kDgstHeader) != 0;
  const bool data = options.data_digest && (request.dgst & spec::tcp::kDgstData) != 0;
  spec::tcp::IcResp response{};
  response.ch = {PduType::kIcResp, 0, sizeof response, 0, sizeof response};
  response.cpda = options.cpda;
  response.dgst = static_cast<uint8_t>((header ? spec::tcp::kDgstHeader : 0) |
                                       (data ? spec::tcp::kDgstData : 0));
  response.maxh2cdata = options.h2c_bytes_max;
  add_whole(PduType::kIcResp, &response, sizeof response);
  // Digests are for what comes after.
  header_digest_ = header;
  data_digest_ = data;
  data_alignment_ = 4U * (request.hpda + 1U);
  r2ts_max_ = std::min<uint32_t>(request.maxr2t, kR2tsMax - 1) + 1;
  state_ = State::kOpen;
}

void Connection::expect(Payload payload, const CommonHeader& ch, uint32_t bytes) {
  payload.padding = ch.pdo - ch.hlen - (header_digest_ ? spec::tcp::kDigestBytes : 0);
  payload.bytes = payload.total = bytes;
  payload.begin = payload.to;
  payload.digest_bytes = data_digest_ ? spec::tcp::kDigestBytes : 0;
  payload_ = payload;
}

void Connection::h2c_data(const spec::tcp::Data& pdu, uint32_t bytes) {
  const auto wrong = [&](Fes fes, uint32_t offset) { terminate(fes, offset, &pdu, sizeof pdu); };
  const uint16_t index = pdu.ttag / kR2tsMax;
  const uint16_t r2t_index = pdu.ttag % kR2tsMax;
  if (index >= slots_.size() || slots_[index].stage != Stage::kWaitsForData ||
      !slots_[index].r2ts[r2t_index].active) {
    return wrong(Fes::kInvalidHeaderField, offsetof(spec::tcp::Data, ttag));
  }
  Slot& slot = slots_[index];
  R2t& r2t = slot.r2ts[r2t_index];
  if (pdu.cccid != slot.sqe.cid) {
    return wrong(Fes::kInvalidHeaderField, offsetof(spec::tcp::Data, cccid));
  }
  if (pdu.datal != bytes) return wrong(Fes::kInvalidHeaderField, kPlen);
  if (bytes > server_.options().h2c_bytes_max) return wrong(Fes::kLimitExceeded, 0);
  // Its PDUs come in order, and together are what was asked for.
  if (pdu.datao != r2t.offset + r2t.received || bytes > r2t.bytes - r2t.received) {
    return wrong(Fes::kDataOutOfRange, 0);
  }
  const bool last = bytes == r2t.bytes - r2t.received;
  if (((pdu.ch.flags & spec::tcp::kLastPdu) != 0) != last) {
    return wrong(Fes::kInvalidHeaderField, kFlags);
  }
  Payload payload;
  payload.what = Payload::For::kH2cData;
  payload.slot = index;
  payload.r2t = r2t_index;
  payload.to = slot.buffer + pdu.datao;
  expect(payload, pdu.ch, bytes);
}

bool Connection::take_payload() {
  const auto take = [&](uint32_t& wanted, uint8_t* to) {
    const auto n = static_cast<uint32_t>(std::min<size_t>(wanted, end_ - begin_));
    if (to != nullptr && n != 0) std::memcpy(to, received_.data() + begin_, n);
    begin_ += n;
    wanted -= n;
    return n;
  };
  take(payload_.padding, nullptr);
  const uint32_t moved = take(payload_.bytes, payload_.to);
  if (payload_.to != nullptr) payload_.to += moved;
  if (payload_.padding != 0 || payload_.bytes != 0) return false;
  if (payload_.digest_bytes != 0) {
    take(payload_.digest_bytes,
         payload_.digest.data() + (spec::tcp::kDigestBytes - payload_.digest_bytes));
    if (payload_.digest_bytes != 0) return false;
  }
  payload_done();
  return !dead_;
}

void Connection::payload_done() {
  const Payload done = payload_;
  payload_ = Payload();
  if (done.what == Payload::For::kDiscard) {
    finish(done.slot, slots_[done.slot].refused);
    return;
  }
  Slot& slot = slots_[done.slot];
  if (data_digest_ && base::crc32c(done.begin, done.total) != load<uint32_t>(done.digest.data())) {
    slot.digest_error = true;
  }
  if (done.what == Payload::For::kCapsule) {
    execute(done.slot);
    return;
  }
  R2t& r2t = slot.r2ts[done.r2t];
  r2t.received += done.total;
  slot.received += done.total;
  if (r2t.received == r2t.bytes) {
    r2t.active = false;
    --slot.r2ts_active;
  }
  if (slot.received == slot.length) {
    execute(done.slot);
  } else {
    request_data(done.slot);
  }
}

void Connection::terminate(Fes fes, uint32_t fei, const void* header, size_t bytes) {
  if (state_ == State::kTerminating || dead_) return;
  struct {
    spec::tcp::TermReq term;
    std::array<uint8_t, spec::tcp::kTermReqDataMax> data;
  } pdu{};
  const size_t quoted = std::min(bytes, pdu.data.size());
  pdu.term.ch = {PduType::kC2hTermReq, 0, kTermBytes, 0,
                 static_cast<uint32_t>(kTermBytes + quoted)};
  pdu.term.fes = fes;
  if (fes == Fes::kInvalidHeaderField || fes == Fes::kHeaderDigestError ||
      fes == Fes::kUnsupportedParameter) {
    pdu.term.set_fei(fei);
  }
  std::memcpy(pdu.data.data(), header, quoted);
  // The association is over; commands are not answered any more (§3.5.1).
  if (controller_ != nullptr) server_.detach(*this);
  controller_ = nullptr;
  for (Slot& slot : slots_) release(slot);
  payload_ = Payload();
  header_digest_ = false;
  add_whole(PduType::kC2hTermReq, &pdu, kTermBytes + quoted);
  state_ = State::kTerminating;
  deadline_ns_ = server_.now() + server_.options().term_timeout_ms * 1'000'000ULL;
  flush(server_.now());
}

}  // namespace pynvme::ssd::tcp
