// Message by message, as in the published protocol; what each means for the device is in
// session_device.cc.
#include "ssd/vfio_user/session.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/clock.h"
#include "base/json.h"
#include "spec/command.h"
#include "spec/registers.h"

namespace pynvme::ssd {

namespace vfu = spec::vfu;
using vfu::Command;
using vfu::Header;

namespace {

constexpr uint32_t kXferBytesMax = vfu::kDefaultMaxDataXferBytes;
constexpr uint64_t kPeerTimeoutNs = 5'000'000'000;
// One known client takes a larger number of descriptors for a mistake.
constexpr const char* kCapabilities =
    R"({"capabilities":{"max_msg_fds":16,"max_data_xfer_size":1048576,"pgsizes":4096,)"
    R"("max_dma_maps":8192,"write_multiple":true}})";

template <typename T>
std::vector<uint8_t> bytes_of(const T& wire) {
  std::vector<uint8_t> bytes(sizeof(T));
  std::memcpy(bytes.data(), &wire, sizeof(T));
  return bytes;
}

template <typename T>
bool take(std::span<const uint8_t> payload, T& wire) {
  if (payload.size() < sizeof(T)) return false;
  std::memcpy(&wire, payload.data(), sizeof(T));
  return true;
}

}  // namespace

base::Framing vfio_user_framing() {
  return {sizeof(Header), offsetof(Header, message_bytes),
          sizeof(Header) + sizeof(vfu::RegionAccess) + kXferBytesMax};
}

VfioUserSession::Served VfioUserSession::serve(int wait_ms) {
  base::Frame frame;
  {
    const std::lock_guard guard(channel_mutex_);
    if (failed_) return Served::kOver;
    if (!waiting_.empty()) {
      frame = std::move(waiting_.front());
      waiting_.pop_front();
    } else {
      switch (channel_.receive(frame, wait_ms)) {
        case base::FrameChannel::Got::kFrame:
          break;
        case base::FrameChannel::Got::kNothing:
          return memory_.broken() && !over("it cut short a file of its memory") ? Served::kOver
                                                                                : Served::kNothing;
        case base::FrameChannel::Got::kClosed:
          over("it is gone, or its messages have no sound frame");
          return Served::kOver;
      }
    }
  }
  // What the client stored before it sent this comes first, and what the SSD had posted by now is
  // wholly delivered, interrupts and all, when the answer is on its way.
  poll_doorbells();
  device_.quiesced([] {});
  return handle(frame) ? Served::kMessage : Served::kOver;
}

bool VfioUserSession::over(std::string why) {
  if (end_.empty()) end_ = std::move(why);
  return false;
}

bool VfioUserSession::handle(base::Frame& frame) {
  Header header;
  std::memcpy(&header, frame.bytes.data(), sizeof(header));
  const Payload payload = Payload(frame.bytes).subspan(sizeof(header));
  if ((header.flags & Header::kTypeMask) != Header::kTypeCommand) {
    return over("it replied to what nobody asked");
  }
  if (!negotiated_) return negotiate(header, payload);
  const Answer result = answer(header, payload, frame.fds);
  if (memory_.elsewhere()) sync_memory();
  return reply(header, result);
}

bool VfioUserSession::negotiate(const Header& header, Payload payload) {
  vfu::Version version{};
  if (header.command != static_cast<uint16_t>(Command::kVersion) || !take(payload, version) ||
      version.major != vfu::kMajor) {
    reply(header, {EINVAL});
    return over("it did not begin with a VERSION that is known here");
  }
  const Payload text = payload.subspan(sizeof(version));
  if (!text.empty()) {
    const auto end = std::find(text.begin(), text.end(), uint8_t{0});
    const std::string json(text.begin(), end);
    const auto numbers = base::json_numbers(json);
    if (end == text.end() || (!numbers && !json.empty())) {
      reply(header, {EINVAL});
      return over("the JSON of its VERSION is none");
    }
    const auto capability = [&](const char* name, uint64_t otherwise) {
      if (!numbers) return otherwise;
      const auto found = numbers->find(std::string("capabilities.") + name);
      return found == numbers->end() ? otherwise : found->second;
    };
    write_multiple_ = capability("write_multiple", 0) != 0;
    // A completion entry goes as a whole.
    constexpr uint64_t kEntry = sizeof(spec::Cqe);
    peer_xfer_bytes_max_ =
        std::max(capability("max_data_xfer_size", kXferBytesMax) / kEntry * kEntry, kEntry);
  }
  negotiated_ = true;
  version.minor = std::min(version.minor, vfu::kMinor);
  Answer result{0, std::vector<uint8_t>(sizeof(version) + std::strlen(kCapabilities) + 1)};
  std::memcpy(result.payload.data(), &version, sizeof(version));
  std::memcpy(result.payload.data() + sizeof(version), kCapabilities,
              result.payload.size() - sizeof(version));
  return reply(header, result);
}

VfioUserSession::Answer VfioUserSession::answer(const Header& header, Payload payload,
                                                std::vector<base::UniqueFd>& fds) {
  switch (static_cast<Command>(header.command)) {
    case Command::kDmaMap:
      return map(payload, fds);
    case Command::kDmaUnmap:
      return unmap(payload);
    case Command::kDeviceGetInfo:
      return device_info(payload);
    case Command::kDeviceGetRegionInfo:
      return region_info(payload);
    case Command::kDeviceGetRegionIoFds:
      return region_io_fds(payload);
    case Command::kDeviceGetIrqInfo:
      return irq_info(payload);
    case Command::kDeviceSetIrqs:
      return set_irqs(payload, fds);
    case Command::kRegionRead:
      return region_read(payload);
    case Command::kRegionWrite:
      return region_write(payload);
    case Command::kRegionWriteMulti:
      return write_multiple_ ? region_write_multi(payload) : Answer{EINVAL};
    case Command::kDeviceReset:
      return reset();
    case Command::kDeviceFeature:
    case Command::kMigDataRead:
    case Command::kMigDataWrite:
      return {ENOTSUP};
    case Command::kVersion:
    case Command::kDmaRead:
    case Command::kDmaWrite:
      break;
  }
  return {EINVAL};
}

bool VfioUserSession::reply(const Header& to, const Answer& answer) {
  if ((to.flags & Header::kNoReply) != 0) return true;
  Header header = to;
  header.flags = Header::kTypeReply | (answer.error != 0 ? Header::kError : 0);
  header.error = static_cast<uint32_t>(answer.error);
  header.message_bytes = static_cast<uint32_t>(sizeof(header) + answer.payload.size());
  std::vector<uint8_t> bytes = bytes_of(header);
  bytes.insert(bytes.end(), answer.payload.begin(), answer.payload.end());
  const std::lock_guard guard(channel_mutex_);
  return channel_.send(bytes, answer.fds) || over("it takes no replies");
}

VfioUserSession::Answer VfioUserSession::map(Payload payload, std::vector<base::UniqueFd>& fds) {
  vfu::DmaMap wanted{};
  if (!take(payload, wanted) || wanted.argsz < sizeof(wanted) || fds.size() > 1) return {EINVAL};
  return {memory_.map(wanted, fds.empty() ? base::UniqueFd() : std::move(fds[0]))};
}

VfioUserSession::Answer VfioUserSession::unmap(Payload payload) {
  vfu::DmaUnmap wanted{};
  if (!take(payload, wanted) || wanted.argsz < sizeof(wanted) ||
      (wanted.flags & ~vfu::DmaUnmap::kAll) != 0) {
    return {EINVAL};
  }
  Answer result{0, bytes_of(wanted)};
  if ((wanted.flags & vfu::DmaUnmap::kAll) != 0) {
    if (wanted.address != 0 || wanted.size != 0) return {EINVAL};
    memory_.clear();
    return result;
  }
  result.error = memory_.unmap(wanted.address, wanted.size);
  if (result.error != 0) result.payload.clear();
  return result;
}

VfioUserSession::Answer VfioUserSession::device_info(Payload payload) {
  vfu::DeviceInfo info{};
  if (!take(payload, info) || info.argsz < sizeof(info)) return {EINVAL};
  return {0, bytes_of(vfu::DeviceInfo{sizeof(info), vfu::DeviceInfo::kReset | vfu::DeviceInfo::kPci,
                                      vfu::kRegions, vfu::kIrqs})};
}

VfioUserSession::Answer VfioUserSession::region_info(Payload payload) {
  vfu::RegionInfo info{};
  if (!take(payload, info) || info.argsz < sizeof(info) || info.index >= vfu::kRegions) {
    return {EINVAL};
  }
  const uint32_t room = info.argsz;
  info = {sizeof(info), 0, info.index, 0, region_bytes(info.index), 0};
  if (info.size == 0) return {0, bytes_of(info)};
  info.flags = vfu::RegionInfo::kRead | vfu::RegionInfo::kWrite;
  if (info.index != vfu::kRegionBar0) return {0, bytes_of(info)};

  // The doorbells are memory that the client may share: a store there needs no message.
  struct Mappable {
    vfu::SparseMmap sparse;
    vfu::SparseArea doorbells;
  };
  info.flags |= vfu::RegionInfo::kMmap | vfu::RegionInfo::kCaps;
  info.argsz = sizeof(info) + sizeof(Mappable);
  // Also where there is no room for them, unlike Linux' VFIO: QEMU takes 0 for an error.
  info.cap_offset = sizeof(info);
  if (room < info.argsz) return {0, bytes_of(info)};
  Answer result{0, bytes_of(info), {device_.doorbell_fd()}};
  const Mappable mappable{{{vfu::kCapSparseMmap, 1, 0}, 1, 0},
                          {spec::reg::kDoorbells, device_.doorbell_bytes()}};
  const auto capability = bytes_of(mappable);
  result.payload.insert(result.payload.end(), capability.begin(), capability.end());
  return result;
}

VfioUserSession::Answer VfioUserSession::region_io_fds(Payload payload) {
  vfu::RegionIoFds wanted{};
  if (!take(payload, wanted) || wanted.argsz < sizeof(wanted) || wanted.flags != 0 ||
      wanted.index >= vfu::kRegions || wanted.count != 0) {
    return {EINVAL};
  }
  // There are none: who can write to an eventfd can as well store to the doorbell.
  return {0, bytes_of(vfu::RegionIoFds{sizeof(wanted), 0, wanted.index, 0})};
}

VfioUserSession::Answer VfioUserSession::irq_info(Payload payload) {
  vfu::IrqInfo info{};
  if (!take(payload, info) || info.argsz < sizeof(info) || info.index >= vfu::kIrqs) {
    return {EINVAL};
  }
  return {0, bytes_of(lines_.info(info.index))};
}

VfioUserSession::Answer VfioUserSession::set_irqs(Payload payload,
                                                  std::vector<base::UniqueFd>& fds) {
  vfu::IrqSet wanted{};
  if (!take(payload, wanted) || wanted.argsz < sizeof(wanted)) return {EINVAL};
  const int error = lines_.set(wanted, payload.subspan(sizeof(wanted)), std::move(fds));
  fds.clear();
  if (error == 0 && (wanted.flags & vfu::IrqSet::kActionTrigger) != 0) {
    if (wanted.index == vfu::kIrqMsix) arm_msix();
    if (wanted.index == vfu::kIrqMsi) arm_msi();
  }
  return {error};
}

bool VfioUserSession::dma_read(uint64_t address, std::span<uint8_t> data) {
  for (size_t done = 0; done < data.size();) {
    const auto part = data.subspan(done, std::min(data.size() - done, peer_xfer_bytes_max_));
    const vfu::DmaAccess access{address + done, part.size()};
    std::vector<uint8_t> reply;
    if (!transact(Command::kDmaRead, bytes_of(access), &reply) ||
        reply.size() != sizeof(access) + part.size()) {
      return false;
    }
    std::memcpy(part.data(), reply.data() + sizeof(access), part.size());
    done += part.size();
  }
  return true;
}

bool VfioUserSession::dma_write(uint64_t address, std::span<const uint8_t> data) {
  for (size_t done = 0; done < data.size();) {
    const auto part = data.subspan(done, std::min(data.size() - done, peer_xfer_bytes_max_));
    std::vector<uint8_t> payload = bytes_of(vfu::DmaAccess{address + done, part.size()});
    payload.insert(payload.end(), part.begin(), part.end());
    if (!transact(Command::kDmaWrite, payload, nullptr)) return false;
    done += part.size();
  }
  return true;
}

bool VfioUserSession::transact(Command command, Payload payload, std::vector<uint8_t>* reply) {
  const std::lock_guard guard(channel_mutex_);
  if (failed_) return false;
  const Header header{next_id_++, static_cast<uint16_t>(command),
                      static_cast<uint32_t>(sizeof(Header) + payload.size()), 0, 0};
  std::vector<uint8_t> bytes = bytes_of(header);
  bytes.insert(bytes.end(), payload.begin(), payload.end());
  failed_ = !channel_.send(bytes, {});
  const uint64_t deadline = base::Clock::real().now_ns() + kPeerTimeoutNs;
  while (!failed_) {
    const uint64_t now = base::Clock::real().now_ns();
    base::Frame frame;
    const auto got = now >= deadline
                         ? base::FrameChannel::Got::kClosed
                         : channel_.receive(frame, static_cast<int>((deadline - now) / 1'000'000));
    if (got == base::FrameChannel::Got::kNothing) continue;
    if (got == base::FrameChannel::Got::kClosed) break;
    Header answer;
    std::memcpy(&answer, frame.bytes.data(), sizeof(answer));
    if (!answer.is_reply()) {
      constexpr size_t kWaitingMax = 1024;
      if (waiting_.size() == kWaitingMax) break;
      waiting_.push_back(std::move(frame));
      continue;
    }
    if (answer.message_id != header.message_id || answer.command != header.command) break;
    if ((answer.flags & Header::kError) != 0) {
      if (command != Command::kDmaWrite) return false;
      // By now the command is complete for the SSD: no status can tell of it any more.
      failed_ = true;
      return over("it refused what the SSD wrote into memory that it had mapped for that");
    }
    if (reply != nullptr) reply->assign(frame.bytes.begin() + sizeof(answer), frame.bytes.end());
    return true;
  }
  failed_ = true;
  over("it did not answer when its memory was asked for");
  return false;
}

}  // namespace pynvme::ssd
