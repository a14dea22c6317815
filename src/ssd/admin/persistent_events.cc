// Adding, dropping and the snapshot.
#include "ssd/admin/persistent_events.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <iterator>
#include <mutex>

#include "spec/log.h"
#include "ssd/admin/admin.h"
#include "ssd/admin/features.h"

namespace pynvme::ssd {
namespace {

using spec::pel::EventHeader;
using spec::pel::Header;
using spec::pel::Type;

constexpr uint64_t kMagic = 0x3130'4C45'504E'5950;  // "PYNPEL01"
constexpr uint8_t kEventRevision = 1;

}  // namespace

PersistentEvents::PersistentEvents(std::span<uint8_t> persistent, const Features& features)
    : features_(features),
      state_(*reinterpret_cast<State*>(persistent.data())),
      events_(persistent.subspan(sizeof(State))) {
  if (state_.magic != kMagic || state_.bytes > events_.size()) state_ = {kMagic, 0, 0};
}

size_t PersistentEvents::event_bytes(const uint8_t* event) {
  EventHeader header;
  std::memcpy(&header, event, sizeof header);
  return sizeof header + header.data_bytes;
}

void PersistentEvents::drop_oldest() {
  const auto bytes =
      static_cast<uint32_t>(std::min<size_t>(event_bytes(events_.data()), state_.bytes));
  std::memmove(events_.data(), events_.data() + bytes, state_.bytes - bytes);
  state_.bytes -= bytes;
  --state_.events;
}

void PersistentEvents::add(Type type, const void* data, size_t bytes, uint64_t now_ns) {
  EventHeader header{};
  header.type = static_cast<uint8_t>(type);
  header.revision = kEventRevision;
  header.header_bytes = sizeof header - 3;
  header.cntlid = kPciControllerId;
  header.timestamp = std::bit_cast<uint64_t>(features_.timestamp(now_ns));
  header.data_bytes = static_cast<uint16_t>(bytes);
  const std::lock_guard guard(lock_);
  while (state_.events != 0 && state_.bytes + sizeof header + bytes > events_.size()) {
    drop_oldest();
  }
  uint8_t* const to = events_.data() + state_.bytes;
  std::memcpy(to, &header, sizeof header);
  std::memcpy(to + sizeof header, data, bytes);
  state_.bytes += static_cast<uint32_t>(sizeof header + bytes);
  ++state_.events;
}

uint16_t PersistentEvents::establish(Header header) {
  // One context at a time (§5.16.1.14.1).
  if (established()) return fail(spec::sc::kCommandSequenceError);
  const std::lock_guard guard(lock_);
  header.lid = spec::lid::kPersistentEvent;
  header.events = state_.events;
  header.bytes = sizeof header + state_.bytes;
  header.revision = spec::pel::kRevision;
  header.header_bytes = sizeof header - 20;
  for (const Type type :
       {Type::kSmartSnapshot, Type::kFirmwareCommit, Type::kTimestampChange, Type::kPowerOnOrReset,
        Type::kChangeNamespace, Type::kFormatStart, Type::kFormatCompletion, Type::kSanitizeStart,
        Type::kSanitizeCompletion}) {
    const auto bit = static_cast<uint8_t>(type);
    header.supported[bit / 8] |= static_cast<uint8_t>(1 << bit % 8);
  }
  context_.resize(header.bytes);
  std::memcpy(context_.data(), &header, sizeof header);
  // The newest event first.
  uint8_t* to = context_.data() + context_.size();
  for (size_t at = 0; at < state_.bytes;) {
    const size_t bytes = std::min(event_bytes(events_.data() + at), state_.bytes - at);
    to -= bytes;
    std::memcpy(to, events_.data() + at, bytes);
    at += bytes;
  }
  return kSuccess;
}

}  // namespace pynvme::ssd
