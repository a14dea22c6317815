// Identify (NVMe Base 2.0 §5.17): what this SSD says about itself. It says nothing that is not so.
#include <algorithm>
#include <bit>
#include <cstring>
#include <string>

#include "spec/command_fields.h"
#include "spec/sgl.h"
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
      return identify_list(sqe, false);
    case cns::kAllocatedNamespaceList:
      return identify_list(sqe, true);
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
    case cns::kCsiAllocatedNamespaceList:
    case cns::kCsiAllocatedNamespace:
      return parts_.config.version >= kVersion2 ? identify_command_set(sqe)
                                                : Outcome(kInvalidField);
    default:
      return kInvalidField;
  }
}

// An NSID that is valid but inactive, or for CNS 11h unallocated, gets zeroes (§5.17.2.1,
// §5.17.2.10).
Outcome Admin::identify_namespace(const spec::Sqe& sqe) {
  const bool allocated = spec::identify_cns(sqe.cdw10) == cns::kAllocatedNamespace;
  spec::IdentifyNamespace data{};
  if (sqe.nsid == spec::kNsidBroadcast && !allocated) {
    // What all namespaces have in common, which a controller with Namespace Management tells.
    data = describe_namespaces();
  } else if (!parts_.namespaces.valid(sqe.nsid)) {
    return kWrongNamespace;
  } else if (const Namespace* const ns = allocated ? parts_.namespaces.find_allocated(sqe.nsid)
                                                   : parts_.namespaces.find(sqe.nsid)) {
    data = describe_namespace(*ns);
  }
  return to_host(sqe, &data, sizeof data);
}

Outcome Admin::identify_list(const spec::Sqe& sqe, bool allocated) {
  if (sqe.nsid >= 0xFFFF'FFFE) return kWrongNamespace;
  spec::NamespaceList list{};
  size_t next = 0;
  for (const Namespace* const ns : parts_.namespaces.all()) {
    if (!allocated && !parts_.namespaces.attached(*ns)) continue;
    if (ns->nsid > sqe.nsid && next < std::size(list.nsid)) list.nsid[next++] = ns->nsid;
  }
  return to_host(sqe, &list, sizeof list);
}

Outcome Admin::identify_descriptors(const spec::Sqe& sqe) {
  if (sqe.nsid == spec::kNsidBroadcast) return kWrongNamespace;
  const Namespace* const ns = parts_.namespaces.find(sqe.nsid);
  if (ns == nullptr) return parts_.namespaces.refusal(sqe.nsid);
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
  bool there = true;
  if (of_namespace) {
    const Namespace* const ns = parts_.namespaces.find_allocated(sqe.nsid);
    if (ns == nullptr) return parts_.namespaces.refusal(sqe.nsid);
    there = parts_.namespaces.attached(*ns);
  }
  spec::ControllerList list{};
  const uint16_t from = spec::identify_cntid(sqe.cdw10);
  for (const uint16_t cntlid : controllers(parts_)) {
    if (!there || cntlid < from || list.count == std::size(list.cntlid)) continue;
    list.cntlid[list.count++] = cntlid;
  }
  return to_host(sqe, &list, sizeof list);
}

Outcome Admin::identify_command_set(const spec::Sqe& sqe) {
  const uint8_t what = spec::identify_cns(sqe.cdw10);
  const bool by_command_set = what != cns::kIndependentNamespace;
  if (by_command_set && spec::identify_csi(sqe.cdw11) != spec::csi::kNvm) return kInvalidField;
  if (what == cns::kCsiActiveNamespaceList) return identify_list(sqe, false);
  if (what == cns::kCsiAllocatedNamespaceList) return identify_list(sqe, true);
  if (what == cns::kCsiController) {
    // All zeros: no limits beyond those of every command.
    const spec::IdentifyControllerNvm controller{};
    return to_host(sqe, &controller, sizeof controller);
  }
  // Protection information, which no format has: zeroes, for an inactive NSID as well.
  const bool common = sqe.nsid == spec::kNsidBroadcast && what == cns::kCsiNamespace;
  if (!common && !parts_.namespaces.valid(sqe.nsid)) return kWrongNamespace;
  if (by_command_set) {
    const spec::IdentifyNamespaceNvm data{};
    return to_host(sqe, &data, sizeof data);
  }
  spec::IdentifyNamespaceIndependent data{};
  if (const Namespace* const ns = parts_.namespaces.find(sqe.nsid)) {
    data.nmic = ns->shared || parts_.fabric != nullptr ? spec::kNmicShared : 0;
    data.nsattr = ns->write_protected ? spec::kNsattrWriteProtected : 0;
    data.fpi = spec::kFpiSupported;
    data.nstat = spec::kNstatReady;
  }
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
  c.cntlid = controller_id(parts_);
  c.ver = config.version;
  c.rtd3r = 500'000;    // microseconds to wake from D3
  c.rtd3e = 2'000'000;  // and to get there
  c.ctratt = spec::kCtrattHostIdentifier128;
  if (has_non_operational_state(config)) c.ctratt |= spec::kCtrattNonOperationalPermissive;
  c.oaes = spec::kOaesNamespaceAttribute | spec::kOaesFirmwareActivation;
  if (config.version >= kVersion2) c.oaes |= spec::kOaesNormalSubsystemShutdown;
  c.cntrltype = spec::kCntrltypeIo;
  c.oacs = spec::kOacsFormat | spec::kOacsFirmware | spec::kOacsDeviceSelfTest |
           spec::kOacsSecurity | spec::kOacsDirectives | spec::kOacsDoorbellBufferConfig |
           spec::kOacsMi | spec::kOacsNamespaceManagement | spec::kOacsGetLbaStatus;
  c.acl = config.acl;
  c.aerl = config.aerl;
  c.frmw = static_cast<uint8_t>(kFirmwareSlots << 1 | spec::kFrmwActivateWithoutReset);
  c.lpa = spec::kLpaCommandsSupportedEffects | spec::kLpaExtendedData | spec::kLpaTelemetry |
          spec::kLpaPersistentEvent;
  if (config.version >= kVersion2) c.lpa |= spec::kLpaSupportedLogPages;
  c.elpe = config.elpe;
  c.npss = static_cast<uint8_t>(config.power_states - 1);
  c.apsta = has_non_operational_state(config) ? 1 : 0;
  c.wctemp = kWarningKelvin;
  c.cctemp = kCriticalKelvin;
  c.mtfa = 10;
  c.hctma = 1;
  c.mntmt = kThermalManagementKelvinMin;
  c.mxtmt = kThermalManagementKelvinMax;
  c.tnvmcap.lo = parts_.namespaces.capacity_bytes();
  c.unvmcap.lo = parts_.namespaces.unallocated_bytes();
  c.pels = kPersistentEventUnits64k;
  c.nvmsr = spec::kNvmsrStorageDevice;
  c.kas = kKeepAliveUnits100ms;
  c.edstt = extended_self_test_minutes(config.latency_scale);
  c.dsto = spec::kDstoOneAtATime;
  c.fwug = kFirmwareGranularity;
  c.sanicap = kSanicap;
  c.sqes = 0x66;
  c.cqes = 0x44;
  c.nn = parts_.namespaces.limit();
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
  for (uint8_t i = 0; i < config.power_states; ++i) c.psd[i] = describe_power_state(i);
  if (parts_.fabric != nullptr) describe_fabric(c);
  return c;
}

// What is there on a fabric only, and what is not there.
void Admin::describe_fabric(spec::IdentifyController& c) const {
  const Fabric& fabric = *parts_.fabric;
  c.cmic = spec::kCmicSeveralControllers;
  c.oacs &= static_cast<uint16_t>(~spec::kOacsDoorbellBufferConfig);
  c.fuses = 0;
  c.maxcmd = static_cast<uint16_t>(std::min<uint32_t>(parts_.config.mqes + 1U, UINT16_MAX));
  c.sgls =
      spec::kSglsSupported | spec::kSglsLonger | spec::kSglsOffset | spec::kSglsTransportDataBlock;
  std::memset(c.subnqn, 0, sizeof c.subnqn);
  std::memcpy(c.subnqn, fabric.subnqn.data(), std::min(sizeof c.subnqn - 1, fabric.subnqn.size()));
  c.ioccsz = static_cast<uint32_t>((sizeof(spec::Sqe) + fabric.in_capsule_bytes) / 16);
  c.iorcsz = sizeof(spec::Cqe) / 16;
  c.msdbd = 1;
  c.ofcs = spec::kOfcsDisconnect;
}

// What namespaces have in common whatever they are (§5.17.2.1, NSID FFFFFFFFh).
spec::IdentifyNamespace Admin::describe_namespaces() const {
  spec::IdentifyNamespace n{};
  const std::vector<uint32_t>& formats = parts_.config.lba_formats;
  n.nsfeat = spec::kNsfeatDeallocatedError | spec::kNsfeatOptimalPerformance;
  n.nlbaf = static_cast<uint8_t>(formats.size() - 1);
  n.fpi = spec::kFpiSupported;
  n.dlfeat = spec::kDlfeatReadZeroes | spec::kDlfeatWriteZeroesDeallocate;
  // The media work in units of 4 KiB: the larger the LBA, the better.
  for (size_t i = 0; i < formats.size(); ++i) {
    n.lbaf[i].lbads = static_cast<uint8_t>(std::countr_zero(formats[i]));
    n.lbaf[i].rp = formats[i] == 4096 ? 0 : 1;
  }
  return n;
}

spec::IdentifyNamespace Admin::describe_namespace(const Namespace& ns) const {
  spec::IdentifyNamespace n = describe_namespaces();
  n.nsze = n.ncap = ns.lba_count;
  n.nuse = ns.media.allocated_lbas();
  const std::vector<uint32_t>& formats = parts_.config.lba_formats;
  n.flbas = static_cast<uint8_t>(std::find(formats.begin(), formats.end(), ns.lba_bytes) -
                                 formats.begin());
  n.nmic = ns.shared || parts_.fabric != nullptr ? spec::kNmicShared : 0;
  n.nsattr = ns.write_protected ? spec::kNsattrWriteProtected : 0;
  n.nvmcap.lo = ns.capacity_bytes();
  const uint32_t unit_lbas = Media::kUnitBytes >> ns.lba_shift;
  n.npwg = n.npwa = n.npdg = n.npda = static_cast<uint16_t>(unit_lbas - 1);
  const uint32_t optimal_bytes = parts_.config.mdts_bytes != 0 ? parts_.config.mdts_bytes : 131072;
  n.nows = static_cast<uint16_t>((optimal_bytes >> ns.lba_shift) - 1);
  std::copy(ns.nguid.begin(), ns.nguid.end(), std::begin(n.nguid));
  std::copy(ns.eui64.begin(), ns.eui64.end(), std::begin(n.eui64));
  return n;
}

}  // namespace pynvme::ssd
