// Identify (NVMe Base 2.0 §5.17): what this SSD says about itself. It says nothing that is not so.
#include <algorithm>
#include <bit>
#include <cstring>
#include <string>

#include "spec/command_fields.h"
#include "ssd/admin/admin.h"
#include "ssd/admin/firmware.h"
#include "ssd/admin/maintenance.h"
#include "ssd/admin/persistent_events.h"
#include "ssd/admin/sanitize.h"
#include "ssd/admin/selftest.h"
#include "ssd/frontend/queues.h"
#include "ssd/model/health.h"
#include "ssd/model/power.h"
#include "ssd/nvm/nvm.h"

namespace pynvme::ssd {
namespace {

namespace cns = spec::cns;

constexpr uint32_t kVersion2 = 0x0002'0000;
constexpr uint16_t kWrongNamespace = fail(spec::sc::kInvalidNamespaceOrFormat);

template <size_t N>
void set_text(char (&field)[N], const std::string& text) {
  std::memset(field, ' ', N);
  std::memcpy(field, text.data(), std::min(N, text.size()));
}

}  // namespace

Outcome Admin::identify(const spec::Sqe& sqe) {
  switch (spec::identify_cns(sqe.cdw10)) {
    case cns::kNamespace:
    case cns::kAllocatedNamespace:
      return identify_namespace(sqe);
    case cns::kController: {
      const spec::IdentifyController controller = describe_controller();
      return to_host(sqe, &controller, sizeof controller);
    }
    case cns::kActiveNamespaceList:
    case cns::kAllocatedNamespaceList:
      return identify_list(sqe);
    case cns::kNamespaceIdDescriptors:
      return identify_descriptors(sqe);
    case cns::kNamespaceControllerList:
      return identify_controllers(sqe, true);
    case cns::kControllerList:
      return identify_controllers(sqe, false);
    case cns::kCsiNamespace:
    case cns::kCsiController:
    case cns::kCsiActiveNamespaceList:
    case cns::kIndependentNamespace:
      return parts_.config.version >= kVersion2 ? identify_command_set(sqe)
                                                : Outcome(kInvalidField);
    default:
      return kInvalidField;
  }
}

Outcome Admin::identify_namespace(const spec::Sqe& sqe) {
  // FFFFFFFFh asks for what namespaces have in common, which only a controller with Namespace
  // Management tells.
  const Namespace* const ns = parts_.namespaces.find(sqe.nsid);
  if (ns == nullptr) return kWrongNamespace;
  const spec::IdentifyNamespace data = describe_namespace(*ns);
  return to_host(sqe, &data, sizeof data);
}

Outcome Admin::identify_list(const spec::Sqe& sqe) {
  if (sqe.nsid >= 0xFFFF'FFFE) return kWrongNamespace;
  spec::NamespaceList list{};
  size_t next = 0;
  for (const auto& ns : parts_.namespaces.all()) {
    if (ns->nsid > sqe.nsid && next < std::size(list.nsid)) list.nsid[next++] = ns->nsid;
  }
  return to_host(sqe, &list, sizeof list);
}

Outcome Admin::identify_descriptors(const spec::Sqe& sqe) {
  const Namespace* const ns = parts_.namespaces.find(sqe.nsid);
  if (ns == nullptr) return kWrongNamespace;
  std::vector<uint8_t> page;
  const auto add = [&](uint8_t type, const void* id, uint8_t bytes) {
    page.insert(page.end(), {type, bytes, 0, 0});
    const auto* from = static_cast<const uint8_t*>(id);
    page.insert(page.end(), from, from + bytes);
  };
  add(spec::nidt::kEui64, ns->eui64.data(), 8);
  add(spec::nidt::kNguid, ns->nguid.data(), 16);
  if (parts_.config.version >= kVersion2) {
    const uint8_t csi = spec::csi::kNvm;
    add(spec::nidt::kCsi, &csi, 1);
  }
  page.resize(spec::kIdentifySize);
  return to_host(sqe, page.data(), page.size());
}

Outcome Admin::identify_controllers(const spec::Sqe& sqe, bool of_namespace) {
  if (of_namespace && parts_.namespaces.find(sqe.nsid) == nullptr) return kWrongNamespace;
  spec::ControllerList list{};
  if (spec::identify_cntid(sqe.cdw10) <= kControllerId) {
    list.count = 1;
    list.cntlid[0] = kControllerId;
  }
  return to_host(sqe, &list, sizeof list);
}

Outcome Admin::identify_command_set(const spec::Sqe& sqe) {
  const uint8_t what = spec::identify_cns(sqe.cdw10);
  const bool by_command_set = what != cns::kIndependentNamespace;
  if (by_command_set && spec::identify_csi(sqe.cdw11) != spec::csi::kNvm) return kInvalidField;
  if (what == cns::kCsiActiveNamespaceList) return identify_list(sqe);
  if (what == cns::kCsiController) {
    // All zeros: no limits beyond those of every command.
    const spec::IdentifyControllerNvm controller{};
    return to_host(sqe, &controller, sizeof controller);
  }
  const Namespace* const ns = parts_.namespaces.find(sqe.nsid);
  if (ns == nullptr) return kWrongNamespace;
  if (what == cns::kCsiNamespace) {
    const spec::IdentifyNamespaceNvm data{};
    return to_host(sqe, &data, sizeof data);
  }
  spec::IdentifyNamespaceIndependent data{};
  data.nsfeat = 0;
  data.nsattr = ns->write_protected ? spec::kNsattrWriteProtected : 0;
  data.fpi = spec::kFpiSupported;
  data.nstat = spec::kNstatReady;
  return to_host(sqe, &data, sizeof data);
}

spec::IdentifyController Admin::describe_controller() const {
  const Config& config = parts_.config;
  spec::IdentifyController c{};
  c.vid = kPciVendor;
  c.ssvid = kPciVendor;
  set_text(c.sn, config.serial);
  set_text(c.mn, config.model);
  set_text(c.fr, parts_.firmware.revision());
  c.rab = 2;
  c.ieee[0] = 0x59;
  c.ieee[1] = 0x50;
  c.ieee[2] = 0x02;
  if (config.mdts_bytes != 0) {
    c.mdts = static_cast<uint8_t>(std::countr_zero(config.mdts_bytes / kHostPageBytes));
  }
  c.cntlid = kControllerId;
  c.ver = config.version;
  c.rtd3r = 500'000;    // microseconds to wake from D3
  c.rtd3e = 2'000'000;  // and to get there
  c.ctratt = spec::kCtrattHostIdentifier128 | spec::kCtrattNonOperationalPermissive;
  c.oaes = spec::kOaesNamespaceAttribute | spec::kOaesFirmwareActivation | spec::kOaesTelemetry;
  c.cntrltype = spec::kCntrltypeIo;
  c.oacs = spec::kOacsFormat | spec::kOacsFirmware | spec::kOacsDeviceSelfTest |
           spec::kOacsSecurity | spec::kOacsDirectives | spec::kOacsDoorbellBufferConfig |
           spec::kOacsMi;
  c.acl = config.acl;
  c.aerl = config.aerl;
  c.frmw = static_cast<uint8_t>(kFirmwareSlots << 1 | spec::kFrmwActivateWithoutReset);
  c.lpa = spec::kLpaCommandsSupportedEffects | spec::kLpaExtendedData | spec::kLpaTelemetry |
          spec::kLpaPersistentEvent;
  if (config.version >= kVersion2) c.lpa |= spec::kLpaSupportedLogPages;
  c.elpe = config.elpe;
  c.npss = kPowerStateCount - 1;
  c.apsta = 1;
  c.wctemp = kWarningKelvin;
  c.cctemp = kCriticalKelvin;
  c.mtfa = 10;
  c.hctma = 1;
  c.mntmt = kThermalManagementKelvinMin;
  c.mxtmt = kThermalManagementKelvinMax;
  c.tnvmcap.lo = 0;
  for (const auto& ns : parts_.namespaces.all()) c.tnvmcap.lo += ns->lba_count << ns->lba_shift;
  c.pels = kPersistentEventUnits64k;
  c.nvmsr = spec::kNvmsrStorageDevice;
  c.kas = kKeepAliveUnits100ms;
  c.edstt = extended_self_test_minutes(config.latency_scale);
  c.dsto = spec::kDstoOneAtATime;
  c.fwug = kFirmwareGranularity;
  c.sanicap = kSanicap;
  c.sqes = 0x66;
  c.cqes = 0x44;
  c.nn = parts_.namespaces.count();
  c.oncs = spec::kOncsCompare | spec::kOncsWriteUncorrectable | spec::kOncsDatasetManagement |
           spec::kOncsWriteZeroes | spec::kOncsSaveSelectFields | spec::kOncsTimestamp |
           spec::kOncsVerify;
  c.fuses = spec::kFusesCompareAndWrite;
  c.fna = spec::kFnaCryptoErase;
  c.vwc = static_cast<uint8_t>((config.cache_bytes != 0 ? spec::kVwcPresent : 0) |
                               spec::kVwcFlushBroadcastSupported);
  c.nwpc = spec::kNwpcWriteProtect | spec::kNwpcUntilPowerCycle | spec::kNwpcPermanent;
  c.acwu = kCompareAndWriteLbasMax - 1;
  // The form for those without a domain name of their own (NVMe Base 2.0 §4.5).
  const std::string nqn =
      "nqn.2014-08.org.nvmexpress:1d1d0001:" + config.serial + ":" + config.model;
  std::memcpy(c.subnqn, nqn.data(), std::min(sizeof c.subnqn - 1, nqn.size()));
  std::replace(std::begin(c.subnqn), std::end(c.subnqn), ' ', '-');
  for (uint8_t i = 0; i < kPowerStateCount; ++i) c.psd[i] = describe_power_state(i);
  return c;
}

spec::IdentifyNamespace Admin::describe_namespace(const Namespace& ns) const {
  spec::IdentifyNamespace n{};
  n.nsze = n.ncap = ns.lba_count;
  n.nuse = ns.media.allocated_lbas();
  // Thin: only what was written takes room, and deallocation shows in NUSE.
  n.nsfeat = spec::kNsfeatThinProvisioning | spec::kNsfeatDeallocatedError |
             spec::kNsfeatOptimalPerformance;
  n.nlbaf = kLbaFormats.size() - 1;
  n.flbas = ns.format_index();
  n.fpi = spec::kFpiSupported;
  n.dlfeat = spec::kDlfeatReadZeroes | spec::kDlfeatWriteZeroesDeallocate;
  n.nsattr = ns.write_protected ? spec::kNsattrWriteProtected : 0;
  n.nvmcap.lo = ns.lba_count << ns.lba_shift;
  const uint32_t unit_lbas = Media::kUnitBytes >> ns.lba_shift;
  n.npwg = n.npwa = n.npdg = n.npda = static_cast<uint16_t>(unit_lbas - 1);
  const uint32_t optimal_bytes = parts_.config.mdts_bytes != 0 ? parts_.config.mdts_bytes : 131072;
  n.nows = static_cast<uint16_t>((optimal_bytes >> ns.lba_shift) - 1);
  std::copy(ns.nguid.begin(), ns.nguid.end(), std::begin(n.nguid));
  std::copy(ns.eui64.begin(), ns.eui64.end(), std::begin(n.eui64));
  for (size_t i = 0; i < kLbaFormats.size(); ++i) {
    n.lbaf[i].lbads = static_cast<uint8_t>(std::countr_zero(kLbaFormats[i]));
    n.lbaf[i].rp = kLbaFormats[i] == 4096 ? 0 : 1;
  }
  return n;
}

}  // namespace pynvme::ssd
