// A vfio-user server for tests, without a socket: its answers are cut out of the input, a byte for
// what kind of answer, two of length, the payload. Mostly they fit what was asked, or nothing of
// what they say would ever be looked at.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <deque>
#include <memory>
#include <span>
#include <stdexcept>
#include <utility>
#include <vector>

#include "base/framed_socket.h"
#include "pcie/vfio_user/function.h"

namespace pynvme::pcie::testing {

class HostileServer final : public base::FrameChannel {
 public:
  explicit HostileServer(std::span<const uint8_t>& input) : rest_(input) {}

  Got receive(base::Frame& frame, int timeout_ms) override {
    if (frames_.empty()) return timeout_ms == 0 ? Got::kNothing : Got::kClosed;
    frame = std::move(frames_.front());
    frames_.pop_front();
    return Got::kFrame;
  }

  bool send(std::span<const uint8_t> bytes, std::span<const int> /*fds*/) override {
    if ((bytes[8] & 0xF) != 0) return true;  // an answer to a command of ours
    do {
      if (rest_.size() < 3) return false;
      const uint8_t kind = rest_[0];
      const size_t length = std::min<size_t>(rest_[1] | rest_[2] << 8, rest_.size() - 3);
      base::Frame frame;
      frame.bytes.assign(bytes.begin(), bytes.begin() + 16);
      frame.bytes.insert(frame.bytes.end(), rest_.begin() + 3,
                         rest_.begin() + 3 + static_cast<long>(length));
      rest_ = rest_.subspan(3 + length);
      const auto size = static_cast<uint32_t>(frame.bytes.size());
      std::memcpy(frame.bytes.data() + 4, &size, 4);
      frame.bytes[8] = static_cast<uint8_t>((kind & 1) != 0 ? 0x21 : 1);
      frame.bytes[12] = kind;
      if ((kind & 2) != 0) frame.bytes[0] ^= 1;  // to nothing that was asked
      for (int i = 0; i < (kind >> 4 & 3); ++i) frame.fds.push_back(file(kind >> 6));
      const bool command = (kind & 4) != 0;  // of the server's own, before its answer
      if (command) {
        frame.bytes[2] = static_cast<uint8_t>(11 + (kind >> 3 & 1));
        frame.bytes[8] = 0;
      }
      frames_.push_back(std::move(frame));
      if (!command) return true;
    } while (true);
  }

 private:
  static base::UniqueFd file(int kind) {
    base::UniqueFd fd(memfd_create("server", MFD_CLOEXEC));
    return ftruncate(fd.get(), 4096 << 2 * kind) == 0 ? std::move(fd) : base::UniqueFd();
  }

  std::span<const uint8_t>& rest_;
  std::deque<base::Frame> frames_;
};

// Does with a function what a driver does, as long as the server has anything to say.
inline void use_hostile_server(const uint8_t* data, size_t size) {
  std::span<const uint8_t> rest(data, size);
  alignas(4096) static uint8_t memory[8192];
  try {
    VfioUserFunction function("fuzz", [&rest](bool) {
      return std::make_unique<VfioUserConnection>(std::make_unique<HostileServer>(rest));
    });
    const auto doorbells = function.doorbells(4);
    function.dma_map(0x10000, memory, sizeof(memory), 0, 0);
    for (const auto kind : {InterruptKind::kMsix, InterruptKind::kMsi, InterruptKind::kPin}) {
      const unsigned vectors = std::min(function.interrupt_vectors(kind), 4U);
      if (vectors == 0) continue;
      function.enable_interrupts(kind, vectors);
      for (unsigned vector = 0; vector < vectors; ++vector) {
        function.take_interrupts(vector);
        function.mask_interrupt(vector, true);
        function.interrupt_pending(vector);
        function.mask_interrupt(vector, false);
      }
    }
    if (doorbells.base != nullptr) {
      doorbells.base[1] = 1;
      if (doorbells.rung != nullptr) doorbells.rung(doorbells.device, 1);
    }
    function.bar_read(0, 0, 8);
    function.bar_write(0, 0x14, 1, 4);
    function.hot_reset();
    function.power_off();
    function.power_on();
    function.function_level_reset();
    function.dma_unmap(0x10000, sizeof(memory));
  } catch (const std::runtime_error&) {
    // It says what is wrong with the server.
  }
}

}  // namespace pynvme::pcie::testing
