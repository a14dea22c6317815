// Bringing a controller up, in the order of NVMe Base 2.0 §3.5.1. Each step is callable alone, for
// scripts with an initialisation of their own.
#include <algorithm>
#include <cstring>

#include "driver/admin_commands.h"
#include "driver/controller.h"
#include "driver/errors.h"
#include "driver/io_queue_pair.h"
#include "spec/feature.h"
#include "spec/identify.h"

namespace pynvme::driver {

namespace reg = spec::reg;

namespace {

// log2 of the sizes of SQE and CQE.
constexpr uint8_t kIosqes = 6;
constexpr uint8_t kIocqes = 4;
constexpr uint16_t kMaxIoQueues = 0xFFFE;

Command with_buffer(const spec::Sqe& sqe, const std::shared_ptr<pcie::DmaBlock>& block) {
  Command command;
  command.sqe = sqe;
  command.data = {block->iova(), block->data(), block->size(), block};
  return command;
}

std::shared_ptr<pcie::DmaBlock> identify_buffer() {
  return std::make_shared<pcie::DmaBlock>(
      pcie::DmaMemory::instance().allocate(spec::kIdentifySize));
}

}  // namespace

void Controller::initialise() {
  disable();
  init_admin_queue();
  enable();
  identify();
  // A Discovery controller has neither namespaces nor IO queues (NVMe Base 2.0 §3.1.2.3).
  if (identify_->cntrltype == spec::kCntrltypeDiscovery) return arm_async_events();
  init_namespaces();
  // As many as a 0-based 16-bit number can ask for; the device grants what it has (§5.27.1.5).
  init_queues(request_queues(kMaxIoQueues));
  arm_async_events();
}

uint32_t Controller::ready_limit_ms() {
  // A controller with CAP.CRMS may need longer than CAP.TO can say (§3.1.3.1).
  uint32_t units = std::max<uint32_t>(cap_.to(), 1);
  if (cap_.crms() != 0) units = std::max<uint32_t>(units, spec::crto_crwmt(read32(reg::kCrto)));
  return units * 500;
}

void Controller::wait_ready(bool ready) {
  wait_register(reg::kCsts, 1, ready ? 1 : 0, ready_limit_ms(),
                ready ? "become ready (CSTS.RDY = 1)" : "stop (CSTS.RDY = 0)");
  if (!ready) device_stopped();
}

void Controller::disable() {
  transport_->recover([this](const char* reason) { queues_lost(reason); });
  const spec::Cc cc{read32(reg::kCc)};
  if (cc.en()) {
    const spec::Csts csts{read32(reg::kCsts)};
    // Clearing CC.EN while CSTS.RDY is still 0 has an undefined result (§3.1.3.5), so a controller
    // on its way up is given its time. One that reports a fatal error or never arrives is cleared
    // anyway.
    if (!csts.rdy() && !csts.cfs() && csts.shst() == spec::Shst::kNormal) {
      try {
        wait_ready(true);
      } catch (const CommandTimeout&) {
      }
    }
    write32(reg::kCc, cc.with_en(false).with_shn(spec::Shn::kNone).value);
  } else {
    queues_lost("the controller was disabled");
  }
  wait_ready(false);
}

void Controller::init_admin_queue() {
  if (spec::Cc{read32(reg::kCc)}.en()) {
    throw InvalidArgument(name() +
                          ": the admin queue can only be set up while CC.EN is 0; disable the "
                          "controller first (nvme0[0x14] = 0, then wait for CSTS.RDY = 0)");
  }
  if (!admin_pair_->dead()) queues_lost("the admin queue was set up again");
  admin_pair_->reset();
  try {
    transport_->start_admin(*admin_pair_);
  } catch (...) {
    admin_pair_->kill("the controller was not initialised");
    throw;
  }
}

void Controller::enable() {
  // §3.5.1 step 4: all IO command sets that the profile selects, the NVM command set, or none.
  // Controllers made after TP 4056, QEMU's among them, set the bit for "none" beside the others to
  // say that CC.CSS may be that; it decides only where there is nothing else.
  uint8_t css = 0;
  if ((cap_.css() & spec::kCapCssIoCommandSets) != 0) {
    css = spec::kCcCssAllIoCommandSets;
  } else if ((cap_.css() & spec::kCapCssNvm) != 0) {
    css = spec::kCcCssNvm;
  } else if ((cap_.css() & spec::kCapCssAdminOnly) != 0) {
    css = spec::kCcCssAdminOnly;
  } else {
    throw EnumerateError(name() + " supports no command set that this driver knows (CAP.CSS is " +
                         std::to_string(cap_.css()) + ")");
  }
  // Weighted round robin where there is one: without it the priority of a queue would mean nothing.
  const auto ams =
      (cap_.ams() & spec::kCapAmsWrrUrgent) != 0 ? spec::Ams::kWrrUrgent : spec::Ams::kRoundRobin;
  const spec::Cc cc = spec::Cc{0}
                          .with_css(css)
                          .with_mps(static_cast<uint8_t>(cap_.mpsmin()))
                          .with_ams(static_cast<uint8_t>(ams))
                          .with_iosqes(kIosqes)
                          .with_iocqes(kIocqes);
  write32(reg::kCc, cc.with_en(true).value);
  const uint32_t limit_ms = ready_limit_ms();
  try {
    wait_register(reg::kCsts, 1, 1, limit_ms, "become ready (CSTS.RDY = 1)");
  } catch (const CommandTimeout&) {
    check_alive();
    throw;
  }
  check_alive();
}

void Controller::identify() {
  const auto block = identify_buffer();
  execute(with_buffer(identify_command(spec::cns::kController, 0), block), "Identify Controller");
  std::memcpy(identify_.get(), block->data(), sizeof(*identify_));
  check_identify();
  transport_->identified(*identify_);
}

void Controller::check_identify() const {
  const auto fits = [](uint8_t sizes, uint8_t used) {
    return (sizes & 0xF) <= used && used <= (sizes >> 4);
  };
  if (identify_->cntrltype == spec::kCntrltypeDiscovery) return;
  if (!fits(identify_->sqes, kIosqes) || !fits(identify_->cqes, kIocqes)) {
    throw EnumerateError(name() +
                         " wants queue entries of other sizes than 64 and 16 bytes (Identify "
                         "Controller, SQES and CQES)");
  }
}

void Controller::init_namespaces() {
  active_namespaces_.clear();
  const auto block = identify_buffer();
  // A full list goes on after its last entry (§5.17.2.2).
  uint32_t after = 0;
  while (true) {
    execute(with_buffer(identify_command(spec::cns::kActiveNamespaceList, after), block),
            "Identify Active Namespace List");
    spec::NamespaceList list;
    std::memcpy(&list, block->data(), sizeof(list));
    for (const uint32_t nsid : list.nsid) {
      if (nsid == 0) return;
      if (nsid <= after) {
        throw EnumerateError(name() + ": the Active Namespace List is not ascending: " +
                             std::to_string(nsid) + " after " + std::to_string(after));
      }
      active_namespaces_.push_back(nsid);
      after = nsid;
    }
    // FFFFFFFEh and FFFFFFFFh are no place to go on from (§5.17.2.2: status Invalid Namespace).
    if (after >= spec::kNsidBroadcast - 1) return;
  }
}

spec::IdentifyNamespace Controller::identify_namespace(uint32_t nsid) {
  const auto block = identify_buffer();
  execute(with_buffer(identify_command(spec::cns::kNamespace, nsid), block), "Identify Namespace");
  spec::IdentifyNamespace data;
  std::memcpy(&data, block->data(), sizeof(data));
  return data;
}

LbaLayout Controller::lba_layout(uint32_t nsid, const spec::IdentifyNamespace& data) {
  uint32_t elbaf = 0;
  if (data.protection_type() != 0 && (identify_->ctratt & spec::kCtrattExtendedLbaFormats) != 0) {
    const auto block = identify_buffer();
    execute(
        with_buffer(identify_command(spec::cns::kCsiNamespace, nsid, 0, spec::csi::kNvm), block),
        "Identify Namespace of the NVM command set");
    spec::IdentifyNamespaceNvm extended;
    std::memcpy(&extended, block->data(), sizeof(extended));
    elbaf = extended.elbaf[data.format_index()];
  }
  return lba_layout_of(data, elbaf);
}

uint32_t Controller::request_queues(uint16_t count) {
  const uint16_t zero_based =
      static_cast<uint16_t>(std::clamp<uint16_t>(count, 1, kMaxIoQueues) - 1);
  Command command;
  command.sqe =
      set_features_command(spec::fid::kNumberOfQueues, false,
                           spec::NumberOfQueuesFeature::make(zero_based, zero_based).value);
  return execute(std::move(command), "Set Features Number of Queues").cdw0;
}

void Controller::init_queues(uint32_t cdw0) {
  const spec::NumberOfQueuesFeature granted{cdw0};
  const std::lock_guard guard(mutex_);
  io_queue_limit_ = std::min<uint32_t>(granted.nsq(), granted.ncq()) + 1;
  io_queues_.resize(std::max<size_t>(io_queues_.size(), io_queue_limit_ + 1));
}

void Controller::arm_async_events() {
  const uint32_t count = std::min<uint32_t>(identify_->aerl + 1U, kMaxAsyncEvents);
  for (uint32_t i = 0; i < count; ++i) {
    Command command;
    command.sqe = async_event_command();
    admin_->send(std::move(command));
  }
}

}  // namespace pynvme::driver
