// The commands of a Discovery controller (NVMe Base 2.0 §3.1.2.3.4), carried out at once.
#include "ssd/tcp/discovery.h"

#include <algorithm>
#include <cstring>

#include "spec/command_fields.h"
#include "spec/feature.h"
#include "spec/identify.h"
#include "spec/log.h"
#include "spec/opcode.h"
#include "spec/sgl.h"
#include "ssd/frontend/prp.h"

namespace pynvme::ssd::tcp {
namespace {

namespace fabrics = spec::fabrics;

constexpr uint32_t kAnyAqa = 31U << 16 | 31U;
constexpr uint16_t kAdminQueueEntries = 32;  // what every controller has at least
constexpr uint32_t kAsyncRequestsMax = 4;

template <size_t N>
void put(char (&field)[N], const std::string& text) {
  std::memcpy(field, text.data(), std::min(N - 1, text.size()));
}

uint16_t to_host(const spec::Sqe& sqe, const void* from, uint64_t bytes, uint64_t transfer) {
  // NOLINTBEGIN(performance-no-int-to-ptr): the connection put its buffer there.
  auto* const to = reinterpret_cast<uint8_t*>(sqe.prp1);
  auto& direct = *reinterpret_cast<DirectBuffer*>(sqe.prp2);
  // NOLINTEND(performance-no-int-to-ptr)
  if (transfer > direct.length) return fail(spec::sc::kDataSglLengthInvalid);
  direct.used = transfer;
  const uint64_t there = std::min(bytes, transfer);
  if (there != 0) std::memcpy(to, from, there);
  if (transfer != there) std::memset(to + there, 0, transfer - there);
  return kSuccess;
}

}  // namespace

std::vector<uint8_t> discovery_log(const std::vector<Place>& places) {
  fabrics::DiscoveryLogHeader header{};
  header.numrec = places.size();
  std::vector<uint8_t> log(sizeof header + places.size() * sizeof(fabrics::DiscoveryLogEntry));
  std::memcpy(log.data(), &header, sizeof header);
  for (size_t i = 0; i < places.size(); ++i) {
    fabrics::DiscoveryLogEntry entry{};
    entry.trtype = fabrics::kTrtypeTcp;
    entry.adrfam = places[i].ipv6 ? fabrics::kAdrfamIpv6 : fabrics::kAdrfamIpv4;
    entry.subtype = fabrics::kSubtypeNvm;
    entry.treq = static_cast<uint8_t>(
        (places[i].tls ? fabrics::kTreqSecureRequired : fabrics::kTreqSecureNotRequired) |
        fabrics::kTreqSqFlowControlOptional);
    entry.portid = 1;
    entry.cntlid = fabrics::kCntlidDynamic;
    entry.asqsz = kAdminQueueEntries;
    put(entry.trsvcid, std::to_string(places[i].port));
    put(entry.subnqn, places[i].nqn);
    put(entry.traddr, places[i].address);
    entry.tsas[0] = places[i].tls ? fabrics::kSectypeTls13 : fabrics::kSectypeNone;
    std::memcpy(log.data() + sizeof header + i * sizeof entry, &entry, sizeof entry);
  }
  return log;
}

DiscoveryController::DiscoveryController(const Config& config, Association association,
                                         const base::Clock& clock, const std::vector<Place>& places)
    : Controller(std::move(association), clock),
      config_(config),
      registers_(config),
      log_(discovery_log(places)) {
  registers_.write(spec::reg::kAqa, kAnyAqa);
}

void DiscoveryController::written(unsigned asked) {
  if ((asked & Registers::kDisable) != 0) {
    completions_.clear();
    requests_ = 0;
    arm_keep_alive(0, now());
    registers_.reset_controller();
    note_queues_gone();
  }
  if ((asked & Registers::kEnable) != 0) {
    if (registers_.startable()) {
      registers_.reset_controller();
      registers_.set_ready(true);
      arm_keep_alive(keep_alive_ms_, now());
    } else {
      registers_.set_fatal();
    }
  }
  if ((asked & Registers::kShutdown) != 0) {
    arm_keep_alive(0, now());
    registers_.set_shutdown_status(spec::Shst::kComplete);
  }
}

void DiscoveryController::submit(uint16_t, const spec::Sqe& sqe) {
  const Outcome outcome = execute(sqe);
  if (outcome.pending) return;
  spec::Cqe cqe{};
  cqe.cdw0 = outcome.cdw0;
  cqe.cid = sqe.cid;
  cqe.status = outcome.status;
  completions_.push_back(cqe);
}

bool DiscoveryController::take(uint16_t, spec::Cqe* cqe) {
  if (completions_.empty()) return false;
  *cqe = completions_.front();
  completions_.pop_front();
  return true;
}

void DiscoveryController::completed(const spec::Sqe& sqe, uint64_t now_ns) {
  if (sqe.opcode == spec::admin::kKeepAlive) restart_keep_alive(now_ns);
}

void DiscoveryController::set_keep_alive(uint32_t kato_ms, uint64_t now_ns) {
  keep_alive_ms_ = kato_ms;
  if (registers_.csts().rdy()) arm_keep_alive(kato_ms, now_ns);
}

Outcome DiscoveryController::execute(const spec::Sqe& sqe) {
  namespace admin = spec::admin;
  switch (sqe.opcode) {
    case admin::kIdentify:
      return identify(sqe);
    case admin::kGetLogPage:
      return get_log_page(sqe);
    case admin::kGetFeatures:
    case admin::kSetFeatures:
      return feature(sqe, sqe.opcode == admin::kSetFeatures);
    case admin::kAsyncEventRequest:
      // The log never changes while the server runs, so that they wait for good.
      if (requests_ == kAsyncRequestsMax) return fail_specific(spec::sc::kAerLimitExceeded);
      ++requests_;
      return Outcome::not_yet();
    case admin::kKeepAlive:
      return kSuccess;
    default:
      return fail(spec::sc::kInvalidOpcode);
  }
}

Outcome DiscoveryController::identify(const spec::Sqe& sqe) {
  if (spec::identify_cns(sqe.cdw10) != spec::cns::kController) return kInvalidField;
  spec::IdentifyController c{};
  std::memset(c.sn, ' ', sizeof c.sn);
  std::memset(c.mn, ' ', sizeof c.mn);
  std::memset(c.fr, ' ', sizeof c.fr);
  std::memcpy(c.sn, config_.serial.data(), std::min(sizeof c.sn, config_.serial.size()));
  std::memcpy(c.mn, config_.model.data(), std::min(sizeof c.mn, config_.model.size()));
  std::memcpy(c.fr, config_.firmware.data(), std::min(sizeof c.fr, config_.firmware.size()));
  c.cntlid = cntlid();
  c.ver = config_.version;
  c.cntrltype = spec::kCntrltypeDiscovery;
  c.aerl = kAsyncRequestsMax - 1;
  c.lpa = spec::kLpaExtendedData;
  c.kas = 1;
  c.maxcmd = static_cast<uint16_t>(std::min<uint32_t>(config_.mqes + 1U, UINT16_MAX));
  c.sgls =
      spec::kSglsSupported | spec::kSglsLonger | spec::kSglsOffset | spec::kSglsTransportDataBlock;
  put(c.subnqn, association().subnqn);
  return to_host(sqe, &c, sizeof c, sizeof c);
}

Outcome DiscoveryController::get_log_page(const spec::Sqe& sqe) {
  if (spec::log_lid(sqe.cdw10) != spec::lid::kDiscovery) {
    return fail_specific(spec::sc::kInvalidLogPage);
  }
  const uint64_t offset = uint64_t{sqe.cdw13} << 32 | sqe.cdw12;
  const uint64_t bytes = spec::log_bytes(sqe.cdw10, sqe.cdw11);
  if (offset % 4 != 0 || offset > log_.size()) return kInvalidField;
  return to_host(sqe, log_.data() + offset, log_.size() - offset, bytes);
}

Outcome DiscoveryController::feature(const spec::Sqe& sqe, bool set) {
  uint32_t* value = nullptr;
  switch (spec::feature_fid(sqe.cdw10)) {
    case spec::fid::kAsyncEventConfig:
      value = &async_events_;
      break;
    case spec::fid::kKeepAliveTimer:
      value = &keep_alive_ms_;
      break;
    default:
      return kInvalidField;
  }
  if (!set) return Outcome::with_cdw0(*value);
  if (spec::feature_sv(sqe.cdw10)) return fail_specific(spec::sc::kFeatureNotSaveable);
  *value = sqe.cdw11;
  if (value == &keep_alive_ms_) arm_keep_alive(keep_alive_ms_, now());
  return kSuccess;
}

}  // namespace pynvme::ssd::tcp
