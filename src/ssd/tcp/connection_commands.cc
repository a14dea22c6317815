// Capsules: which commands a queue takes, where their data are, Connect and the other Fabrics
// commands, and completions.
#include <algorithm>
#include <cstddef>
#include <cstring>
#include <string_view>

#include "spec/identify.h"
#include "spec/opcode.h"
#include "ssd/admin/effects.h"
#include "ssd/tcp/connection.h"
#include "ssd/tcp/server.h"

namespace pynvme::ssd::tcp {
namespace {

namespace fabrics = spec::fabrics;
using spec::tcp::Fes;

// What an admin queue takes in a capsule, and every queue with Fabrics commands (NVMe TCP Transport
// 1.0 §3.3.2).
constexpr uint32_t kAdminInCapsuleBytes = 8192;
// No controller here takes more data with one command.
constexpr uint32_t kCapsuleDataBytesMax = 1 << 20;
// Every admin queue may be this long, 0's based: what ASQSZ of the Discovery log says.
constexpr uint16_t kAdminSqsizeMin = 31;
constexpr uint16_t kSequence = fail(spec::sc::kCommandSequenceError);

template <typename To>
To as(const spec::Sqe& sqe) {
  static_assert(sizeof(To) == sizeof(spec::Sqe));
  To to;
  std::memcpy(&to, &sqe, sizeof to);
  return to;
}

spec::DataDirection direction_of(const spec::Sqe& sqe) {
  return spec::data_direction(sqe.opcode == fabrics::kOpcode ? as<fabrics::Command>(sqe).fctype
                                                             : sqe.opcode);
}

uint16_t connect_invalid(spec::Cqe& cqe, size_t offset, bool in_data) {
  cqe.cdw0 = static_cast<uint32_t>(offset) | (in_data ? fabrics::kIattrData : 0);
  return fail_specific(spec::sc::kFabricsConnectInvalidParameters);
}

// Empty when it is not terminated.
std::string_view nqn_of(const char (&field)[256]) {
  const auto* const end = static_cast<const char*>(std::memchr(field, 0, sizeof field));
  if (end == nullptr || end - field > static_cast<ptrdiff_t>(fabrics::kNqnBytesMax)) return {};
  return {field, static_cast<size_t>(end - field)};
}

}  // namespace

int Connection::free_slot() {
  if (free_slots_.empty()) return -1;
  const uint16_t index = free_slots_.back();
  free_slots_.pop_back();
  return index;
}

void Connection::release(Slot& slot) {
  if (slot.buffer != nullptr) server_.pool().give_back(slot.buffer, slot.length);
  slot.buffer = nullptr;
  slot.stage = Stage::kFree;
}

void Connection::capsule(const spec::tcp::CapsuleCmd& pdu, uint32_t data_bytes) {
  // A PLEN that cannot be true would have the host feed gigabytes to nobody.
  if (data_bytes > kCapsuleDataBytesMax) {
    return terminate(Fes::kLimitExceeded, 0, &pdu, sizeof pdu);
  }
  const int free = free_slot();
  if (free < 0) {
    // More commands than the queue has entries.
    return terminate(Fes::kSequenceError, 0, &pdu, sizeof pdu);
  }
  const auto index = static_cast<uint16_t>(free);
  Slot& slot = slots_[index];
  slot = Slot();
  slot.sqe = pdu.sqe;
  slot.stage = Stage::kCapsule;
  const spec::DataDirection direction = direction_of(slot.sqe);
  slot.to_host = direction == spec::DataDirection::kControllerToHost;
  if (by_cid_[slot.sqe.cid] != 0) {
    slot.refused = fail_once(spec::sc::kCommandIdConflict);
  } else {
    by_cid_[slot.sqe.cid] = static_cast<uint16_t>(index + 1);
    slot.refused = check_pointer(slot, data_bytes);
    if (slot.refused == kSuccess) slot.refused = refuse_unauthenticated(slot);
  }
  if (slot.refused == kSuccess && direction != spec::DataDirection::kNone) {
    const spec::SglDescriptor sgl = as<fabrics::Command>(slot.sqe).sgl1;
    if (sgl.length != 0 && sgl.identifier == spec::kSglInCapsule) {
      slot.offset = static_cast<uint32_t>(sgl.address);
    }
    slot.length = slot.offset + sgl.length;
    if (slot.length != 0) slot.buffer = server_.pool().take(slot.length);
    // What a command does not fill must not be what another host left there.
    const bool filled = qid_ != 0 && slot.sqe.opcode != fabrics::kOpcode;
    if (slot.to_host && slot.length != 0 && !filled) std::memset(slot.buffer, 0, slot.length);
  }
  if (data_bytes != 0) {
    Payload payload;
    payload.what = slot.refused == kSuccess ? Payload::For::kCapsule : Payload::For::kDiscard;
    payload.slot = index;
    payload.to = slot.refused == kSuccess ? slot.buffer : nullptr;
    return expect(payload, pdu.ch, data_bytes);
  }
  if (slot.refused != kSuccess) return finish(index, slot.refused);
  if (direction == spec::DataDirection::kHostToController && slot.length != 0) {
    slot.stage = Stage::kWaitsForData;
    return request_data(index);
  }
  execute(index);
}

uint16_t Connection::check_pointer(const Slot& slot, uint32_t data_bytes) const {
  const spec::Sqe& sqe = slot.sqe;
  // On a fabric data are always pointed to by an SGL, and no command of it is fused here. The byte
  // that says so is reserved in a Fabrics command (NVMe Base 2.0 §6.2).
  if (sqe.opcode != fabrics::kOpcode &&
      (sqe.fuse() != spec::Fuse::kNormal || sqe.psdt() != spec::Psdt::kSglMetadataBuffer)) {
    return kInvalidField;
  }
  const spec::SglDescriptor sgl = as<fabrics::Command>(sqe).sgl1;
  const spec::DataDirection direction = direction_of(sqe);
  if (direction == spec::DataDirection::kBidirectional) return fail(spec::sc::kInvalidOpcode);
  if (direction == spec::DataDirection::kNone || sgl.length == 0) {
    return data_bytes == 0 ? kSuccess : kInvalidField;
  }
  if (sgl.length > server_.subsystem().config().mdts_bytes) return kInvalidField;
  if (sgl.identifier == spec::kSglTransport) return data_bytes == 0 ? kSuccess : kInvalidField;
  if (sgl.identifier != spec::kSglInCapsule) return fail(spec::sc::kSglDescriptorTypeInvalid);
  if (direction != spec::DataDirection::kHostToController) return kInvalidField;
  const uint32_t most = qid_ == 0 || sqe.opcode == fabrics::kOpcode
                            ? std::max(kAdminInCapsuleBytes, server_.options().in_capsule_bytes)
                            : server_.options().in_capsule_bytes;
  // ICDOFF is 0; the address counts from there (SGLS, bit 20), and the data are the capsule's last.
  if (sgl.length > most || sgl.address > most - sgl.length) {
    return fail(spec::sc::kSglOffsetInvalid);
  }
  if (sgl.address + sgl.length == data_bytes) return kSuccess;
  return fail(sgl.address == 0 ? spec::sc::kDataSglLengthInvalid : spec::sc::kSglOffsetInvalid);
}

void Connection::request_data(uint16_t index) {
  Slot& slot = slots_[index];
  const uint32_t most =
      server_.options().r2t_bytes_max == 0 ? slot.length : server_.options().r2t_bytes_max;
  while (slot.requested < slot.length && slot.r2ts_active < r2ts_max_) {
    uint32_t free = 0;
    while (slot.r2ts[free].active) ++free;
    const uint32_t bytes = std::min(most, slot.length - slot.requested);
    slot.r2ts[free] = {true, slot.requested, bytes, 0};
    slot.requested += bytes;
    ++slot.r2ts_active;
    add_r2t(index, free);
  }
}

void Connection::execute(uint16_t index) {
  Slot& slot = slots_[index];
  // The command itself is well, so that it may succeed when it is sent again (§3.4.2).
  if (slot.digest_error) return finish(index, fail_once(spec::sc::kTransientTransportError));
  slot.stage = Stage::kAtWork;
  if (slot.sqe.opcode == fabrics::kOpcode) {
    spec::Cqe cqe{};
    cqe.cid = slot.sqe.cid;  // Connect makes room for more slots, and moves this one
    cqe.status = execute_fabrics(slot, cqe);
    cqe.sqid = qid_;
    ready_known_ = false;
    return finish(index, cqe);
  }
  if (controller_ == nullptr) return finish(index, kSequence);
  if (!ready_known_) {
    ready_ = controller_->ready();
    ready_known_ = true;
  }
  if (!ready_) return finish(index, kSequence);
  if (qid_ == 0 &&
      std::ranges::find(kPciAdminCommands, slot.sqe.opcode) != std::end(kPciAdminCommands)) {
    return finish(index, fail(spec::sc::kInvalidOpcode));
  }
  spec::Sqe sqe = slot.sqe;
  sqe.flags = 0;
  sqe.prp1 = reinterpret_cast<uint64_t>(slot.buffer + slot.offset);
  slot.direct = {slot.length - slot.offset, 0};
  sqe.prp2 = reinterpret_cast<uint64_t>(&slot.direct);
  controller_->submit(qid_, sqe);
  rung_needed_ = true;
  // Admin commands look at what those before them did to this queue.
  if (qid_ == 0) collect();
}

uint16_t Connection::execute_fabrics(Slot& slot, spec::Cqe& cqe) {
  const auto command = as<fabrics::Command>(slot.sqe);
  if (command.fctype == fabrics::kConnect) {
    return controller_ == nullptr ? connect(slot, cqe) : kSequence;
  }
  if (controller_ == nullptr) return kSequence;
  switch (command.fctype) {
    case fabrics::kPropertyGet: {
      if (qid_ != 0) return kInvalidField;
      uint64_t value = 0;
      const uint16_t status = controller_->property_get(as<fabrics::Property>(slot.sqe), &value);
      cqe.cdw0 = static_cast<uint32_t>(value);
      cqe.cdw1 = static_cast<uint32_t>(value >> 32);
      return status;
    }
    case fabrics::kPropertySet: {
      if (qid_ != 0) return kInvalidField;
      const uint16_t status = controller_->property_set(as<fabrics::Property>(slot.sqe));
      if (controller_->take_queues_gone()) server_.queues_gone(*this);
      return status;
    }
    case fabrics::kDisconnect:
      // Of an I/O queue; an admin queue ends with its connection (NVMe Base 2.0 §6.3).
      if (qid_ == 0) return fail_specific(spec::sc::kFabricsInvalidQueueType);
      if (as<fabrics::Disconnect>(slot.sqe).recfmt != 0) {
        return fail_specific(spec::sc::kFabricsIncompatibleFormat);
      }
      closes_ = true;
      return kSuccess;
    case fabrics::kAuthenticationSend:
    case fabrics::kAuthenticationReceive:
      if (authentication_ == nullptr) return fail(spec::sc::kInvalidOpcode);
      return authenticate(slot);
    default:
      return fail(spec::sc::kInvalidOpcode);
  }
}

// Until it has succeeded there is nothing else on this queue (NVMe Base 2.0 §6.3, AUTHREQ).
uint16_t Connection::refuse_unauthenticated(const Slot& slot) const {
  if (authentication_ == nullptr || authentication_->done()) return kSuccess;
  if (slot.sqe.opcode == fabrics::kOpcode) {
    const uint8_t fctype = as<fabrics::Command>(slot.sqe).fctype;
    if (fctype == fabrics::kAuthenticationSend || fctype == fabrics::kAuthenticationReceive) {
      return kSuccess;
    }
  }
  return fail_specific(spec::sc::kFabricsAuthenticationRequired);
}

uint16_t Connection::authenticate(Slot& slot) {
  const auto command = as<fabrics::Authentication>(slot.sqe);
  if (command.secp != fabrics::kSecpNvmeAuthentication || command.spsp0 != spec::auth::kSpsp ||
      command.spsp1 != spec::auth::kSpsp || command.length == 0) {
    return kInvalidField;
  }
  // TL and AL are the data; SGLS says that the SGL may be longer.
  if (command.length > slot.length - slot.offset) return fail(spec::sc::kDataSglLengthInvalid);
  uint8_t* const data = slot.buffer + slot.offset;
  if (!slot.to_host) {
    if (!authentication_->take({data, command.length})) return kSequence;
  } else {
    const auto message = authentication_->give(command.length);
    if (!message) return kInvalidField;
    std::ranges::copy(*message, data);
    slot.direct.used = command.length;  // what is behind the message is zero
  }
  if (authentication_->over()) closes_ = true;
  if (authentication_->done()) authentication_due_ns_ = UINT64_MAX;
  return kSuccess;
}

uint16_t Connection::connect(Slot& slot, spec::Cqe& cqe) {
  const auto command = as<fabrics::Connect>(slot.sqe);
  if (command.recfmt != 0) return fail_specific(spec::sc::kFabricsIncompatibleFormat);
  if (slot.length - slot.offset != sizeof(fabrics::ConnectData)) {
    return fail(spec::sc::kDataSglLengthInvalid);
  }
  fabrics::ConnectData data;
  std::memcpy(&data, slot.buffer + slot.offset, sizeof data);
  if (nqn_of(data.subnqn).empty()) {
    return connect_invalid(cqe, offsetof(fabrics::ConnectData, subnqn), true);
  }
  if (nqn_of(data.hostnqn).empty()) {
    return connect_invalid(cqe, offsetof(fabrics::ConnectData, hostnqn), true);
  }
  if (!is_of_its_host(data)) return fail_specific(spec::sc::kFabricsConnectInvalidHost);
  const uint16_t status =
      command.qid == 0 ? connect_admin(command, data, cqe) : connect_io(command, data, cqe);
  if (status != kSuccess) return status;
  become_queue(command);
  cqe.cdw0 = controller_->cntlid();
  const Association& association = controller_->association();
  const DhchapKeys* const keys = server_.keys_of(association.hostnqn);
  // What the Discovery service tells is not worth a secret, and Linux asks for none there either.
  if (keys != nullptr && association.subnqn != fabrics::kDiscoveryNqn) {
    authentication_ = std::make_unique<Authentication>(*keys, server_.options().dhchap_preference,
                                                       association.subnqn);
    authentication_due_ns_ = server_.now() + server_.options().connect_timeout_ms * 1'000'000ULL;
    cqe.cdw0 |= fabrics::kAuthreqAtr;
  }
  return kSuccess;
}

uint16_t Connection::connect_admin(const fabrics::Connect& command,
                                   const fabrics::ConnectData& data, spec::Cqe& cqe) {
  const bool discovery = nqn_of(data.subnqn) == fabrics::kDiscoveryNqn;
  if (!discovery && nqn_of(data.subnqn) != server_.subsystem().nqn()) {
    return connect_invalid(cqe, offsetof(fabrics::ConnectData, subnqn), true);
  }
  if (!discovery && !server_.allows(nqn_of(data.hostnqn))) {
    return fail_specific(spec::sc::kFabricsConnectInvalidHost);
  }
  // Controllers are made for who connects: the host cannot ask for one (§3.1.2, dynamic model).
  if (data.cntlid != fabrics::kCntlidDynamic) {
    return connect_invalid(cqe, offsetof(fabrics::ConnectData, cntlid), true);
  }
  if (command.sqsize == 0 ||
      command.sqsize > std::max(server_.subsystem().config().mqes, kAdminSqsizeMin)) {
    return connect_invalid(cqe, offsetof(fabrics::Connect, sqsize), false);
  }
  Association association;
  association.subnqn = nqn_of(data.subnqn);
  association.hostnqn = nqn_of(data.hostnqn);
  std::copy(std::begin(data.hostid), std::end(data.hostid), association.hostid.begin());
  controller_ = server_.associate(*this, std::move(association), discovery);
  if (controller_ == nullptr) return fail_specific(spec::sc::kFabricsControllerBusy);
  controller_->set_keep_alive(command.kato, server_.now());
  return kSuccess;
}

uint16_t Connection::connect_io(const fabrics::Connect& command, const fabrics::ConnectData& data,
                                spec::Cqe& cqe) {
  Controller* const controller = server_.find(data.cntlid);
  if (controller == nullptr) {
    return connect_invalid(cqe, offsetof(fabrics::ConnectData, cntlid), true);
  }
  const Association& association = controller->association();
  if (nqn_of(data.subnqn) != association.subnqn) {
    return connect_invalid(cqe, offsetof(fabrics::ConnectData, subnqn), true);
  }
  if (nqn_of(data.hostnqn) != association.hostnqn) {
    return connect_invalid(cqe, offsetof(fabrics::ConnectData, hostnqn), true);
  }
  if (!std::ranges::equal(data.hostid, association.hostid)) {
    return connect_invalid(cqe, offsetof(fabrics::ConnectData, hostid), true);
  }
  if (command.qid > controller->io_queues()) {
    return connect_invalid(cqe, offsetof(fabrics::Connect, qid), false);
  }
  if (command.sqsize == 0 || command.sqsize >= controller->queue_entries_max()) {
    return connect_invalid(cqe, offsetof(fabrics::Connect, sqsize), false);
  }
  if (!controller->ready() || server_.has_queue(data.cntlid, command.qid)) return kSequence;
  controller_ = controller;
  qid_ = command.qid;
  server_.join(*this);
  return kSuccess;
}

void Connection::become_queue(const fabrics::Connect& command) {
  entries_ = command.sqsize + 1U;
  flow_control_ = (command.cattr & fabrics::kCattrDisableSqFlowControl) == 0;
  sq_head_ = 0;
  // NOLINTNEXTLINE(clang-analyzer-core.CallAndMessage): a Connect that succeeded has set it.
  controller_->open_queue(qid_, entries_, command.cattr & 3);
  // Connect itself has the one slot that there was.
  const size_t had = slots_.size();
  slots_.resize(entries_);
  for (size_t i = slots_.size(); i > had; --i) {
    free_slots_.push_back(static_cast<uint16_t>(i - 1));
  }
  deadline_ns_ = UINT64_MAX;
}

void Connection::collect() {
  if (controller_ == nullptr) return;
  if (rung_needed_) {
    rung_needed_ = false;
    controller_->ring(qid_);
  }
  spec::Cqe cqe;
  while (controller_ != nullptr && controller_->take(qid_, &cqe)) {
    const uint16_t slot = by_cid_[cqe.cid];
    cqe.status &= 0xFFFE;  // a fabric has no phase
    if (slot == 0) {
      // Of no command that there is: a fault has made it up, and the host gets it as it is.
      cqe.sqhd = flow_control_ ? sq_head_ : uint16_t{0xFFFF};
      add_response(cqe);
      continue;
    }
    finish(static_cast<uint16_t>(slot - 1), cqe);
  }
}

void Connection::finish(uint16_t index, uint16_t status) {
  spec::Cqe cqe{};
  cqe.cid = slots_[index].sqe.cid;
  cqe.sqid = qid_;
  cqe.status = status;
  finish(index, cqe);
}

void Connection::finish(uint16_t index, spec::Cqe cqe) {
  Slot& slot = slots_[index];
  const bool ok = spec::status_ok(cqe.status);
  // Not of the command whose CID this one repeats.
  if (by_cid_[cqe.cid] == index + 1) by_cid_[cqe.cid] = 0;
  if (ok && qid_ == 0 && controller_ != nullptr && slot.sqe.opcode != fabrics::kOpcode) {
    controller_->completed(slot.sqe, server_.now());
  }
  if (flow_control_) {
    if (entries_ > 1) sq_head_ = static_cast<uint16_t>((sq_head_ + 1U) % entries_);
    cqe.sqhd = sq_head_;
  } else {
    cqe.sqhd = 0xFFFF;
  }
  // C2HData can say that the command succeeded, where there is nothing else to say (§3.3.2.2).
  const bool with_data = ok && slot.to_host && slot.direct.used != 0;
  const bool short_cut =
      with_data && !flow_control_ && cqe.cdw0 == 0 && cqe.cdw1 == 0 && cqe.status == kSuccess;
  if (with_data) add_data(slot, short_cut);
  if (!short_cut) add_response(cqe);
  if (dead_) return;
  release(slot);
  free_slots_.push_back(index);
}

// The command that reset the controller goes on; all others are forgotten, unanswered.
void Connection::forget_commands() {
  for (size_t i = 0; i < slots_.size(); ++i) {
    Slot& slot = slots_[i];
    // Those whose data are on their way are told when these are here.
    if (slot.stage != Stage::kAtWork || slot.sqe.opcode == fabrics::kOpcode) continue;
    by_cid_[slot.sqe.cid] = 0;
    release(slot);
    free_slots_.push_back(static_cast<uint16_t>(i));
  }
}

}  // namespace pynvme::ssd::tcp
