// Faults of the host's own PDUs, for tests of targets: what a script asked for is done to a PDU
// when it is about to be sent. Only on the path of a connection with a fault armed, or still having
// its effect.
#include <algorithm>
#include <cstring>
#include <deque>
#include <limits>
#include <memory>
#include <utility>

#include "driver/tcp/tcp_queue.h"

namespace pynvme::driver::tcp {

namespace wire = spec::tcp;
using base::WireAction;

namespace {

constexpr uint32_t kOversizeBytes = 1 << 20;
constexpr size_t kNever = std::numeric_limits<size_t>::max();

}  // namespace

struct TcpQueue::Spoilt {
  std::deque<std::vector<uint8_t>> pdus;  // that are being sent
  std::vector<uint8_t> swapped;           // that waits for the one that follows
  bool deaf = false;
  size_t held_part = kNever;  // of parts_: it and all behind it wait
  uint64_t held_until_ns = 0;
  size_t last_part = kNever;  // where the connection ends
  bool reset = false;
  std::string why;

  bool over() const { return swapped.empty() && !deaf && held_part == kNever; }
};

bool TcpQueue::deaf() const noexcept { return spoilt_->deaf; }

// The PDU that was added since, as its bytes; it is not to be sent any more.
std::vector<uint8_t> TcpQueue::take_back(const Mark& mark) noexcept {
  std::vector<uint8_t> bytes;
  const auto append = [&bytes](const iovec& part, size_t from) {
    const auto* const begin = static_cast<const uint8_t*>(part.iov_base);
    bytes.insert(bytes.end(), begin + from, begin + part.iov_len);
  };
  if (mark.last_bytes != 0) {
    iovec& shared = parts_[mark.parts - 1];
    append(shared, mark.last_bytes);
    shared.iov_len = mark.last_bytes;
  }
  for (size_t i = mark.parts; i < parts_.size(); ++i) append(parts_[i], 0);
  parts_.resize(mark.parts);
  return bytes;
}

void TcpQueue::push_spoilt(std::vector<uint8_t> pdu) noexcept {
  std::vector<uint8_t>& kept = spoilt_->pdus.emplace_back(std::move(pdu));
  parts_.push_back({kept.data(), kept.size()});
}

void TcpQueue::spoil(wire::PduType type, const Mark& mark) noexcept {
  const auto fault = wire_faults_->take(static_cast<uint8_t>(type), rings_.id);
  if (!fault && (spoilt_ == nullptr || spoilt_->swapped.empty())) return;
  if (spoilt_ == nullptr) spoilt_ = std::make_shared<Spoilt>();
  Spoilt& spoilt = *spoilt_;
  std::vector<uint8_t> pdu = take_back(mark);
  std::vector<uint8_t> before = std::exchange(spoilt.swapped, {});
  const auto ends = [&](const char* how) {
    spoilt.last_part = std::min(spoilt.last_part, parts_.size());
    spoilt.why =
        std::string("a fault was to ") + how + " " + wire::pdu_name(type) + " on this side";
  };
  switch (fault ? fault->action : WireAction::kStopReading) {
    case WireAction::kCorruptHeader:
      pdu[sizeof(wire::CommonHeader)] ^= 0x55;
      push_spoilt(std::move(pdu));
      break;
    case WireAction::kCorruptData: {
      wire::CommonHeader ch;
      std::memcpy(&ch, pdu.data(), sizeof(ch));
      const uint32_t digest = (ch.flags & wire::kDdgstf) != 0 ? wire::kDigestBytes : 0;
      if (ch.pdo != 0) pdu[ch.pdo + (ch.plen - ch.pdo - digest) / 2] ^= 0x10;
      push_spoilt(std::move(pdu));
      break;
    }
    case WireAction::kTruncate:
      pdu.resize(pdu.size() / 2);
      push_spoilt(std::move(pdu));
      ends("truncate");
      break;
    case WireAction::kOversize: {
      uint32_t plen = 0;
      std::memcpy(&plen, &pdu[offsetof(wire::CommonHeader, plen)], sizeof(plen));
      plen += kOversizeBytes;
      std::memcpy(&pdu[offsetof(wire::CommonHeader, plen)], &plen, sizeof(plen));
      push_spoilt(std::move(pdu));
      break;
    }
    case WireAction::kDuplicate:
      push_spoilt(pdu);
      push_spoilt(std::move(pdu));
      break;
    case WireAction::kDrop:
      break;
    case WireAction::kSwap:
      spoilt.swapped = std::move(pdu);
      break;
    case WireAction::kDelay:
      spoilt.held_part = std::min(spoilt.held_part, parts_.size());
      spoilt.held_until_ns =
          std::max(spoilt.held_until_ns, now_ns_ + uint64_t{fault->delay_ms} * 1'000'000);
      push_spoilt(std::move(pdu));
      break;
    case WireAction::kHalfOpen:
      spoilt.held_part = std::min(spoilt.held_part, parts_.size());
      spoilt.held_until_ns = std::numeric_limits<uint64_t>::max();
      spoilt.deaf = true;
      push_spoilt(std::move(pdu));
      break;
    case WireAction::kReset:
      spoilt.reset = true;
      ends("reset the connection instead of");
      break;
    case WireAction::kStopReading:
      if (fault) spoilt.deaf = true;
      push_spoilt(std::move(pdu));
      break;
  }
  if (!before.empty()) push_spoilt(std::move(before));
}

void TcpQueue::flush_spoilt() noexcept {
  Spoilt& spoilt = *spoilt_;
  if (now_ns_ >= spoilt.held_until_ns) {
    spoilt.held_part = kNever;
    spoilt.held_until_ns = 0;
  }
  // What fails here may have ended the connection, and with it this very fault.
  if (!send_parts(std::min({parts_.size(), spoilt.held_part, spoilt.last_part}))) return;
  if (first_part_ == spoilt.last_part) {
    if (spoilt.reset) stream_.reset();
    const std::string why = spoilt.why;
    return cut(why);
  }
  if (first_part_ != parts_.size()) return;
  sent_all();
  if (spoilt_ == nullptr) return;
  spoilt_->pdus.clear();
  if (spoilt_->over()) spoilt_.reset();
}

}  // namespace pynvme::driver::tcp
