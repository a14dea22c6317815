// Queues, enable, reset, shutdown, and what one controller's commands mean for the others.
#include "ssd/tcp/io_controller.h"

#include <algorithm>
#include <cstring>
#include <span>
#include <utility>

#include "spec/command_fields.h"
#include "spec/feature.h"
#include "spec/opcode.h"
#include "ssd/admin/maintenance.h"
#include "ssd/model/timing.h"
#include "ssd/tcp/subsystem.h"

namespace pynvme::ssd::tcp {
namespace {

constexpr uint32_t kPageBytes = 4096;
// The admin queue lies in the transport; the registers that say where are what they like to be.
constexpr uint32_t kAnyAqa = 31U << 16 | 31U;
// Completions that have no command of the queue's size: none, but a little room is cheap.
constexpr uint32_t kSpareEntries = 8;

std::vector<QueueMemory::Page> pages_of(std::vector<uint8_t>& memory) {
  std::vector<QueueMemory::Page> pages;
  for (size_t at = 0; at < memory.size(); at += kPageBytes) {
    const auto bytes = static_cast<uint32_t>(std::min<size_t>(kPageBytes, memory.size() - at));
    pages.push_back({0, bytes, memory.data() + at});
  }
  return pages;
}

}  // namespace

IoController::IoController(Subsystem& subsystem, Association association, uint32_t in_capsule_bytes)
    : Controller(std::move(association), subsystem.clock()),
      subsystem_(subsystem),
      fabric_{cntlid(), subsystem.nqn(), in_capsule_bytes, subsystem.controllers()},
      own_(subsystem.shared(), &fabric_),
      nvm_(own_.parts),
      admin_(own_.parts),
      timekeeper_(subsystem.clock(), [] {}),
      engine_(own_.parts, nvm_, admin_, timekeeper_),
      rings_(own_.queues.count()) {
  timekeeper_.stop();  // the server's loop does what falls due
  subsystem_.enter(*this);
  own_.registers.write(spec::reg::kAqa, kAnyAqa);
  FeatureValues& values = own_.features.current;
  values.host_identifier = this->association().hostid;
  own_.features.write_cache = values.write_cache;
  own_.health.set_thresholds(values);
  own_.power.reset(now());
  own_.power.set_transitions(values.apst_enabled, values.apst);
  own_.features.reset_timestamp(now());
}

IoController::~IoController() { subsystem_.leave(*this); }

// As many as Set Features granted, for there are not fewer of one kind than of the other.
uint16_t IoController::io_queues() const {
  const spec::NumberOfQueuesFeature granted{own_.features.current.number_of_queues};
  return static_cast<uint16_t>(std::min(granted.nsq(), granted.ncq()) + 1);
}

void IoController::open_queue(uint16_t qid, uint32_t entries, uint8_t priority) {
  Rings& rings = rings_[qid];
  // A ring holds one command less than it has entries; the host's queue may be full.
  rings.entries = entries + 1;
  rings.tail = 0;
  rings.sq.assign(rings.entries * sizeof(spec::Sqe), 0);
  rings.cq.assign((rings.entries + kSpareEntries) * sizeof(spec::Cqe), 0);
  const Queues::AllLocked all(own_.queues);
  own_.queues.open_cq(own_.queues.cq(qid), rings.entries + kSpareEntries, false, 0,
                      {pages_of(rings.cq)});
  own_.queues.open_sq(own_.queues.sq(qid), rings.entries, qid, priority, {pages_of(rings.sq)});
}

void IoController::close_queue(uint16_t qid) {
  const Queues::AllLocked all(own_.queues);
  // What was fetched is forgotten: nobody is there to be told, and its buffers go away.
  own_.outstanding.take_queue(qid);
  own_.queues.close_sq(own_.queues.sq(qid));
  own_.queues.close_cq(own_.queues.cq(qid));
}

void IoController::submit(uint16_t qid, const spec::Sqe& sqe) {
  Rings& rings = rings_[qid];
  std::memcpy(rings.sq.data() + rings.tail * sizeof sqe, &sqe, sizeof sqe);
  rings.tail = rings.tail + 1 == rings.entries ? 0 : rings.tail + 1;
}

void IoController::ring(uint16_t qid) {
  own_.queues.set_doorbell(2U * qid, rings_[qid].tail);
  engine_.rung(2U * qid);
}

bool IoController::take(uint16_t qid, spec::Cqe* cqe) {
  CompletionQueue& cq = own_.queues.cq(qid);
  if (cq.head == cq.tail) return false;
  std::memcpy(cqe, rings_[qid].cq.data() + cq.head * sizeof *cqe, sizeof *cqe);
  cq.head = cq.head + 1 == cq.size ? 0 : cq.head + 1;
  return true;
}

void IoController::completed(const spec::Sqe& sqe, uint64_t now_ns) {
  namespace admin = spec::admin;
  switch (sqe.opcode) {
    case admin::kKeepAlive:
      restart_keep_alive(now_ns);
      break;
    case admin::kSetFeatures:
      if (spec::feature_fid(sqe.cdw10) == spec::fid::kKeepAliveTimer) {
        // Every controller has a timer of its own, here; the shared one stays off.
        own_.parts.maintenance.set_keep_alive(0, now_ns);
        arm_keep_alive(own_.features.current.keep_alive_ms, now_ns);
      }
      subsystem_.namespace_features_changed(*this);
      break;
    case admin::kSanitize:
      subsystem_.sanitize_started();
      break;
    case admin::kNamespaceManagement:
    case admin::kNamespaceAttachment:
    case admin::kFormatNvm:
      subsystem_.namespace_features_changed(*this);
      subsystem_.namespaces_changed(*this, sqe.opcode == admin::kFormatNvm ? sqe.nsid : 0);
      break;
    default:
      break;
  }
}

void IoController::set_keep_alive(uint32_t kato_ms, uint64_t now_ns) {
  constexpr uint32_t kUnitMs = kKeepAliveUnits100ms * 100;
  const uint64_t ms = (uint64_t{kato_ms} + kUnitMs - 1) / kUnitMs * kUnitMs;
  connected_keep_alive_ms_ = static_cast<uint32_t>(std::min<uint64_t>(ms, UINT32_MAX));
  own_.features.current.keep_alive_ms = connected_keep_alive_ms_;
  if (own_.registers.csts().rdy()) arm_keep_alive(connected_keep_alive_ms_, now_ns);
}

void IoController::keep_alive_expired() {
  // NVMe Base 2.0 §3.9.4
  spec::ErrorLogEntry entry{};
  entry.sqid = entry.cid = entry.parameter_error_location = 0xFFFF;
  entry.status = fail_once(spec::sc::kKeepAliveTimerExpired);
  own_.error_log.add(entry);
  own_.health.smart().add_error_log_entries(1);
  own_.queues.set_fatal();
}

void IoController::namespace_changed(uint32_t nsid) {
  admin_.note_namespace_change(nsid);
  own_.events.deliver();
}

void IoController::raise(uint8_t type, uint8_t info, uint8_t log_page) {
  own_.events.raise(type, info, log_page);
  own_.events.deliver();
}

void IoController::settle(uint64_t now_ns) {
  if (own_.queues.fatal()) own_.registers.set_fatal();
  if (now_ns >= ready_at_ns_) {
    ready_at_ns_ = UINT64_MAX;
    own_.registers.set_ready(true);
    // The timer runs while the controller is ready (NVMe Base 2.0 §3.9).
    own_.features.current.keep_alive_ms = connected_keep_alive_ms_;
    arm_keep_alive(connected_keep_alive_ms_, now_ns);
    {
      const Queues::AllLocked all(own_.queues);
      engine_.set_running(true);
    }
    engine_.resume();
  }
  if (now_ns >= shutdown_at_ns_) {
    shutdown_at_ns_ = UINT64_MAX;
    own_.registers.set_shutdown_status(spec::Shst::kComplete);
    subsystem_.shut_down();
    const Queues::AllLocked all(own_.queues);
    engine_.set_running(false);
  }
}

void IoController::written(unsigned asked) {
  if ((asked & Registers::kDisable) != 0) reset();
  if ((asked & Registers::kEnable) != 0) {
    if (own_.registers.csts().shst() != spec::Shst::kNormal) reset();
    enable();
  }
  if ((asked & Registers::kShutdown) != 0) shut_down();
}

void IoController::enable() {
  if (!own_.registers.startable()) {
    own_.registers.set_fatal();
    return;
  }
  {
    const Queues::AllLocked all(own_.queues);
    engine_.start(static_cast<spec::Ams>(own_.registers.cc().ams()) == spec::Ams::kWrrUrgent);
  }
  ready_at_ns_ = now() + own_.parts.config.ready_ms * 1'000'000ULL;
  subsystem_.started();
  admin_.log_power_on_or_reset(false, now());
}

// A Controller Level Reset: the I/O queues are gone, the admin queue is empty. Its connection
// stays, for the host has to see CSTS.RDY become 0 (NVMe Base 2.0 §3.7.2).
void IoController::reset() {
  {
    const Queues::AllLocked all(own_.queues);
    engine_.forget();
    own_.queues.close_all();
    own_.power.reset(now());
    admin_.reset(now());
  }
  own_.events.reset();
  own_.health.reset();
  subsystem_.adopt_namespace_features(own_.features.current);
  own_.features.current.host_identifier = association().hostid;
  ready_at_ns_ = shutdown_at_ns_ = UINT64_MAX;
  own_.registers.reset_controller();
  arm_keep_alive(0, now());
  open_queue(0, rings_[0].entries - 1, 0);
  note_queues_gone();
}

void IoController::shut_down() {
  own_.registers.set_shutdown_status(spec::Shst::kOccurring);
  arm_keep_alive(0, now());
  const uint64_t unflushed = own_.parts.namespaces.unflushed_bytes();
  own_.parts.namespaces.flush();
  shutdown_at_ns_ = own_.parts.timing.due_ns(Work::kFlush, 0, 0, false, unflushed, now());
}

void IoController::advance_more(uint64_t) {
  engine_.advance();
  own_.events.deliver();
}

uint64_t IoController::more_due() const {
  return std::min({timekeeper_.due_ns(), ready_at_ns_, shutdown_at_ns_});
}

}  // namespace pynvme::ssd::tcp
