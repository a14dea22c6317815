// Get Log Page (NVMe Base 2.0 §5.16): pages are built whole and the asked-for part is sent.
#include <algorithm>
#include <cstring>
#include <initializer_list>
#include <iterator>

#include "spec/command_fields.h"
#include "spec/log.h"
#include "ssd/admin/admin.h"
#include "ssd/admin/effects.h"
#include "ssd/admin/error_log.h"
#include "ssd/admin/events.h"
#include "ssd/admin/firmware.h"
#include "ssd/admin/maintenance.h"
#include "ssd/model/health.h"

namespace pynvme::ssd {
namespace {

constexpr uint32_t kVersion2 = 0x0002'0000;

template <typename T>
void assign(std::vector<uint8_t>* page, const T& data) {
  const auto* from = reinterpret_cast<const uint8_t*>(&data);
  page->assign(from, from + sizeof data);
}

}  // namespace

// Mandatory since NVMe Base 2.0 (LPA bit 5).
bool Admin::log_page_of_version_2(uint8_t lid, std::vector<uint8_t>* page) const {
  switch (lid) {
    case spec::lid::kSupportedLogPages: {
      spec::SupportedLogPages pages{};
      for (const uint8_t there :
           {spec::lid::kSupportedLogPages, spec::lid::kError, spec::lid::kSmart,
            spec::lid::kFirmwareSlot, spec::lid::kChangedNamespaceList,
            spec::lid::kCommandsSupportedEffects, spec::lid::kDeviceSelfTest,
            spec::lid::kTelemetryHost, spec::lid::kTelemetryController, spec::lid::kPersistentEvent,
            spec::lid::kFeatureIdentifiersEffects, spec::lid::kMiCommandsEffects,
            spec::lid::kSanitizeStatus}) {
        pages.lids[there] = spec::SupportedLogPages::kLsupp;
      }
      assign(page, pages);
      return true;
    }
    case spec::lid::kFeatureIdentifiersEffects: {
      using Log = spec::FeatureIdentifiersEffects;
      Log features{};
      for (unsigned fid = 0; fid < std::size(features.fis); ++fid) {
        const Features::Kind kind = Features::kind(static_cast<uint8_t>(fid), parts_.config);
        if (!kind.there) continue;
        const bool per_namespace = (kind.capabilities & spec::kFeatureCapNamespaceSpecific) != 0;
        features.fis[fid] =
            Log::kFsupp | (per_namespace ? Log::kFspNamespace : Log::kFspController);
      }
      assign(page, features);
      return true;
    }
    case spec::lid::kMiCommandsEffects:
      page->assign(4096, 0);
      for (unsigned opcode = 0; opcode < 256; ++opcode) {
        if (mi_command_supported(static_cast<uint8_t>(opcode))) {
          (*page)[4 * opcode] = spec::CommandsSupportedEffects::kCsupp;
        }
      }
      return true;
    default:
      return false;
  }
}

bool Admin::log_page(uint8_t lid, uint64_t now_ns, std::vector<uint8_t>* page) const {
  switch (lid) {
    case spec::lid::kError: {
      std::vector<spec::ErrorLogEntry> entries = parts_.error_log.newest_first();
      // Nothing tells where data were while they are sanitized (§8.21.1).
      if (parts_.maintenance.io_status() != kSuccess) {
        for (spec::ErrorLogEntry& entry : entries) entry.lba = 0;
      }
      page->resize(entries.size() * sizeof entries[0]);
      std::memcpy(page->data(), entries.data(), page->size());
      return true;
    }
    case spec::lid::kSmart:
      assign(page, parts_.health.log(now_ns));
      return true;
    case spec::lid::kFirmwareSlot:
      assign(page, parts_.firmware.log());
      return true;
    case spec::lid::kChangedNamespaceList: {
      spec::ChangedNamespaceList list{};
      std::copy_n(changed_namespaces_.begin(),
                  std::min(changed_namespaces_.size(), std::size(list.nsid)), list.nsid);
      if (changed_namespaces_.size() > std::size(list.nsid)) {
        std::fill(std::begin(list.nsid), std::end(list.nsid), 0);
        list.nsid[0] = spec::kNsidBroadcast;
      }
      assign(page, list);
      return true;
    }
    case spec::lid::kCommandsSupportedEffects:
      assign(page, commands_supported_and_effects(parts_.fabric != nullptr));
      return true;
    case spec::lid::kDeviceSelfTest:
      assign(page, parts_.maintenance.self_test_log(now_ns));
      return true;
    case spec::lid::kSanitizeStatus:
      assign(page, parts_.maintenance.sanitize_log(now_ns));
      return true;
    case spec::lid::kTelemetryHost:
      *page = telemetry_.host_log();
      return true;
    case spec::lid::kTelemetryController:
      *page = telemetry_.controller_log();
      return true;
    case spec::lid::kPersistentEvent:
      page->clear();  // sent by get_persistent_events()
      return true;
    default:
      return parts_.config.version >= kVersion2 && log_page_of_version_2(lid, page);
  }
}

std::vector<uint8_t> Admin::whole_log(uint8_t lid, uint64_t now_ns) const {
  std::vector<uint8_t> page;
  log_page(lid, now_ns, &page);
  return page;
}

Telemetry::Areas Admin::telemetry_areas(uint64_t now_ns) const {
  Telemetry::Areas areas{whole_log(spec::lid::kSmart, now_ns), whole_log(spec::lid::kError, now_ns),
                         whole_log(spec::lid::kDeviceSelfTest, now_ns)};
  const std::vector<uint8_t> slots = whole_log(spec::lid::kFirmwareSlot, now_ns);
  areas[0].insert(areas[0].end(), slots.begin(), slots.end());
  return areas;
}

void Admin::capture_controller_telemetry(uint64_t now_ns) {
  const std::string reason = parts_.maintenance.take_failure();
  if (reason.empty()) return;
  telemetry_.capture_controller(telemetry_areas(now_ns), reason);
  if ((parts_.features.current.async_events & spec::AsyncEventConfigFeature::kTelemetryLog) != 0) {
    parts_.events.raise(spec::aer::kTypeNotice, spec::aer::kNoticeTelemetryLog,
                        spec::lid::kTelemetryController);
  }
}

Outcome Admin::get_log_page(const spec::Sqe& sqe, uint64_t now_ns) {
  const uint8_t lid = spec::log_lid(sqe.cdw10);
  const bool telemetry = lid == spec::lid::kTelemetryHost || lid == spec::lid::kTelemetryController;
  const uint64_t bytes = spec::log_bytes(sqe.cdw10, sqe.cdw11);
  const uint64_t offset = static_cast<uint64_t>(sqe.cdw13) << 32 | sqe.cdw12;
  // Telemetry is read by blocks (§5.16.1.8). Checked before anything is captured.
  if (telemetry && (offset % Telemetry::kBlockBytes != 0 || bytes % Telemetry::kBlockBytes != 0 ||
                    exceeds_mdts(bytes))) {
    return kInvalidField;
  }
  std::vector<uint8_t> page;
  if (lid == spec::lid::kTelemetryHost &&
      (spec::log_lsp(sqe.cdw10) & spec::kTelemetryCreate) != 0) {
    telemetry_.capture_host(telemetry_areas(now_ns));
  }
  if (!log_page(lid, now_ns, &page)) return fail_specific(spec::sc::kInvalidLogPage);
  // SMART is kept for the controller, not by namespace (LPA bit 0).
  if (lid == spec::lid::kSmart && sqe.nsid != 0 && sqe.nsid != spec::kNsidBroadcast) {
    return kInvalidField;
  }
  if (lid == spec::lid::kPersistentEvent) {
    if (offset % 4 != 0 || exceeds_mdts(bytes)) return kInvalidField;
    return get_persistent_events(sqe, offset, bytes, now_ns);
  }
  if (offset % 4 != 0 || offset > page.size() || exceeds_mdts(bytes)) return kInvalidField;
  if ((sqe.cdw14 & spec::kLogOffsetIsIndex) != 0 && parts_.config.version >= kVersion2) {
    return kInvalidField;  // no page here is indexed
  }
  const uint64_t rest = std::min<uint64_t>(bytes, page.size() - offset);
  const uint16_t status = to_host(sqe, page.data() + offset, rest, bytes);
  if (status != kSuccess) return status;
  if ((sqe.cdw10 & spec::kLogRae) == 0) {
    parts_.events.log_read(lid);
    if (lid == spec::lid::kChangedNamespaceList) changed_namespaces_.clear();
    if (lid == spec::lid::kTelemetryController) telemetry_.controller_log_read();
  }
  return kSuccess;
}

}  // namespace pynvme::ssd
