// PDUs out: headers beside the data they announce, many in one call, and the faults that befall
// them.
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/crc.h"
#include "base/wire_faults.h"
#include "ssd/tcp/connection.h"
#include "ssd/tcp/server.h"

namespace pynvme::ssd::tcp {
namespace {

using base::WireAction;
using spec::tcp::PduType;

constexpr size_t kPiecesMax = 192;
constexpr uint32_t kOversizeBytes = 1 << 20;

}  // namespace

Connection::Outgoing& Connection::add(const void* header, size_t bytes) {
  Outgoing& out = output_.emplace_back();
  std::memcpy(out.header.data(), header, bytes);
  out.header_bytes = static_cast<uint32_t>(bytes);
  if (header_digest_) {
    const uint32_t digest = base::crc32c(header, bytes);
    std::memcpy(out.header.data() + bytes, &digest, sizeof digest);
    out.header_bytes += sizeof digest;
  }
  backlog_ += out.header_bytes;
  return out;
}

void Connection::add_whole(PduType type, const void* header, size_t bytes) {
  add(header, bytes);
  if (server_.wire_faults().armed() || swap_) inject(type);
}

void Connection::add_response(const spec::Cqe& cqe) {
  const uint8_t digest = header_digest_ ? spec::tcp::kDigestBytes : 0;
  spec::tcp::CapsuleResp response;
  response.ch = {PduType::kCapsuleResp, header_digest_ ? spec::tcp::kHdgstf : uint8_t{0},
                 sizeof response, 0, static_cast<uint32_t>(sizeof response + digest)};
  response.cqe = cqe;
  add_whole(PduType::kCapsuleResp, &response, sizeof response);
}

void Connection::add_r2t(uint16_t index, uint32_t r2t) {
  const Slot& slot = slots_[index];
  const uint8_t digest = header_digest_ ? spec::tcp::kDigestBytes : 0;
  spec::tcp::R2t pdu{};
  pdu.ch = {PduType::kR2t, header_digest_ ? spec::tcp::kHdgstf : uint8_t{0}, sizeof pdu, 0,
            static_cast<uint32_t>(sizeof pdu + digest)};
  pdu.cccid = slot.sqe.cid;
  pdu.ttag = static_cast<uint16_t>(index * kR2tsMax + r2t);
  pdu.r2to = slot.r2ts[r2t].offset;
  pdu.r2tl = slot.r2ts[r2t].bytes;
  add_whole(PduType::kR2t, &pdu, sizeof pdu);
}

void Connection::add_data(Slot& slot, bool success) {
  const uint32_t header_bytes =
      sizeof(spec::tcp::Data) + (header_digest_ ? spec::tcp::kDigestBytes : 0);
  const uint32_t pdo = (header_bytes + data_alignment_ - 1) / data_alignment_ * data_alignment_;
  const auto length = static_cast<uint32_t>(slot.direct.used);
  const uint32_t most =
      server_.options().c2h_bytes_max == 0 ? length : server_.options().c2h_bytes_max;
  uint8_t* const buffer = std::exchange(slot.buffer, nullptr);
  for (uint32_t at = 0; at < length; at += most) {
    const uint32_t bytes = std::min(most, length - at);
    const bool last = at + bytes == length;
    spec::tcp::Data pdu{};
    pdu.ch.type = PduType::kC2hData;
    pdu.ch.flags = static_cast<uint8_t>(
        (header_digest_ ? spec::tcp::kHdgstf : 0) | (data_digest_ ? spec::tcp::kDdgstf : 0) |
        (last ? spec::tcp::kLastPdu : 0) | (last && success ? spec::tcp::kSuccess : 0));
    pdu.ch.hlen = sizeof pdu;
    pdu.ch.pdo = static_cast<uint8_t>(pdo);
    pdu.ch.plen = pdo + bytes + (data_digest_ ? spec::tcp::kDigestBytes : 0);
    pdu.cccid = slot.sqe.cid;
    pdu.datao = at;
    pdu.datal = bytes;
    Outgoing& out = add(&pdu, sizeof pdu);
    std::memset(out.header.data() + out.header_bytes, 0, pdo - out.header_bytes);
    backlog_ += pdo - out.header_bytes;
    out.header_bytes = pdo;
    out.data = buffer + at;
    out.data_bytes = bytes;
    out.has_digest = data_digest_;
    if (data_digest_) out.digest = base::crc32c(out.data, bytes);
    if (last) {
      out.release = buffer;
      out.release_bytes = slot.length;
    }
    backlog_ += bytes + (data_digest_ ? spec::tcp::kDigestBytes : 0);
    if (server_.wire_faults().armed() || swap_) inject(PduType::kC2hData);
  }
}

// A fault befalls the last PDU of output_, or nothing happens.
void Connection::inject(PduType type) {
  if (swap_ && output_.size() - first_ >= 2) {
    swap_ = false;
    // The first of them may be on its way already.
    if (output_.size() - first_ > 2 || first_sent_ == 0) {
      std::swap(output_[output_.size() - 1], output_[output_.size() - 2]);
    }
  }
  const auto fault = server_.wire_faults().take(static_cast<uint8_t>(type), qid_);
  if (!fault) return;
  Outgoing& out = output_.back();
  switch (fault->action) {
    case WireAction::kCorruptHeader:
      out.header[sizeof(spec::tcp::CommonHeader)] ^= 0x55;
      break;
    case WireAction::kCorruptData:
      // The digest is of what it should have been. The buffer is this command's alone.
      if (out.data_bytes != 0) const_cast<uint8_t*>(out.data)[out.data_bytes / 2] ^= 0x10;
      break;
    case WireAction::kTruncate: {
      const size_t keep = out.bytes() / 2;
      backlog_ -= out.bytes() - keep;
      out.has_digest = false;
      if (keep <= out.header_bytes) {
        out.header_bytes = static_cast<uint32_t>(keep);
        out.data_bytes = 0;
      } else {
        out.data_bytes = static_cast<uint32_t>(keep - out.header_bytes);
      }
      out.then_close = true;
      break;
    }
    case WireAction::kOversize: {
      uint32_t plen;
      std::memcpy(&plen, out.header.data() + offsetof(spec::tcp::CommonHeader, plen), sizeof plen);
      plen += kOversizeBytes;
      std::memcpy(out.header.data() + offsetof(spec::tcp::CommonHeader, plen), &plen, sizeof plen);
      break;
    }
    case WireAction::kDuplicate: {
      Outgoing copy = out;
      // What the second one sends must be there until then: it is what gives the buffer back.
      out.release = nullptr;
      backlog_ += copy.bytes();
      output_.push_back(copy);
      break;
    }
    case WireAction::kDrop:
      backlog_ -= out.bytes();
      if (out.release != nullptr) server_.pool().give_back(out.release, out.release_bytes);
      output_.pop_back();
      break;
    case WireAction::kSwap:
      swap_ = true;
      break;
    case WireAction::kDelay:
      out.not_before_ns = server_.now() + fault->delay_ms * 1'000'000ULL;
      break;
    case WireAction::kHalfOpen:
      silent_ = true;
      break;
    case WireAction::kReset:
      linger_not();
      out.header_bytes = out.data_bytes = 0;
      out.has_digest = false;
      out.then_close = true;
      break;
    case WireAction::kStopReading:
      deaf_ = true;
      break;
  }
}

// The end of the socket will be a reset.
void Connection::linger_not() {
  reset_ = true;
  const linger now{1, 0};
  if (fd_ >= 0) ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
}

void Connection::reset() {
  if (dead_) return;
  linger_not();
  close();
}

void Connection::on_writable() {
  if (shaking_hands_ && !shake_hands()) return;
  flush(server_.now());
}

void Connection::flush(uint64_t now_ns) {
  if (fd_ < 0) return;
  blocked_ = false;
  while (!dead_ && !silent_ && first_ < output_.size()) {
    if (swap_ && first_ + 1 == output_.size()) return;  // it waits for the one that goes first
    std::array<iovec, kPiecesMax> pieces;
    size_t count = 0;
    size_t skip = first_sent_;
    bool closing = false;
    const auto piece = [&](const void* data, size_t bytes) {
      if (skip >= bytes) {
        skip -= bytes;
        return;
      }
      pieces[count++] = {const_cast<uint8_t*>(static_cast<const uint8_t*>(data)) + skip,
                         bytes - skip};
      skip = 0;
    };
    for (size_t i = first_; i < output_.size() && count + 3 <= kPiecesMax && !closing; ++i) {
      const Outgoing& out = output_[i];
      if (out.not_before_ns > now_ns) break;
      piece(out.header.data(), out.header_bytes);
      piece(out.data, out.data_bytes);
      if (out.has_digest) piece(&out.digest, sizeof out.digest);
      closing = out.then_close;
    }
    if (count == 0 && !closing) return;
    if (count != 0) {
      const ssize_t n = write_some(pieces.data(), count);
      if (n < 0) {
        if (errno == EINTR) continue;
        if (errno != EAGAIN) {
          close();
          return;
        }
        blocked_ = true;
        // A host that never reads would keep its buffers for good.
        if (deadline_ns_ == UINT64_MAX) {
          deadline_ns_ = now_ns + server_.options().stall_timeout_ms * 1'000'000ULL;
        }
        return;
      }
      if (state_ == State::kOpen && controller_ != nullptr) deadline_ns_ = UINT64_MAX;
      sent(static_cast<size_t>(n));
    } else {
      sent(0);
    }
  }
  if (first_ == output_.size()) {
    output_.clear();
    first_ = first_sent_ = 0;
    if (closes_) close();
  }
}

void Connection::sent(size_t bytes) {
  backlog_ -= bytes;
  first_sent_ += bytes;
  while (first_ < output_.size() && first_sent_ >= output_[first_].bytes()) {
    Outgoing& out = output_[first_];
    if (out.not_before_ns != 0 && out.not_before_ns > server_.now()) break;
    first_sent_ -= out.bytes();
    if (out.release != nullptr) server_.pool().give_back(out.release, out.release_bytes);
    out.release = nullptr;
    ++first_;
    if (out.then_close) {
      close();
      return;
    }
  }
}

void Connection::drop_output() {
  for (size_t i = first_; i < output_.size(); ++i) {
    if (output_[i].release == nullptr) continue;
    server_.pool().give_back(output_[i].release, output_[i].release_bytes);
  }
  output_.clear();
  first_ = first_sent_ = backlog_ = 0;
}

std::vector<uint8_t> Connection::take_output() {
  std::vector<uint8_t> bytes;
  for (size_t i = first_; i < output_.size(); ++i) {
    const Outgoing& out = output_[i];
    bytes.insert(bytes.end(), out.header.begin(), out.header.begin() + out.header_bytes);
    if (out.data_bytes != 0) bytes.insert(bytes.end(), out.data, out.data + out.data_bytes);
    if (out.has_digest) {
      const auto* const digest = reinterpret_cast<const uint8_t*>(&out.digest);
      bytes.insert(bytes.end(), digest, digest + sizeof out.digest);
    }
  }
  drop_output();
  return bytes;
}

void Connection::serve(uint64_t now_ns) {
  if (dead_) return;
  if (now_ns >= deadline_ns_ || now_ns >= authentication_due_ns_) {
    close();
    return;
  }
  if (silent_) return;
  collect();
  if (first_ < output_.size() && !blocked_) flush(now_ns);
}

uint64_t Connection::next_due() const {
  uint64_t due = std::min(deadline_ns_, authentication_due_ns_);
  if (!silent_ && first_ < output_.size() && output_[first_].not_before_ns != 0) {
    due = std::min(due, output_[first_].not_before_ns);
  }
  return due;
}

uint32_t Connection::events_wanted() const {
  uint32_t events = 0;
  // A host that does not read its data is not given more.
  if (!deaf_ && !silent_ && backlog_ <= kBacklogBytesMax) events |= EPOLLIN;
  if (blocked_ && !silent_) events |= EPOLLOUT;
  return events;
}

}  // namespace pynvme::ssd::tcp
