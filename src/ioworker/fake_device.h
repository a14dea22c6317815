// For tests only: a device as small as it can be. It has no registers and no admin queue; it makes
// queue pairs out of plain memory, carries out the NVM command set on an array of LBAs in the
// thread that rings, and lets a test spoil what it likes.
#pragma once

#include <cstdint>
#include <cstring>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "driver/lba_layout.h"
#include "driver/queue_pair.h"
#include "pcie/dma_memory.h"
#include "pcie/function.h"
#include "spec/command.h"
#include "spec/opcode.h"
#include "spec/status.h"

namespace pynvme::ioworker {

class FakeDevice : public pcie::Function {
 public:
  FakeDevice(uint64_t lba_count, uint32_t lba_bytes)
      : FakeDevice(lba_count, driver::LbaLayout{.data_bytes = lba_bytes}) {}
  FakeDevice(uint64_t lba_count, const driver::LbaLayout& layout)
      : layout_(layout),
        lba_bytes_(layout.data_bytes),
        media_(lba_count * lba_bytes_),
        metadata_(lba_count * layout.metadata_bytes),
        spoiled_(lba_count, false) {
    pcie::DmaMemory::instance().attach(*this);
  }
  ~FakeDevice() override { pcie::DmaMemory::instance().detach(*this); }

  std::unique_ptr<driver::QueuePair> make_pair(uint32_t entries, const base::Clock& clock) {
    // Before the lock: new memory may be mapped into this very device.
    pcie::DmaBlock memory = pcie::DmaMemory::instance().allocate(entries * 80);
    const std::lock_guard guard(mutex_);
    const auto id = static_cast<uint16_t>(queues_.size() + 1);
    queues_.push_back(std::make_unique<Queue>());
    Queue& queue = *queues_.back();
    queue.id = id;
    queue.entries = entries;
    queue.memory = std::move(memory);
    queue.sq = reinterpret_cast<spec::Sqe*>(queue.memory.data());
    queue.cq = reinterpret_cast<spec::Cqe*>(queue.memory.data() + entries * sizeof(spec::Sqe));
    const driver::SubmissionQueue sq(id, entries, {queue.sq, queue.memory.iova()}, doorbells(4));
    const driver::CompletionQueue cq(id, entries, {queue.cq, 0}, doorbells(4));
    return std::make_unique<driver::QueuePair>(sq, cq, clock);
  }

  // Called for each command before it is carried out; a status other than 0 is its result, and
  // nothing else happens.
  std::function<uint16_t(const spec::Sqe&)> before;
  // Called after a command was carried out; may change the media.
  std::function<void(const spec::Sqe&)> after;
  // While set, commands wait; complete_waiting() finishes them.
  bool hold = false;

  void complete_waiting(size_t count = SIZE_MAX) {
    const std::lock_guard guard(mutex_);
    for (; count > 0 && !waiting_.empty(); --count) {
      const auto [queue, sqe] = waiting_.front();
      waiting_.pop_front();
      execute(*queue, sqe);
    }
  }
  size_t waiting() const { return waiting_.size(); }
  void lose_waiting() { waiting_.clear(); }

  uint8_t* lba(uint64_t lba) { return &media_[lba * lba_bytes_]; }
  uint8_t* metadata(uint64_t lba) { return &metadata_[lba * layout_.metadata_bytes]; }
  std::vector<spec::Sqe> seen;  // all commands, in order of arrival, when `record` is set
  bool record = false;

  const std::string& name() const override { return name_; }
  uint32_t config_read(uint16_t, unsigned) override { return 0; }
  void config_write(uint16_t, uint32_t, unsigned) override {}
  uint32_t config_size() const override { return 256; }
  uint64_t bar_size(unsigned) const override { return 0; }
  uint64_t bar_read(unsigned, uint64_t, unsigned) override { return 0; }
  void bar_write(unsigned, uint64_t, uint64_t, unsigned) override {}
  pcie::Doorbells doorbells(uint32_t stride_bytes) override {
    return {doorbells_, stride_bytes, &FakeDevice::rung, nullptr, this};
  }
  void dma_map(uint64_t iova, void* memory, uint64_t size, int, uint64_t) override {
    const std::lock_guard guard(mutex_);
    maps_[iova] = {static_cast<uint8_t*>(memory), size};
  }
  void dma_unmap(uint64_t iova, uint64_t) override {
    const std::lock_guard guard(mutex_);
    maps_.erase(iova);
  }
  unsigned interrupt_vectors(pcie::InterruptKind) const override { return 0; }
  void enable_interrupts(pcie::InterruptKind, unsigned) override {}
  void disable_interrupts() override {}
  uint64_t take_interrupts(unsigned) override { return 0; }
  void mask_interrupt(unsigned, bool) override {}
  bool interrupt_pending(unsigned) override { return false; }
  void function_level_reset() override {}
  void hot_reset() override {}
  void power_off() override {}
  void power_on() override {}

 private:
  struct Queue {
    uint16_t id = 0;
    uint32_t entries = 0;
    uint32_t head = 0;
    uint32_t tail = 0;
    bool phase = true;
    pcie::DmaBlock memory;
    spec::Sqe* sq = nullptr;
    spec::Cqe* cq = nullptr;
  };

  static void rung(void* device, uint32_t index) {
    if (index % 2 == 0) static_cast<FakeDevice*>(device)->on_sq_doorbell(index / 2);
  }

  void on_sq_doorbell(uint32_t id) {
    const std::lock_guard guard(mutex_);
    Queue& queue = *queues_[id - 1];
    const uint32_t tail = doorbells_[2 * id];
    while (queue.head != tail) {
      const spec::Sqe sqe = queue.sq[queue.head];
      queue.head = (queue.head + 1) % queue.entries;
      if (record) seen.push_back(sqe);
      if (hold) {
        waiting_.emplace_back(&queue, sqe);
      } else {
        execute(queue, sqe);
      }
    }
  }

  uint8_t* host(uint64_t iova) {
    auto map = std::prev(maps_.upper_bound(iova));
    return map->second.first + (iova - map->first);
  }

  // Every page that the command's PRPs name, one after the other.
  template <class Visit>
  void for_pages(const spec::Sqe& sqe, size_t bytes, Visit&& visit) {
    const size_t pages = (bytes + 4095) / 4096;
    const uint64_t* list = pages > 2 ? reinterpret_cast<uint64_t*>(host(sqe.prp2)) : nullptr;
    for (size_t page = 0; page < pages; ++page) {
      uint64_t iova = sqe.prp1;
      if (page != 0) iova = list != nullptr ? list[page - 1] : sqe.prp2;
      visit(host(iova), page * 4096, std::min<size_t>(4096, bytes - page * 4096));
    }
  }

  uint16_t carry_out(const spec::Sqe& sqe) {
    const uint64_t slba = sqe.slba();
    const uint64_t nlb = (sqe.cdw12 & 0xFFFF) + 1;
    const bool has_lbas =
        sqe.opcode != spec::io::kFlush && sqe.opcode != spec::io::kDatasetManagement;
    if (has_lbas && slba + nlb > spoiled_.size()) {
      return spec::make_status(spec::sct::kGeneric, spec::sc::kLbaOutOfRange);
    }
    const size_t bytes = nlb * lba_bytes_;
    if (layout_.metadata_bytes != 0 &&
        (sqe.opcode == spec::io::kRead || sqe.opcode == spec::io::kWrite)) {
      return transfer_with_metadata(sqe, slba, nlb);
    }
    switch (sqe.opcode) {
      case spec::io::kRead:
        for (uint64_t i = slba; i < slba + nlb; ++i) {
          if (spoiled_[i]) {
            return spec::make_status(spec::sct::kMedia, spec::sc::kUnrecoveredReadError);
          }
        }
        for_pages(sqe, bytes, [&](uint8_t* page, size_t at, size_t size) {
          std::memcpy(page, lba(slba) + at, size);
        });
        return 0;
      case spec::io::kWrite:
        for_pages(sqe, bytes, [&](const uint8_t* page, size_t at, size_t size) {
          std::memcpy(lba(slba) + at, page, size);
        });
        for (uint64_t i = slba; i < slba + nlb; ++i) spoiled_[i] = false;
        return 0;
      case spec::io::kWriteZeroes:
        std::memset(lba(slba), 0, bytes);
        for (uint64_t i = slba; i < slba + nlb; ++i) spoiled_[i] = false;
        return 0;
      case spec::io::kWriteUncorrectable:
        for (uint64_t i = slba; i < slba + nlb; ++i) spoiled_[i] = true;
        return 0;
      case spec::io::kDatasetManagement: {
        const uint8_t* range = host(sqe.prp1);
        uint32_t count = 0;
        uint64_t start = 0;
        std::memcpy(&count, range + 4, 4);
        std::memcpy(&start, range + 8, 8);
        std::memset(lba(start), 0, static_cast<size_t>(count) * lba_bytes_);
        return 0;
      }
      default:
        return 0;
    }
  }

  // What a controller makes of PRACT, whatever the real guard would be: the reference tag twice.
  void make_protection(uint64_t which) {
    const auto tag = static_cast<uint32_t>(which);
    std::memcpy(metadata(which), &tag, 4);
    std::memcpy(metadata(which) + 4, &tag, 4);
  }

  uint16_t transfer_with_metadata(const spec::Sqe& sqe, uint64_t slba, uint64_t nlb) {
    const bool writes = sqe.opcode == spec::io::kWrite;
    const bool pract = spec::io_pract(sqe.cdw12);
    if (layout_.protection == 1 && sqe.cdw14 != static_cast<uint32_t>(slba)) {
      return spec::make_status(spec::sct::kCommandSpecific, 0x81);
    }
    const size_t stride = layout_.stride(pract);
    const size_t apart = layout_.separate_bytes(pract);
    if (apart != 0 && sqe.mptr == 0) {
      return spec::make_status(spec::sct::kGeneric, spec::sc::kInvalidField);
    }
    std::vector<uint8_t> wire(nlb * stride);
    uint8_t* const mptr = apart != 0 ? host(sqe.mptr) : nullptr;
    if (writes) {
      for_pages(sqe, wire.size(), [&](const uint8_t* page, size_t at, size_t size) {
        std::memcpy(&wire[at], page, size);
      });
    }
    for (uint64_t i = 0; i < nlb; ++i) {
      uint8_t* const data = &wire[i * stride];
      uint8_t* const beside = apart != 0            ? mptr + i * apart
                              : stride > lba_bytes_ ? data + lba_bytes_
                                                    : nullptr;
      if (writes) {
        std::memcpy(lba(slba + i), data, lba_bytes_);
        if (beside != nullptr) std::memcpy(metadata(slba + i), beside, layout_.metadata_bytes);
        if (pract) make_protection(slba + i);
      } else {
        std::memcpy(data, lba(slba + i), lba_bytes_);
        if (beside != nullptr) std::memcpy(beside, metadata(slba + i), layout_.metadata_bytes);
      }
    }
    if (!writes) {
      for_pages(sqe, wire.size(),
                [&](uint8_t* page, size_t at, size_t size) { std::memcpy(page, &wire[at], size); });
    }
    return 0;
  }

  void execute(Queue& queue, const spec::Sqe& sqe) {
    uint16_t status = before ? before(sqe) : uint16_t{0};
    if (status == 0) status = carry_out(sqe);
    if (after) after(sqe);
    spec::Cqe cqe{};
    cqe.sqid = queue.id;
    cqe.sqhd = static_cast<uint16_t>(queue.head);
    cqe.cid = sqe.cid;
    cqe.status = spec::with_phase(status, queue.phase);
    queue.cq[queue.tail] = cqe;
    if (++queue.tail == queue.entries) {
      queue.tail = 0;
      queue.phase = !queue.phase;
    }
  }

  std::string name_ = "fake";
  driver::LbaLayout layout_;
  uint32_t lba_bytes_;
  std::vector<uint8_t> media_;
  std::vector<uint8_t> metadata_;
  std::vector<bool> spoiled_;
  std::mutex mutex_;
  std::map<uint64_t, std::pair<uint8_t*, uint64_t>> maps_;
  std::vector<std::unique_ptr<Queue>> queues_;
  std::deque<std::pair<Queue*, spec::Sqe>> waiting_;
  uint32_t doorbells_[256] = {};
};

}  // namespace pynvme::ioworker
