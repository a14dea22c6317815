// A vfio-user client's end of the socket: asks the server and waits for its answer, and serves what
// the server wants of the client's memory meanwhile. A server that dies, hangs or talks nonsense
// ends the connection, once and for all; every wait is bounded. What the messages are good for is
// the function's business.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "base/framed_socket.h"
#include "base/unique_fd.h"
#include "spec/vfio_user.h"

namespace pynvme::pcie {

class VfioUserConnection {
 public:
  struct Reply {
    int error = 0;  // an errno of the server's; ENOTCONN when there is no server any more
    std::vector<uint8_t> payload{};
    std::vector<base::UniqueFd> fds{};
  };

  // Negotiates the version. Throws std::runtime_error.
  explicit VfioUserConnection(std::unique_ptr<base::FrameChannel> channel);
  ~VfioUserConnection();
  VfioUserConnection(const VfioUserConnection&) = delete;
  VfioUserConnection& operator=(const VfioUserConnection&) = delete;

  // At a path: a socket, or a folder with one that is called "cntrl". A server that has another
  // client is given a moment to let go of it; `restarting` one some seconds to be there. Throws
  // OpenError.
  static std::unique_ptr<VfioUserConnection> open(const std::string& path, bool restarting);

  bool gone() const { return gone_.load(std::memory_order_acquire); }
  // What ended it.
  std::string why_gone() const;

  // Any thread.
  Reply ask(spec::vfu::Command command, std::span<const uint8_t> payload,
            std::span<const int> fds = {});
  uint32_t fds_max() const { return fds_max_; }
  uint64_t xfer_bytes_max() const { return xfer_bytes_max_; }

  // Memory that the server may ask for by messages.
  void add_memory(uint64_t address, void* memory, uint64_t size);
  void remove_memory(uint64_t address);

  // The thread that notices a server's end, and serves it, while nobody asks anything.
  void watch(int fd);

 private:
  struct Memory {
    uint8_t* data;
    uint64_t size;
  };

  // Null when that failed, with the reason; *busy is set when it has another client.
  static std::unique_ptr<VfioUserConnection> try_open(const std::string& socket_path,
                                                      std::string* why, bool* busy);
  void negotiate();
  Reply ask_locked(spec::vfu::Command command, std::span<const uint8_t> payload,
                   std::span<const int> fds);
  // False when the server broke the protocol.
  bool serve_locked(const base::Frame& frame);
  void end_locked(const std::string& why);

  std::unique_ptr<base::FrameChannel> channel_;
  mutable std::mutex mutex_;
  std::map<uint64_t, Memory> memory_;
  uint32_t fds_max_ = spec::vfu::kDefaultMaxMsgFds;
  uint64_t xfer_bytes_max_ = spec::vfu::kDefaultMaxDataXferBytes;
  uint16_t next_id_ = 1;
  std::string why_;
  std::atomic<bool> gone_{false};
  base::UniqueFd stop_event_;
  std::thread watcher_;
};

}  // namespace pynvme::pcie
