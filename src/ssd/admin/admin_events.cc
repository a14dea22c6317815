// What goes into the Persistent Event log, and reading it (NVMe Base 2.0 §5.16.1.14).
#include <algorithm>
#include <bit>
#include <cstring>

#include "spec/command_fields.h"
#include "spec/log.h"
#include "ssd/admin/admin.h"
#include "ssd/admin/firmware.h"
#include "ssd/admin/persistent_events.h"
#include "ssd/model/health.h"

namespace pynvme::ssd {
namespace {

namespace pel = spec::pel;

template <size_t N>
void set_text(char (&field)[N], const std::string& text) {
  std::memset(field, ' ', N);
  std::memcpy(field, text.data(), std::min(N, text.size()));
}

}  // namespace

void Admin::log_power_on_or_reset(bool power_on, uint64_t now_ns) {
  pel::PowerOnOrReset event{};
  set_text(event.revision, parts_.firmware.revision());
  event.cntlid = controller_id(parts_);
  const spec::SmartLog smart = parts_.health.log(now_ns);
  event.controller_power_cycle = static_cast<uint32_t>(smart.power_cycles.lo);
  event.power_on_ms = now_ns / 1'000'000;
  event.timestamp = std::bit_cast<uint64_t>(parts_.features.timestamp(now_ns));
  parts_.persistent_events.add(pel::Type::kPowerOnOrReset, event, now_ns);
  if (power_on) parts_.persistent_events.add(pel::Type::kSmartSnapshot, smart, now_ns);
}

void Admin::log_format(const spec::Sqe& sqe, uint16_t status, uint64_t now_ns) {
  pel::FormatCompletion event{};
  event.nsid = sqe.nsid;
  event.status = status;
  parts_.persistent_events.add(pel::Type::kFormatCompletion, event, now_ns);
}

void Admin::log_firmware_commit(const spec::Sqe& sqe, const std::string& old_revision,
                                uint16_t status, uint64_t now_ns) {
  pel::FirmwareCommit event{};
  set_text(event.old_revision, old_revision);
  set_text(event.new_revision, parts_.firmware.revision());
  event.action = spec::firmware_action(sqe.cdw10);
  event.slot = spec::firmware_slot(sqe.cdw10);
  event.sct = spec::status_sct(status);
  event.sc = spec::status_sc(status);
  parts_.persistent_events.add(pel::Type::kFirmwareCommit, event, now_ns);
}

Outcome Admin::get_persistent_events(const spec::Sqe& sqe, uint64_t offset, uint64_t bytes,
                                     uint64_t now_ns) {
  PersistentEvents& events = parts_.persistent_events;
  switch (spec::log_lsp(sqe.cdw10) & 3) {
    case pel::kEstablishContext: {
      const spec::IdentifyController controller = describe_controller();
      const spec::SmartLog smart = parts_.health.log(now_ns);
      pel::Header header{};
      header.timestamp = std::bit_cast<uint64_t>(parts_.features.timestamp(now_ns));
      header.power_on_hours = smart.power_on_hours;
      header.power_cycles = smart.power_cycles.lo;
      header.vid = controller.vid;
      header.ssvid = controller.ssvid;
      std::memcpy(header.sn, controller.sn, sizeof header.sn);
      std::memcpy(header.mn, controller.mn, sizeof header.mn);
      std::memcpy(header.subnqn, controller.subnqn, sizeof header.subnqn);
      if (const uint16_t status = events.establish(header); status != kSuccess) return status;
      break;
    }
    case pel::kReadData:
      if (!events.established()) return fail(spec::sc::kCommandSequenceError);
      break;
    case pel::kReleaseContext:
      events.release();
      return kSuccess;
    default:
      return kInvalidField;
  }
  const std::vector<uint8_t>& log = events.context();
  uint16_t status = kInvalidField;
  if (offset <= log.size()) {
    status =
        to_host(sqe, log.data() + offset, std::min<uint64_t>(bytes, log.size() - offset), bytes);
  }
  // A command that failed has established nothing.
  const bool establishes = (spec::log_lsp(sqe.cdw10) & 3) == pel::kEstablishContext;
  if (status != kSuccess && establishes) events.release();
  return status;
}

}  // namespace pynvme::ssd
