// One client of the vfio-user server, from its first message to its last: answers what it asks,
// checks every byte of it, and plugs the SSD into it. Where messages come from is the channel's
// business (a socket; a test), how often doorbells are looked at the server's.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "base/framed_socket.h"
#include "spec/vfio_user.h"
#include "ssd/device.h"
#include "ssd/host_port.h"
#include "ssd/vfio_user/client_memory.h"
#include "ssd/vfio_user/interrupt_lines.h"

namespace pynvme::ssd {

// For connections to a server: enough for the longest message that is allowed.
base::Framing vfio_user_framing();

class VfioUserSession final : private HostPort, private ClientMemory::Peer {
 public:
  // The SSD is unplugged. It is again, as after power-on and with its media kept, when the session
  // is destroyed.
  VfioUserSession(Device& device, base::FrameChannel& channel);
  ~VfioUserSession() override;
  VfioUserSession(const VfioUserSession&) = delete;
  VfioUserSession& operator=(const VfioUserSession&) = delete;

  // Works on what the host stored to doorbells; true when there was something.
  bool poll_doorbells();
  // Looks for a message, for up to wait_ms, and answers it.
  enum class Served : uint8_t { kMessage, kNothing, kOver };
  Served serve(int wait_ms);
  // Why it is over, for a log line.
  const std::string& end() const { return end_; }

 private:
  using Payload = std::span<const uint8_t>;
  struct Answer {
    int error = 0;  // an errno
    std::vector<uint8_t> payload{};
    std::vector<int> fds{};
  };

  bool handle(base::Frame& frame);
  bool negotiate(const spec::vfu::Header& header, Payload payload);
  Answer answer(const spec::vfu::Header& header, Payload payload, std::vector<base::UniqueFd>& fds);
  bool reply(const spec::vfu::Header& to, const Answer& answer);
  Answer map(Payload payload, std::vector<base::UniqueFd>& fds);
  Answer unmap(Payload payload);
  Answer device_info(Payload payload);
  Answer region_info(Payload payload);
  Answer region_io_fds(Payload payload);
  Answer irq_info(Payload payload);
  Answer set_irqs(Payload payload, std::vector<base::UniqueFd>& fds);
  Answer region_read(Payload payload);
  Answer region_write(Payload payload);
  Answer region_write_multi(Payload payload);
  Answer reset();

  // 0 or EINVAL.
  int check_access(const spec::vfu::RegionAccess& access) const;
  uint64_t region_bytes(uint32_t region) const;
  int write(const spec::vfu::RegionAccess& access, Payload data);

  // The platform's part: switches on what the client has eventfds for.
  uint16_t find_capability(uint8_t id);
  void set_config_bits(uint16_t offset, uint32_t mask, uint32_t value);
  void open_for_access();
  void arm_msix();
  void arm_msi();
  void sync_memory();

  void message(uint64_t address, uint32_t data, uint32_t vector) override;
  void pin(bool asserted) override;
  uint8_t* reach(DmaAccess access, uint64_t iova, uint64_t size, bool kept) noexcept override;
  bool dma_read(uint64_t address, std::span<uint8_t> data) override;
  bool dma_write(uint64_t address, std::span<const uint8_t> data) override;
  // A command of ours and its reply's payload; commands of the client that come first wait.
  bool transact(spec::vfu::Command command, Payload payload, std::vector<uint8_t>* reply);

  bool over(std::string why);

  Device& device_;
  base::FrameChannel& channel_;
  uint16_t msix_ = 0;  // where the capabilities lie, 0: not there
  uint16_t msi_ = 0;
  uint16_t express_ = 0;
  InterruptLines lines_;
  ClientMemory memory_;
  bool negotiated_ = false;
  bool write_multiple_ = false;
  uint64_t peer_xfer_bytes_max_ = spec::vfu::kDefaultMaxDataXferBytes;
  std::string end_;

  std::mutex channel_mutex_;  // the SSD's own thread fetches memory, too
  std::deque<base::Frame> waiting_;
  uint16_t next_id_ = 0x8000;
  bool failed_ = false;
};

}  // namespace pynvme::ssd
