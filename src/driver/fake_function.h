// A scriptable NVMe device for the driver's tests: it works in the caller's thread, answers the
// admin commands of an initialisation, holds IO commands until the test completes them, and
// misbehaves on demand. It shares no code with the embedded SSD, and knows nothing of data.
#pragma once

#include <array>
#include <cstring>
#include <functional>
#include <map>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "pcie/function.h"
#include "spec/command.h"
#include "spec/command_fields.h"
#include "spec/identify.h"
#include "spec/opcode.h"
#include "spec/pci.h"
#include "spec/registers.h"

namespace pynvme::driver {

class FakeFunction final : public pcie::Function {
 public:
  struct Write {
    uint32_t offset;
    uint64_t value;
    bool operator==(const Write&) const = default;
  };
  struct Queue {
    uint64_t sq_iova = 0;
    uint64_t cq_iova = 0;
    uint32_t entries = 0;
    uint32_t sq_head = 0;
    uint32_t cq_tail = 0;
    bool phase = true;
    uint16_t vector = 0;
    std::vector<spec::Sqe> held;  // fetched, not completed, oldest first
  };

  FakeFunction() {
    cap = spec::Cap{0}.with_mqes(1023).with_cqr(true).with_to(4).with_css(spec::kCapCssNvm);
    identify.sqes = 0x66;
    identify.cqes = 0x44;
    identify.aerl = 3;
    identify.mdts = 5;
    identify.nn = 1;
  }
  ~FakeFunction() override { pcie::DmaMemory::instance().detach(*this); }
  void attach() { pcie::DmaMemory::instance().attach(*this); }

  // What the test sets.
  spec::Cap cap{};
  spec::IdentifyController identify{};
  std::vector<uint32_t> namespaces{1};
  std::function<void()> on_read;  // at each read of a register: lets a manual clock run
  std::function<void()> on_poll;  // at each look at a completion queue that is empty
  bool vanished = false;          // all reads are all ones
  bool stuck = false;             // CSTS.RDY never follows CC.EN
  bool silent_shutdown = false;   // CSTS.SHST never says complete
  bool fatal = false;             // CSTS.CFS
  bool send_interrupts = true;
  unsigned vectors = 8;                 // of MSI-X
  std::set<uint8_t> silent;             // admin opcodes that are held instead of answered
  std::map<uint8_t, uint16_t> failing;  // admin opcode -> status
  bool complete_io = false;             // IO commands succeed at once
  // What the test sees.
  std::vector<Write> writes;  // to registers
  std::vector<spec::Sqe> admin_commands;
  std::map<uint16_t, Queue> queues;
  bool bus_master = false;
  uint32_t polls = 0;

  // Completes a held command, in any order.
  void complete(uint16_t qid, uint16_t cid, uint16_t status = 0, uint32_t cdw0 = 0) {
    auto& held = queues.at(qid).held;
    for (auto command = held.begin(); command != held.end(); ++command) {
      if (command->cid != cid) continue;
      held.erase(command);
      post(qid, {cdw0, 0, static_cast<uint16_t>(queues.at(qid).sq_head), qid, cid, status});
      return;
    }
    throw std::logic_error("no such command is held");
  }
  // Posts any entry at all; the phase bit is put right.
  void post(uint16_t qid, spec::Cqe cqe) {
    Queue& queue = queues.at(qid);
    cqe.status = spec::with_phase(cqe.status, queue.phase);
    std::memcpy(host(queue.cq_iova + queue.cq_tail * sizeof(cqe)), &cqe, sizeof(cqe));
    if (++queue.cq_tail == queue.entries) {
      queue.cq_tail = 0;
      queue.phase = !queue.phase;
    }
    if (send_interrupts && queue.vector < counts_.size()) ++counts_[queue.vector];
  }
  uint8_t* host(uint64_t iova) {
    for (const auto& [base, memory] : memory_) {
      if (iova >= base && iova < base + memory.second) return memory.first + (iova - base);
    }
    throw std::logic_error("the host never mapped this address");
  }

  const std::string& name() const override { return name_; }
  uint32_t config_read(uint16_t offset, unsigned size) override {
    if (vanished) return size == 4 ? UINT32_MAX : (1U << (8 * size)) - 1;
    uint32_t value = 0;
    std::memcpy(&value, config_.data() + offset, size);
    return value;
  }
  void config_write(uint16_t offset, uint32_t value, unsigned size) override {
    std::memcpy(config_.data() + offset, &value, size);
    if (offset == spec::pci::kCommand) bus_master = (value & spec::pci::kCommandBusMaster) != 0;
  }
  uint32_t config_size() const override { return 256; }
  uint64_t bar_size(unsigned bar) const override { return bar == 0 ? 0x4000 : 0; }
  uint64_t bar_read(unsigned, uint64_t offset, unsigned size) override {
    if (on_read) on_read();
    if (vanished) return size == 8 ? UINT64_MAX : UINT32_MAX;
    switch (offset) {
      case spec::reg::kCap:
        return size == 8 ? cap.value : static_cast<uint32_t>(cap.value);
      case spec::reg::kCap + 4:
        return cap.value >> 32;
      case spec::reg::kVs:
        return spec::make_version(1, 4, 0);
      case spec::reg::kCc:
        return cc_.value;
      case spec::reg::kCsts:
        return csts_.with_cfs(fatal).value;
      default:
        return 0;
    }
  }
  void bar_write(unsigned, uint64_t offset, uint64_t value, unsigned) override {
    if (vanished) return;
    writes.push_back({static_cast<uint32_t>(offset), value});
    const auto low = static_cast<uint32_t>(value);
    switch (offset) {
      case spec::reg::kCc:
        write_cc(spec::Cc{low});
        break;
      case spec::reg::kAqa:
        aqa_ = {low};
        break;
      case spec::reg::kAsq:
      case spec::reg::kAsq + 4:
      case spec::reg::kAcq:
      case spec::reg::kAcq + 4:
        set_half(offset < spec::reg::kAcq ? asq_ : acq_, offset % 8 != 0, low);
        break;
      default:
        break;
    }
  }
  pcie::Doorbells doorbells(uint32_t stride_bytes) override {
    return {
        .base = doorbells_.data(),
        .stride_bytes = stride_bytes,
        .rung = [](void* self, uint32_t index) { static_cast<FakeFunction*>(self)->rung(index); },
        .poll = [](void* self) { static_cast<FakeFunction*>(self)->polled(); },
        .device = this};
  }
  void dma_map(uint64_t iova, void* memory, uint64_t size, int, uint64_t) override {
    memory_[iova] = {static_cast<uint8_t*>(memory), size};
  }
  void dma_unmap(uint64_t iova, uint64_t) override { memory_.erase(iova); }
  unsigned interrupt_vectors(pcie::InterruptKind kind) const override {
    return kind == pcie::InterruptKind::kMsix ? vectors : 0;
  }
  void enable_interrupts(pcie::InterruptKind, unsigned count) override { counts_.assign(count, 0); }
  void disable_interrupts() override { counts_.clear(); }
  uint64_t take_interrupts(unsigned vector) override {
    return vector < counts_.size() ? std::exchange(counts_[vector], 0) : 0;
  }
  void mask_interrupt(unsigned, bool) override {}
  bool interrupt_pending(unsigned) override { return false; }
  void function_level_reset() override { reset(); }
  void hot_reset() override { reset(); }
  void power_off() override {
    reset();
    vanished = true;
  }
  void power_on() override { vanished = false; }

 private:
  static void set_half(uint64_t& value, bool high, uint32_t half) {
    value = high ? (value & UINT32_MAX) | static_cast<uint64_t>(half) << 32
                 : (value & ~uint64_t{UINT32_MAX}) | half;
  }
  void reset() {
    queues.clear();
    cc_ = {0};
    csts_ = {0};
    config_ = {};
    std::fill(doorbells_.begin(), doorbells_.end(), 0);
  }
  void write_cc(spec::Cc cc) {
    if (cc.en() && !cc_.en()) {
      queues.clear();
      queues[0] = {.sq_iova = asq_, .cq_iova = acq_, .entries = aqa_.asqs() + 1U, .held = {}};
      csts_ = csts_.with_rdy(!stuck);
    }
    if (!cc.en() && cc_.en()) {
      queues.clear();
      csts_ = spec::Csts{0}.with_rdy(stuck);
      std::fill(doorbells_.begin(), doorbells_.end(), 0);
    }
    if (cc.shn() != spec::Shn::kNone && cc_.shn() == spec::Shn::kNone && !silent_shutdown) {
      csts_ = csts_.with_shst(spec::Shst::kComplete);
    }
    cc_ = cc;
  }
  void polled() {
    ++polls;
    if (on_poll) on_poll();
  }
  void rung(uint32_t index) {
    const auto qid = static_cast<uint16_t>(index / 2);
    const auto found = queues.find(qid);
    if (vanished || index % 2 != 0 || found == queues.end()) return;
    Queue& queue = found->second;
    while (queue.sq_head != doorbells_[index]) {
      spec::Sqe sqe;
      std::memcpy(static_cast<void*>(&sqe), host(queue.sq_iova + queue.sq_head * sizeof(sqe)),
                  sizeof(sqe));
      queue.sq_head = (queue.sq_head + 1) % queue.entries;
      queue.held.push_back(sqe);
      if (qid == 0) {
        admin(sqe);
      } else if (complete_io) {
        complete(qid, sqe.cid);
      }
    }
  }
  void admin(const spec::Sqe& sqe) {
    admin_commands.push_back(sqe);
    if (silent.contains(sqe.opcode) || sqe.opcode == spec::admin::kAsyncEventRequest) return;
    if (const auto failure = failing.find(sqe.opcode); failure != failing.end()) {
      complete(0, sqe.cid, failure->second);
      return;
    }
    uint32_t cdw0 = 0;
    switch (sqe.opcode) {
      case spec::admin::kIdentify:
        answer_identify(sqe);
        break;
      case spec::admin::kSetFeatures:
        cdw0 = 0x0003'0003;  // four queue pairs
        break;
      case spec::admin::kCreateIoCq: {
        Queue& queue = queues[spec::queue_id(sqe.cdw10)];
        queue.cq_iova = sqe.prp1;
        queue.entries = spec::queue_size(sqe.cdw10) + 1U;
        queue.vector = spec::create_cq_iv(sqe.cdw11);
        break;
      }
      case spec::admin::kCreateIoSq:
        queues.at(spec::queue_id(sqe.cdw10)).sq_iova = sqe.prp1;
        break;
      case spec::admin::kDeleteIoCq:
        doorbells_[2U * spec::queue_id(sqe.cdw10)] = 0;
        queues.erase(spec::queue_id(sqe.cdw10));
        break;
      default:
        break;
    }
    complete(0, sqe.cid, 0, cdw0);
  }
  void answer_identify(const spec::Sqe& sqe) {
    if (spec::identify_cns(sqe.cdw10) == spec::cns::kController) {
      std::memcpy(host(sqe.prp1), &identify, sizeof(identify));
    }
    if (spec::identify_cns(sqe.cdw10) == spec::cns::kActiveNamespaceList) {
      spec::NamespaceList list{};
      size_t count = 0;
      for (const uint32_t nsid : namespaces) {
        if (nsid > sqe.nsid && count < 1024) list.nsid[count++] = nsid;
      }
      std::memcpy(host(sqe.prp1), &list, sizeof(list));
    }
  }

  std::string name_ = "fake";
  std::array<uint8_t, 256> config_{};
  std::array<volatile uint32_t, 0x800> doorbells_{};
  std::map<uint64_t, std::pair<uint8_t*, uint64_t>> memory_;
  std::vector<uint64_t> counts_;
  spec::Cc cc_{0};
  spec::Csts csts_{0};
  spec::Aqa aqa_{0};
  uint64_t asq_ = 0;
  uint64_t acq_ = 0;
};

}  // namespace pynvme::driver
