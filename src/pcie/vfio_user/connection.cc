// One request at a time; the one who asks reads the socket. The watcher only looks while nobody
// does.
#include "pcie/vfio_user/connection.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "pcie/bus.h"

namespace pynvme::pcie {

namespace vfu = spec::vfu;
using base::FrameChannel;
using vfu::Command;
using vfu::Header;

namespace {

constexpr uint64_t kAnswerTimeoutNs = 5'000'000'000;
constexpr uint64_t kPauseNs = 20'000'000;
constexpr uint64_t kLetGoNs = 1'000'000'000;
constexpr uint64_t kRestartNs = 10'000'000'000;
constexpr unsigned kTriesMin = 3;  // also where the time was over before it could look
constexpr uint64_t kXferBytesMax = vfu::kDefaultMaxDataXferBytes;
constexpr const char* kCapabilities =
    R"({"capabilities":{"max_msg_fds":253,"max_data_xfer_size":1048576,"pgsizes":4096}})";

base::Framing framing() {
  return {sizeof(Header), offsetof(Header, message_bytes),
          sizeof(Header) + sizeof(vfu::RegionAccess) + kXferBytesMax};
}

template <typename T>
void append(std::vector<uint8_t>& bytes, const T& wire) {
  const auto* const first = reinterpret_cast<const uint8_t*>(&wire);
  bytes.insert(bytes.end(), first, first + sizeof(T));
}

class Busy : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace

std::unique_ptr<VfioUserConnection> VfioUserConnection::try_open(const std::string& socket_path,
                                                                 std::string* why, bool* busy) {
  try {
    base::UniqueFd socket = base::connect_unix(socket_path);
    const int fd = socket.get();
    auto connection = std::make_unique<VfioUserConnection>(
        std::make_unique<base::FramedSocket>(std::move(socket), framing()));
    connection->watch(fd);
    return connection;
  } catch (const std::system_error& error) {
    // Its queue of those who wait is full: it may be at work, or hang.
    *busy = *busy || error.code() == std::errc::resource_unavailable_try_again;
    *why = error.code() == std::errc::no_such_file_or_directory ? "there is no such socket"
           : error.code() == std::errc::connection_refused      ? "nobody listens there"
           : *busy                                              ? "it takes no more clients"
                                                                : error.code().message();
  } catch (const Busy& error) {
    *why = error.what();
    *busy = true;
  } catch (const std::runtime_error& error) {
    *why = error.what();
  }
  return nullptr;
}

std::unique_ptr<VfioUserConnection> VfioUserConnection::open(const std::string& path,
                                                             bool restarting) {
  std::string socket_path = path;
  struct stat found {};
  // Some device models open a folder with the socket in it.
  if (stat(path.c_str(), &found) == 0 && S_ISDIR(found.st_mode)) socket_path += "/cntrl";
  const base::Clock& clock = base::Clock::real();
  const uint64_t end_ns = clock.now_ns() + (restarting ? kRestartNs : kLetGoNs);
  std::string why;
  if (stat(socket_path.c_str(), &found) == 0 && !S_ISSOCK(found.st_mode)) {
    throw OpenError("cannot open unix:" + path +
                    ": there is a file that is no socket. A drive of this machine is named by its "
                    "PCI address, which ./pynvme info lists");
  }
  for (unsigned tries = 1;; ++tries) {
    bool retry = restarting;
    if (auto connection = try_open(socket_path, &why, &retry)) return connection;
    if (!retry || (tries >= kTriesMin && clock.now_ns() >= end_ns)) break;
    const timespec pause{0, static_cast<long>(kPauseNs)};
    nanosleep(&pause, nullptr);
  }
  std::string text = "cannot open unix:";
  text.append(path).append(": ").append(why);
  text.append(". Start its server first, for example ./pynvme serve --socket ").append(path);
  throw OpenError(text);
}

VfioUserConnection::VfioUserConnection(std::unique_ptr<FrameChannel> channel)
    : channel_(std::move(channel)) {
  negotiate();
}

VfioUserConnection::~VfioUserConnection() {
  if (!watcher_.joinable()) return;
  const uint64_t one = 1;
  [[maybe_unused]] const auto written = write(stop_event_.get(), &one, sizeof(one));
  watcher_.join();
}

void VfioUserConnection::negotiate() {
  std::vector<uint8_t> payload;
  append(payload, vfu::Version{vfu::kMajor, vfu::kMinor});
  payload.insert(payload.end(), kCapabilities, kCapabilities + std::strlen(kCapabilities) + 1);
  const Reply reply = ask(Command::kVersion, payload);
  if (reply.error == EBUSY) throw Busy("it serves another client");
  if (reply.error != 0) {
    throw std::runtime_error("what is there refuses to speak vfio-user: " +
                             (gone() ? why_gone() : std::string(std::strerror(reply.error))));
  }
  vfu::Version version{};
  if (reply.payload.size() < sizeof(version)) {
    throw std::runtime_error("its answer to VERSION is too short");
  }
  std::memcpy(&version, reply.payload.data(), sizeof(version));
  if (version.major != vfu::kMajor || version.minor > vfu::kMinor) {
    throw std::runtime_error("it speaks version " + std::to_string(version.major) + "." +
                             std::to_string(version.minor) +
                             " of vfio-user, and 0.1 is known here");
  }
  const auto begin = reply.payload.begin() + sizeof(version);
  const std::string json(begin, std::find(begin, reply.payload.end(), uint8_t{0}));
  if (json.empty()) return;
  const auto numbers = base::json_numbers(json);
  if (!numbers) throw std::runtime_error("the JSON of its answer to VERSION is none");
  const auto capability = [&](const char* name, uint64_t otherwise) {
    const auto found = numbers->find(name);
    return found == numbers->end() ? otherwise : found->second;
  };
  fds_max_ = static_cast<uint32_t>(std::clamp<uint64_t>(
      capability("capabilities.max_msg_fds", fds_max_), 1, base::FramedSocket::kFdsMax));
  xfer_bytes_max_ = std::clamp<uint64_t>(
      capability("capabilities.max_data_xfer_size", xfer_bytes_max_), 8, kXferBytesMax);
}

std::string VfioUserConnection::why_gone() const {
  const std::lock_guard guard(mutex_);
  return why_;
}

void VfioUserConnection::end_locked(const std::string& why) {
  if (gone()) return;
  why_ = why;
  gone_.store(true, std::memory_order_release);
}

VfioUserConnection::Reply VfioUserConnection::ask(Command command, std::span<const uint8_t> payload,
                                                  std::span<const int> fds) {
  const std::lock_guard guard(mutex_);
  return ask_locked(command, payload, fds);
}

VfioUserConnection::Reply VfioUserConnection::ask_locked(Command command,
                                                         std::span<const uint8_t> payload,
                                                         std::span<const int> fds) {
  if (gone()) return {ENOTCONN};
  const Header header{next_id_++, static_cast<uint16_t>(command),
                      static_cast<uint32_t>(sizeof(Header) + payload.size()), 0, 0};
  std::vector<uint8_t> bytes;
  append(bytes, header);
  bytes.insert(bytes.end(), payload.begin(), payload.end());
  if (!channel_->send(bytes, fds)) {
    end_locked("the server is gone");
    return {ENOTCONN};
  }
  const base::Clock& clock = base::Clock::real();
  const uint64_t deadline = clock.now_ns() + kAnswerTimeoutNs;
  while (true) {
    const uint64_t now = clock.now_ns();
    base::Frame frame;
    const auto got = now >= deadline
                         ? FrameChannel::Got::kNothing
                         : channel_->receive(frame, static_cast<int>((deadline - now) / 1'000'000));
    if (got == FrameChannel::Got::kClosed) {
      end_locked("the server is gone");
      return {ENOTCONN};
    }
    if (got == FrameChannel::Got::kNothing) {
      if (clock.now_ns() < deadline) continue;
      end_locked("the server has not answered for 5 seconds");
      return {ENOTCONN};
    }
    Header answer;
    std::memcpy(&answer, frame.bytes.data(), sizeof(answer));
    if (!answer.is_reply()) {
      if (serve_locked(frame)) continue;
      return {ENOTCONN};
    }
    if (answer.message_id != header.message_id || answer.command != header.command) {
      end_locked("the server answered what nobody had asked");
      return {ENOTCONN};
    }
    Reply reply;
    reply.payload.assign(frame.bytes.begin() + sizeof(answer), frame.bytes.end());
    reply.fds = std::move(frame.fds);
    if ((answer.flags & Header::kError) != 0) {
      reply.error = answer.error == 0 ? EIO : static_cast<int>(answer.error);
    }
    return reply;
  }
}

bool VfioUserConnection::serve_locked(const base::Frame& frame) {
  Header header;
  std::memcpy(&header, frame.bytes.data(), sizeof(header));
  const auto payload = std::span(frame.bytes).subspan(sizeof(header));
  vfu::DmaAccess access{};
  const auto command = static_cast<Command>(header.command);
  const bool dma = command == Command::kDmaRead || command == Command::kDmaWrite;
  int error = EINVAL;
  std::vector<uint8_t> answer;
  if ((header.flags & Header::kTypeMask) == Header::kTypeCommand && dma &&
      payload.size() >= sizeof(access)) {
    std::memcpy(&access, payload.data(), sizeof(access));
    const auto data = payload.subspan(sizeof(access));
    const auto next = memory_.upper_bound(access.address);
    if (access.count <= kXferBytesMax && next != memory_.begin()) {
      const auto& [address, memory] = *std::prev(next);
      const uint64_t offset = access.address - address;
      const bool inside = offset < memory.size && access.count <= memory.size - offset;
      if (inside && command == Command::kDmaRead) {
        append(answer, access);
        answer.insert(answer.end(), memory.data + offset, memory.data + offset + access.count);
        error = 0;
      } else if (inside && data.size() == access.count) {
        std::memcpy(memory.data + offset, data.data(), data.size());
        append(answer, access);
        error = 0;
      }
    }
  }
  if ((header.flags & Header::kNoReply) != 0) return true;
  header.flags = Header::kTypeReply | (error != 0 ? Header::kError : 0);
  header.error = static_cast<uint32_t>(error);
  header.message_bytes = static_cast<uint32_t>(sizeof(header) + answer.size());
  std::vector<uint8_t> bytes;
  append(bytes, header);
  bytes.insert(bytes.end(), answer.begin(), answer.end());
  if (channel_->send(bytes, {})) return true;
  end_locked("the server is gone");
  return false;
}

void VfioUserConnection::add_memory(uint64_t address, void* memory, uint64_t size) {
  const std::lock_guard guard(mutex_);
  memory_[address] = {static_cast<uint8_t*>(memory), size};
}

void VfioUserConnection::remove_memory(uint64_t address) {
  const std::lock_guard guard(mutex_);
  memory_.erase(address);
}

void VfioUserConnection::watch(int fd) {
  stop_event_ = base::UniqueFd(eventfd(0, EFD_CLOEXEC));
  if (!stop_event_) throw std::runtime_error(std::string("eventfd: ") + std::strerror(errno));
  watcher_ = std::thread([this, fd] {
    while (!gone()) {
      pollfd waiting[] = {{fd, POLLIN, 0}, {stop_event_.get(), POLLIN, 0}};
      if (poll(waiting, 2, -1) < 0) continue;
      if (waiting[1].revents != 0) return;
      // Whoever asks reads its own answer; what is left when it is done is for us.
      const std::lock_guard guard(mutex_);
      base::Frame frame;
      if (gone()) return;
      switch (channel_->receive(frame, 0)) {
        case FrameChannel::Got::kNothing:
          break;
        case FrameChannel::Got::kClosed:
          end_locked("the server is gone");
          return;
        case FrameChannel::Got::kFrame:
          if ((frame.bytes[8] & Header::kTypeMask) != Header::kTypeCommand) {
            end_locked("the server answered what nobody had asked");
            return;
          }
          if (!serve_locked(frame)) return;
          break;
      }
    }
  });
}

}  // namespace pynvme::pcie
