// Serves an embedded SSD at the path of a UNIX socket, to one vfio-user client at a time. Two
// threads: one takes connections (and turns a second client away), one serves: it looks at
// doorbells without pause while there is work, ever less often while there is none, and at the
// socket in between. What a client may say is the session's business.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "base/framed_socket.h"
#include "base/unique_fd.h"
#include "ssd/device.h"

namespace pynvme::ssd {

class VfioUserServer {
 public:
  // Listens from here on. Throws std::runtime_error when it cannot, with the reason.
  VfioUserServer(std::shared_ptr<Device> device, std::string path);
  // The client is let go, and the socket's file removed.
  ~VfioUserServer();
  VfioUserServer(const VfioUserServer&) = delete;
  VfioUserServer& operator=(const VfioUserServer&) = delete;

  const std::string& path() const { return path_; }
  Device& device() { return *device_; }

 private:
  void accept_clients();
  void turn_away(base::UniqueFd client);
  void serve_clients();
  void serve_client(base::FramedSocket& socket, uint64_t number);

  const std::shared_ptr<Device> device_;
  const std::string path_;
  base::UniqueFd listener_;
  uint64_t inode_ = 0;
  base::UniqueFd stop_event_;
  std::atomic<bool> stopping_{false};

  std::mutex mutex_;
  std::condition_variable changed_;
  base::UniqueFd next_client_;            // accepted, not served yet
  base::FramedSocket* client_ = nullptr;  // served now

  std::thread acceptor_;
  std::thread worker_;
};

}  // namespace pynvme::ssd
