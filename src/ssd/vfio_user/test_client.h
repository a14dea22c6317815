// vfio-user clients for tests, without a socket: one that a test drives message by message, with
// numbers of its own instead of the wire structures, and one that says whatever a fuzzer gives it.
#pragma once

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>
#include <deque>
#include <initializer_list>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/framed_socket.h"
#include "ssd/device.h"
#include "ssd/vfio_user/session.h"

namespace pynvme::ssd::testing {

using Bytes = std::vector<uint8_t>;

inline Bytes le(std::initializer_list<std::pair<uint64_t, unsigned>> fields) {
  Bytes bytes;
  for (const auto& [value, size] : fields) {
    for (unsigned i = 0; i < size; ++i) {
      bytes.push_back(i < sizeof(value) ? static_cast<uint8_t>(value >> (8 * i)) : 0);
    }
  }
  return bytes;
}

inline uint64_t get(const Bytes& bytes, size_t at, unsigned size) {
  uint64_t value = 0;
  for (unsigned i = 0; i < size && at + i < bytes.size(); ++i) {
    value |= static_cast<uint64_t>(bytes[at + i]) << (8 * i);
  }
  return value;
}

inline base::UniqueFd memory_file(uint64_t bytes) {
  base::UniqueFd fd(memfd_create("client", MFD_CLOEXEC));
  if (ftruncate(fd.get(), static_cast<off_t>(bytes)) != 0) fd.reset();
  return fd;
}

// Answers DMA_READ and DMA_WRITE out of `memory`, which begins at address 0.
class ClientChannel : public base::FrameChannel {
 public:
  Got receive(base::Frame& frame, int /*timeout_ms*/) override {
    if (to_session.empty()) return closed ? Got::kClosed : Got::kNothing;
    frame = std::move(to_session.front());
    to_session.pop_front();
    return Got::kFrame;
  }
  bool send(std::span<const uint8_t> bytes, std::span<const int> fds) override {
    const Bytes sent(bytes.begin(), bytes.end());
    if ((get(sent, 8, 4) & 0xF) == 1) {
      replies.push_back(sent);
      reply_fds.assign(fds.begin(), fds.end());
      return true;
    }
    const uint64_t command = get(sent, 2, 2);
    const uint64_t address = get(sent, 16, 8);
    const uint64_t count = get(sent, 24, 8);
    dma.emplace_back(command, address);
    dma_longest = std::max(dma_longest, count);
    const bool inside = address + count <= memory.size() && (command == 11 || address < read_only);
    Bytes answer(sent.begin(), sent.begin() + (inside ? 32 : 16));
    if (inside && command == 11) {
      answer.insert(answer.end(), memory.begin() + static_cast<long>(address),
                    memory.begin() + static_cast<long>(address + count));
    } else if (inside) {
      std::memcpy(memory.data() + address, sent.data() + 32, count);
    }
    answer[8] = inside ? 1 : 0x21;
    answer[12] = inside ? 0 : 14;
    const auto size = static_cast<uint32_t>(answer.size());
    std::memcpy(answer.data() + 4, &size, 4);
    to_session.push_front({std::move(answer), {}});
    return true;
  }

  std::deque<base::Frame> to_session;
  std::vector<Bytes> replies;
  std::vector<int> reply_fds;
  std::vector<std::pair<uint64_t, uint64_t>> dma;  // command, address
  uint64_t dma_longest = 0;
  Bytes memory;
  uint64_t read_only = UINT64_MAX;  // from there on DMA_WRITE is refused
  bool closed = false;
};

class TestClient {
 public:
  struct Reply {
    uint32_t flags = 0;
    uint32_t error = 0;
    Bytes payload;
    std::vector<int> fds;
  };

  explicit TestClient(bool greet = true, const char* json = nullptr, const Config& config = quick())
      : clock(base::Clock::manual(1'000'000'000)), device(config, clock) {
    session.emplace(device, channel);
    if (!greet) return;
    Bytes version = le({{0, 2}, {1, 2}});
    if (json != nullptr) version.insert(version.end(), json, json + std::strlen(json) + 1);
    ask(1, version);
  }

  static Config quick() {
    Config config;
    config.capacity_bytes = 64 << 20;
    config.latency_scale = 0;
    return config;
  }

  void push(uint16_t command, const Bytes& payload, std::vector<base::UniqueFd> fds = {},
            uint32_t flags = 0) {
    Bytes frame = le({{++id, 2}, {command, 2}, {16 + payload.size(), 4}, {flags, 4}, {0, 4}});
    frame.insert(frame.end(), payload.begin(), payload.end());
    channel.to_session.push_back({std::move(frame), std::move(fds)});
  }
  // The reply, or nothing when none came; `over` says whether that was the session's end.
  std::optional<Reply> ask(uint16_t command, const Bytes& payload = {},
                           std::vector<base::UniqueFd> fds = {}, uint32_t flags = 0) {
    channel.replies.clear();
    channel.reply_fds.clear();
    push(command, payload, std::move(fds), flags);
    over = session->serve(0) == VfioUserSession::Served::kOver;
    if (channel.replies.empty()) return std::nullopt;
    const Bytes& bytes = channel.replies.back();
    Reply reply{static_cast<uint32_t>(get(bytes, 8, 4)), static_cast<uint32_t>(get(bytes, 12, 4)),
                Bytes(bytes.begin() + 16, bytes.end()), channel.reply_fds};
    if (get(bytes, 0, 2) != id || get(bytes, 2, 2) != command) return std::nullopt;
    return reply;
  }
  uint32_t error_of(uint16_t command, const Bytes& payload = {},
                    std::vector<base::UniqueFd> fds = {}) {
    const auto reply = ask(command, payload, std::move(fds));
    return reply ? reply->error : UINT32_MAX;
  }
  static std::vector<base::UniqueFd> with(base::UniqueFd fd) {
    std::vector<base::UniqueFd> fds;
    fds.push_back(std::move(fd));
    return fds;
  }
  uint64_t read(uint32_t region, uint64_t offset, unsigned size) {
    const auto reply = ask(9, le({{offset, 8}, {region, 4}, {size, 4}}));
    return reply && reply->error == 0 ? get(reply->payload, 16, size) : UINT64_MAX;
  }
  uint32_t write(uint32_t region, uint64_t offset, uint64_t value, unsigned size) {
    return error_of(10, le({{offset, 8}, {region, 4}, {size, 4}, {value, size}}));
  }
  uint32_t map(uint64_t address, uint64_t size, base::UniqueFd fd = {}, uint64_t offset = 0,
               uint32_t flags = 3) {
    std::vector<base::UniqueFd> fds;
    if (fd) fds.push_back(std::move(fd));
    return error_of(2, le({{32, 4}, {flags, 4}, {offset, 8}, {address, 8}, {size, 8}}),
                    std::move(fds));
  }

  base::Clock clock;
  Device device;
  ClientChannel channel;
  std::optional<VfioUserSession> session;
  uint16_t id = 0;
  bool over = false;
};

// Messages cut out of the input: a byte for the file that comes along, two of length, the bytes of
// the message. Sizes in headers are made true: that wrong ones end a session is the socket's work.
class HostileClient : private base::FrameChannel {
 public:
  HostileClient(const uint8_t* data, size_t size)
      : rest_(data, size), clock_(base::Clock::manual(1)), device_(TestClient::quick(), clock_) {}

  void run() {
    // One session after the other, as they would come to a server.
    while (!rest_.empty()) {
      VfioUserSession session(device_, *this);
      while (session.serve(0) == VfioUserSession::Served::kMessage) session.poll_doorbells();
    }
  }

 private:
  Got receive(base::Frame& frame, int /*timeout_ms*/) override {
    if (rest_.size() < 3) {
      rest_ = {};
      return Got::kClosed;
    }
    const uint8_t kind = rest_[0];
    const size_t length = std::min<size_t>(rest_[1] | rest_[2] << 8, rest_.size() - 3);
    frame.bytes.assign(rest_.begin() + 3, rest_.begin() + 3 + static_cast<long>(length));
    frame.fds.clear();
    rest_ = rest_.subspan(3 + length);
    if (kind == 0xFF) return Got::kClosed;
    frame.bytes.resize(std::max<size_t>(frame.bytes.size(), 16));
    const auto size = static_cast<uint32_t>(frame.bytes.size());
    std::memcpy(frame.bytes.data() + 4, &size, 4);
    // A reply fits what was asked last.
    if ((frame.bytes[8] & 0xF) == 1 && (kind & 0x40) == 0) {
      std::memcpy(frame.bytes.data(), asked_, sizeof(asked_));
    }
    for (unsigned i = 0; i < (kind & 7U); ++i) frame.fds.push_back(file(kind >> 3 & 7));
    return Got::kFrame;
  }
  bool send(std::span<const uint8_t> bytes, std::span<const int> /*fds*/) override {
    if ((bytes[8] & 0xF) == 0) std::memcpy(asked_, bytes.data(), sizeof(asked_));
    return true;
  }
  static base::UniqueFd file(unsigned kind) {
    if (kind == 7) return base::UniqueFd(dup(0));
    return memory_file(kind == 0 ? 0 : uint64_t{4096} << kind);
  }

  std::span<const uint8_t> rest_;
  base::Clock clock_;
  Device device_;
  uint8_t asked_[4] = {};
};

}  // namespace pynvme::ssd::testing
