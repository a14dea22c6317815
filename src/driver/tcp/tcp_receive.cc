// The receiving half of a connection: every PDU is checked before it is believed (NVMe TCP
// Transport 1.0 §3.6.2). Large data are received where they belong, small ones are copied there
// from one large buffer, so that a batch of completions is one system call.
#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "base/crc.h"
#include "base/log.h"
#include "driver/tcp/tcp_queue.h"
#include "spec/status.h"

namespace pynvme::driver::tcp {

namespace wire = spec::tcp;
using wire::Fes;
using wire::PduType;

namespace {

constexpr size_t kRxBytes = 256 << 10;
// What TLS records begin with (RFC 8446 §5.1).
constexpr uint8_t kTlsAlert = 0x15;
constexpr uint8_t kTlsHandshake = 0x16;

// Offsets of fields in their headers, for FEI.
constexpr uint32_t kAtType = 0;
constexpr uint32_t kAtFlags = 1;
constexpr uint32_t kAtHlen = 2;
constexpr uint32_t kAtPdo = 3;
constexpr uint32_t kAtPlen = 4;
constexpr uint32_t kAtCccid = 8;
constexpr uint32_t kAtDatao = 12;
constexpr uint32_t kAtDatal = 16;
constexpr uint32_t kAtResponseCid = offsetof(wire::CapsuleResp, cqe) + offsetof(spec::Cqe, cid);

template <class T>
T read(const uint8_t* bytes) {
  T value;
  std::memcpy(static_cast<void*>(&value), bytes, sizeof(value));
  return value;
}

std::string name_of(PduType type) {
  char text[40];
  std::snprintf(text, sizeof(text), "%s (type %02Xh)", wire::pdu_name(type),
                static_cast<unsigned>(type));
  return text;
}

std::string text(uint64_t value) { return std::to_string(value); }

}  // namespace

void TcpQueue::receive() noexcept {
  iovec parts[2];
  int count = 0;
  size_t direct = 0;
  if (reading_ == Reading::kData && data_start_ != nullptr && rx_begin_ == rx_end_) {
    direct = data_.datal - data_done_;
    parts[count++] = {data_start_ + data_done_, direct};
  }
  if (rx_begin_ != 0) {
    std::memmove(rx_.get(), rx_.get() + rx_begin_, rx_end_ - rx_begin_);
    rx_end_ -= rx_begin_;
    rx_begin_ = 0;
  }
  parts[count++] = {rx_.get() + rx_end_, kRxBytes - rx_end_};
  const ssize_t got = stream_.receive(parts, count);
  if (got == 0) return;
  if (got < 0) {
    cut(errno == 0 ? "the target ended it" : "receiving failed: " + stream_.reason(errno));
    return;
  }
  const size_t placed = std::min(static_cast<size_t>(got), direct);
  data_done_ += static_cast<uint32_t>(placed);
  rx_end_ += static_cast<size_t>(got) - placed;
  parse();
}

void TcpQueue::consume(const uint8_t* bytes, size_t size) {
  const size_t pieces = kRxBytes / 2;
  while (size != 0 && stream_.is_open()) {
    const size_t piece = std::min({size, pieces, kRxBytes - rx_end_});
    std::memcpy(rx_.get() + rx_end_, bytes, piece);
    rx_end_ += piece;
    bytes += piece;
    size -= piece;
    parse();
    std::memmove(rx_.get(), rx_.get() + rx_begin_, rx_end_ - rx_begin_);
    rx_end_ -= rx_begin_;
    rx_begin_ = 0;
  }
}

void TcpQueue::parse() noexcept {
  while (stream_.is_open()) {
    const size_t available = rx_end_ - rx_begin_;
    const uint8_t* at = rx_.get() + rx_begin_;
    switch (reading_) {
      case Reading::kHeader:
        if (!parse_header()) return;
        break;
      case Reading::kData: {
        const size_t size = std::min<size_t>(available, data_.datal - data_done_);
        if (data_start_ != nullptr) std::memcpy(data_start_ + data_done_, at, size);
        data_done_ += static_cast<uint32_t>(size);
        rx_begin_ += size;
        if (data_done_ < data_.datal) return;
        reading_ = Reading::kDigest;
        break;
      }
      case Reading::kDigest:
        if (available < ddgst_bytes_) return;
        if (ddgst_bytes_ != 0 && data_start_ != nullptr &&
            base::crc32c(data_start_, data_.datal) != read<uint32_t>(at)) {
          // Not fatal: the command fails when it is complete (NVMe TCP Transport 1.0 §3.3.1.2).
          commands_[data_.cccid].digest_error = true;
          base::log(base::LogLevel::kError,
                    "%s: the data digest of a C2HData PDU for CID %u is wrong",
                    options_.name.c_str(), data_.cccid);
        }
        rx_begin_ += ddgst_bytes_;
        reading_ = Reading::kHeader;
        end_of_data();
        break;
    }
  }
}

// One header that is there as a whole, with what belongs to it. False: more is needed.
bool TcpQueue::parse_header() noexcept {
  const size_t available = rx_end_ - rx_begin_;
  const uint8_t* at = rx_.get() + rx_begin_;
  if (available < sizeof(wire::CommonHeader)) return false;
  header_at_ = rx_begin_;
  const auto ch = read<wire::CommonHeader>(at);
  if (!check_type(ch)) return false;
  const bool plain = ch.type == PduType::kIcResp || ch.type == PduType::kC2hTermReq;
  const uint32_t digest_bytes = plain ? 0 : hdgst_bytes_;
  size_t needed = ch.hlen + digest_bytes;
  if (available < needed) return false;
  if (digest_bytes != 0) {
    const auto digest = read<uint32_t>(at + ch.hlen);
    if (base::crc32c(at, ch.hlen) != digest) {
      violate(Fes::kHeaderDigestError, digest,
              "the header digest of " + name_of(ch.type) + " is wrong");
      return false;
    }
  }
  if (!check_header(ch)) return false;
  if (ch.type == PduType::kC2hData) needed = ch.pdo;
  if (ch.type == PduType::kC2hTermReq) needed = ch.plen;
  if (available < needed) return false;
  rx_begin_ += needed;
  switch (ch.type) {
    case PduType::kC2hData:
      on_data(at);
      break;
    case PduType::kCapsuleResp:
      on_response(at);
      break;
    case PduType::kR2t:
      on_r2t(at);
      break;
    case PduType::kIcResp:
      on_ic_resp(at);
      break;
    default:
      on_term_req(at, ch.plen);
      break;
  }
  return stream_.is_open();
}

// What has to be right before the header's digest can be found.
bool TcpQueue::check_type(const wire::CommonHeader& ch) noexcept {
  const auto invalid = [&](uint32_t fei, const std::string& what) {
    violate(Fes::kInvalidHeaderField, fei, name_of(ch.type) + " " + what);
    return false;
  };
  const bool known = ch.type == PduType::kIcResp || ch.type == PduType::kC2hTermReq ||
                     ch.type == PduType::kCapsuleResp || ch.type == PduType::kC2hData ||
                     ch.type == PduType::kR2t;
  if (!known) {
    const auto type = static_cast<uint8_t>(ch.type);
    const bool tls = !connected_ && (type == kTlsAlert || type == kTlsHandshake);
    return invalid(kAtType, tls ? "is TLS: the target wants a key (;tls_key=NVMeTLSkey-1:...)"
                                : "is no PDU that a controller sends");
  }
  if (ch.hlen != wire::header_bytes(ch.type)) {
    return invalid(
        kAtHlen, "has HLEN " + text(ch.hlen) + " instead of " + text(wire::header_bytes(ch.type)));
  }
  return true;
}

bool TcpQueue::check_header(const wire::CommonHeader& ch) noexcept {
  const auto invalid = [&](uint32_t fei, const std::string& what) {
    violate(Fes::kInvalidHeaderField, fei, name_of(ch.type) + " " + what);
    return false;
  };
  if (ch.type == PduType::kC2hTermReq) {
    if (ch.plen < sizeof(wire::TermReq) || ch.plen > wire::kTermReqPlenMax) {
      return invalid(kAtPlen, "has PLEN " + text(ch.plen));
    }
    return true;
  }
  if (connected_ == (ch.type == PduType::kIcResp)) {
    violate(Fes::kSequenceError, 0,
            name_of(ch.type) +
                (connected_ ? " came when the connection was there" : " came before ICResp"));
    return false;
  }
  if (ch.type == PduType::kIcResp) {
    if (ch.plen == sizeof(wire::IcResp)) return true;
    return invalid(kAtPlen, "has PLEN " + text(ch.plen) + " instead of 128");
  }
  if (((ch.flags & wire::kHdgstf) != 0) != (hdgst_bytes_ != 0)) {
    return invalid(kAtFlags, hdgst_bytes_ != 0 ? "has no header digest, as was agreed upon"
                                               : "has a header digest, which was not agreed upon");
  }
  const uint32_t header = ch.hlen + hdgst_bytes_;
  if (ch.type != PduType::kC2hData) {
    if (ch.plen == header) return true;
    return invalid(kAtPlen, "has PLEN " + text(ch.plen) + " instead of " + text(header));
  }
  if (((ch.flags & wire::kDdgstf) != 0) != (ddgst_bytes_ != 0)) {
    return invalid(kAtFlags, ddgst_bytes_ != 0 ? "has no data digest, as was agreed upon"
                                               : "has a data digest, which was not agreed upon");
  }
  if ((ch.flags & wire::kSuccess) != 0 && (ch.flags & wire::kLastPdu) == 0) {
    return invalid(kAtFlags, "has SUCCESS without LAST_PDU");
  }
  if (ch.pdo < header || ch.pdo % options_.hpda_bytes != 0) {
    return invalid(kAtPdo, "has its data at " + text(ch.pdo) + ", not behind its header at a " +
                               "multiple of " + text(options_.hpda_bytes));
  }
  if (ch.plen < uint64_t{ch.pdo} + ddgst_bytes_) {
    return invalid(kAtPlen, "has PLEN " + text(ch.plen) + ", too short for its header");
  }
  return true;
}

// A CID that can be answered; the others are told by `violate`.
TcpQueue::Command* TcpQueue::command_of(uint16_t cid) noexcept {
  if (cid >= commands_.size()) return nullptr;
  Command& command = commands_[cid];
  return command.state == State::kBusy || command.state == State::kOrphan ? &command : nullptr;
}

void TcpQueue::on_ic_resp(const uint8_t* header) noexcept {
  const auto response = read<wire::IcResp>(header);
  log(response.ch.type, response.ch.flags, false, UINT16_MAX, response.ch.plen, 0, 0);
  const auto refuse = [&](uint32_t fei, const std::string& what) {
    violate(Fes::kUnsupportedParameter, fei, "ICResp has " + what);
  };
  const auto asked = static_cast<uint8_t>((options_.header_digest ? wire::kDgstHeader : 0) |
                                          (options_.data_digest ? wire::kDgstData : 0));
  if (response.pfv != 0) return refuse(offsetof(wire::IcResp, pfv), "PFV " + text(response.pfv));
  if (response.cpda > wire::kDataAlignmentMax) {
    return refuse(offsetof(wire::IcResp, cpda), "CPDA " + text(response.cpda));
  }
  if ((response.dgst & 3 & ~asked) != 0) {
    return refuse(offsetof(wire::IcResp, dgst), "digests that were not asked for");
  }
  if (response.maxh2cdata < wire::kMaxH2cDataMin || response.maxh2cdata % 4 != 0) {
    return refuse(offsetof(wire::IcResp, maxh2cdata), "MAXH2CDATA " + text(response.maxh2cdata));
  }
  hdgst_bytes_ = (response.dgst & wire::kDgstHeader) != 0 ? wire::kDigestBytes : 0;
  ddgst_bytes_ = (response.dgst & wire::kDgstData) != 0 ? wire::kDigestBytes : 0;
  cpda_bytes_ = 4U * (response.cpda + 1U);
  max_h2c_ = response.maxh2cdata;
  connected_ = true;
}

void TcpQueue::on_term_req(const uint8_t* header, uint32_t plen) noexcept {
  const auto request = read<wire::TermReq>(header);
  log(request.ch.type, request.ch.flags, false, UINT16_MAX, plen, 0, 0);
  std::string about;
  if (plen > sizeof(request)) {
    about = ", about " + name_of(static_cast<PduType>(header[sizeof(request)]));
  }
  char fei[24];
  std::snprintf(fei, sizeof(fei), "%Xh", request.fei());
  cut("the target sent C2HTermReq: " + std::string(wire::fes_text(request.fes)) + " (FES " +
      text(static_cast<uint16_t>(request.fes)) + "h, FEI " + fei + ")" + about);
}

void TcpQueue::on_data(const uint8_t* header) noexcept {
  const auto data = read<wire::Data>(header);
  log(data.ch.type, data.ch.flags, false, data.cccid, data.ch.plen, data.datao, data.datal);
  Command* command = command_of(data.cccid);
  if (command == nullptr || (command->direction & 2) == 0) {
    return violate(Fes::kInvalidHeaderField, kAtCccid,
                   "C2HData is for CID " + text(data.cccid) + ", which waits for no data");
  }
  if (uint64_t{data.ch.pdo} + data.datal + ddgst_bytes_ != data.ch.plen) {
    return violate(Fes::kInvalidHeaderField, kAtDatal,
                   "C2HData has DATAL " + text(data.datal) + ", but PLEN " + text(data.ch.plen));
  }
  if (uint64_t{data.datao} + data.datal > command->length) {
    return violate(Fes::kDataOutOfRange, 0,
                   "C2HData has bytes " + text(data.datao) + " to " +
                       text(uint64_t{data.datao} + data.datal) + " of CID " + text(data.cccid) +
                       ", which has a buffer of " + text(command->length));
  }
  // They come in order (§3.3.2.1).
  if (data.datao != command->moved) {
    return violate(Fes::kInvalidHeaderField, kAtDatao,
                   "C2HData has DATAO " + text(data.datao) + " for CID " + text(data.cccid) +
                       ", of which " + text(command->moved) + " bytes came");
  }
  command->moved += data.datal;
  data_ = data;
  data_start_ = command->data == nullptr ? nullptr : command->data + data.datao;
  data_done_ = 0;
  reading_ = Reading::kData;
}

void TcpQueue::end_of_data() noexcept {
  if ((data_.ch.flags & wire::kSuccess) == 0) return;
  spec::Cqe cqe{};
  cqe.cid = data_.cccid;
  cqe.sqhd = static_cast<uint16_t>(sq_head_);
  complete(data_.cccid, cqe);
}

void TcpQueue::on_response(const uint8_t* header) noexcept {
  const auto response = read<wire::CapsuleResp>(header);
  const uint16_t cid = response.cqe.cid;
  log(response.ch.type, response.ch.flags, false, cid, response.ch.plen, 0, 0);
  if (command_of(cid) == nullptr) {
    return violate(Fes::kInvalidHeaderField, kAtResponseCid,
                   "CapsuleResp is for CID " + text(cid) + ", which is not outstanding");
  }
  spec::Cqe cqe = response.cqe;
  // On the admin queue the target counts our own commands as well.
  if (rings_.id == 0) cqe.sqhd = static_cast<uint16_t>(sq_head_);
  complete(cid, cqe);
}

void TcpQueue::complete(uint16_t cid, spec::Cqe cqe) noexcept {
  Command& command = commands_[cid];
  if (cqe.ok() &&
      (command.digest_error || (command.must_be_whole && command.state == State::kBusy &&
                                command.moved != command.length))) {
    if (!command.digest_error) {
      base::log(base::LogLevel::kError, "%s: CID %u succeeded, but %u of %u bytes came",
                options_.name.c_str(), cid, command.moved, command.length);
    }
    cqe.status = spec::make_status(spec::sct::kGeneric, spec::sc::kTransientTransportError);
  }
  if (command.open_r2ts != 0) {
    // An error ended it early: what was asked for is not wanted any more.
    std::erase_if(transfers_, [cid](const Transfer& one) { return one.cid == cid; });
    command.open_r2ts = 0;
  }
  if (command.tx_epoch == tx_epoch_ && command.tx_epoch != 0 && !parts_.empty()) {
    // Its buffer is still being sent from; the command is over when that is.
    command.cqe = cqe;
    held_.push_back(cid);
    return;
  }
  if (cid >= ring_slots_) {
    command.cqe = cqe;
    command.state = command.state == State::kOrphan ? State::kFree : State::kDone;
    return;
  }
  const bool wanted = command.state == State::kBusy;
  command.state = State::kFree;
  if (wanted && pair_ != nullptr) post(cid, cqe);
}

void TcpQueue::post(uint16_t cid, const spec::Cqe& cqe) noexcept {
  auto* entry = static_cast<uint64_t*>(rings_.cq.data) + size_t{cq_tail_} * 2;
  const auto status = static_cast<uint16_t>((cqe.status & ~1U) | cq_phase_);
  // SQID is reserved on a fabric (NVMe Base 2.0 §3.3.3.2).
  const uint64_t high =
      cqe.sqhd | uint64_t{rings_.id} << 16 | uint64_t{cid} << 32 | uint64_t{status} << 48;
  entry[0] = cqe.cdw0 | uint64_t{cqe.cdw1} << 32;
  __atomic_store_n(entry + 1, high, __ATOMIC_RELEASE);
  if (++cq_tail_ == rings_.entries) {
    cq_tail_ = 0;
    cq_phase_ ^= 1;
  }
}

void TcpQueue::on_r2t(const uint8_t* header) noexcept {
  const auto r2t = read<wire::R2t>(header);
  log(r2t.ch.type, r2t.ch.flags, false, r2t.cccid, r2t.ch.plen, r2t.r2to, r2t.r2tl);
  Command* command = command_of(r2t.cccid);
  if (command == nullptr || (command->direction & 1) == 0) {
    return violate(Fes::kInvalidHeaderField, kAtCccid,
                   "R2T is for CID " + text(r2t.cccid) + ", which has no data to send");
  }
  if (r2t.r2tl == 0 || uint64_t{r2t.r2to} + r2t.r2tl > command->length) {
    return violate(Fes::kDataOutOfRange, 0,
                   "R2T asks for bytes " + text(r2t.r2to) + " to " +
                       text(uint64_t{r2t.r2to} + r2t.r2tl) + " of CID " + text(r2t.cccid) +
                       ", which has " + text(command->length));
  }
  if (r2t.r2to != command->moved) {
    return violate(Fes::kInvalidHeaderField, kAtDatao,
                   "R2T asks for CID " + text(r2t.cccid) + " from byte " + text(r2t.r2to) +
                       " on, but " + text(command->moved) + " were asked for before");
  }
  if (command->open_r2ts >= options_.max_r2t) {
    return violate(Fes::kLimitExceeded, 0,
                   "R2T is the " + text(command->open_r2ts + 1U) + ". for CID " + text(r2t.cccid) +
                       " at once, MAXR2T allows " + text(options_.max_r2t));
  }
  command->moved += r2t.r2tl;
  if (command->data == nullptr) return;  // forgotten
  ++command->open_r2ts;
  transfers_.push_back({r2t.cccid, r2t.ttag, r2t.r2to, r2t.r2tl});
}

// §3.5: the host names the error and the header that was at fault, and ends the connection.
void TcpQueue::violate(Fes fes, uint32_t fei, const std::string& what) noexcept {
  wire::TermReq request{};
  uint32_t data = 0;
  uint8_t bytes[wire::kTermReqPlenMax];
  {
    const uint8_t* fault = rx_.get() + header_at_;
    const auto ch = read<wire::CommonHeader>(fault);
    data = std::min<uint32_t>(
        {static_cast<uint32_t>(rx_.get() + rx_end_ - fault),
         std::max<uint32_t>(wire::header_bytes(ch.type), sizeof(wire::CommonHeader)),
         wire::kTermReqDataMax});
    std::memcpy(bytes + sizeof(request), fault, data);
  }
  request.ch = {PduType::kH2cTermReq, 0, sizeof(request), 0,
                static_cast<uint32_t>(sizeof(request)) + data};
  request.fes = fes;
  request.set_fei(fei);
  std::memcpy(bytes, &request, sizeof(request));
  bool told = false;
  // In the middle of another PDU nothing can be said.
  while (first_part_ < parts_.size()) {
    const auto count = static_cast<int>(parts_.size() - first_part_);
    const ssize_t sent = stream_.send(&parts_[first_part_], count);
    if (sent <= 0) break;
    taken(static_cast<size_t>(sent));
  }
  if (first_part_ == parts_.size()) {
    const iovec part{bytes, request.ch.plen};
    told = stream_.send(&part, 1) == static_cast<ssize_t>(request.ch.plen);
  }
  log(request.ch.type, 0, true, UINT16_MAX, request.ch.plen, 0, 0);
  cut(what + (told ? " (answered with H2CTermReq: " : " (") + wire::fes_text(fes) + ")");
}

}  // namespace pynvme::driver::tcp
