// A tiny NVMe host for the SSD's tests, written from the specification and sharing nothing with the
// driver or the wire structures: offsets, opcodes and status codes are numbers here, on purpose.
#pragma once

#include <array>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "base/clock.h"
#include "ssd/device.h"

namespace pynvme::ssd::testing {

// Command dwords. CDW0: opcode 7:0, FUSE 9:8, PSDT 15:14, CID 31:16.
struct Command {
  std::array<uint32_t, 16> dw{};

  static Command make(uint8_t opcode, uint32_t nsid = 0) {
    Command c;
    c.dw[0] = opcode;
    c.dw[1] = nsid;
    return c;
  }
  Command& set(unsigned index, uint32_t value) {
    dw[index] = value;
    return *this;
  }
  Command& prp(uint64_t prp1, uint64_t prp2 = 0) {
    dw[6] = static_cast<uint32_t>(prp1);
    dw[7] = static_cast<uint32_t>(prp1 >> 32);
    dw[8] = static_cast<uint32_t>(prp2);
    dw[9] = static_cast<uint32_t>(prp2 >> 32);
    return *this;
  }
  Command& slba(uint64_t lba) {
    dw[10] = static_cast<uint32_t>(lba);
    dw[11] = static_cast<uint32_t>(lba >> 32);
    return *this;
  }
  Command& nlb(uint32_t count) {
    dw[12] = (dw[12] & 0xFFFF0000) | (count - 1);
    return *this;
  }
  Command& fuse(uint32_t value) {
    dw[0] = (dw[0] & ~0x300u) | value << 8;
    return *this;
  }
  Command& cid(uint16_t id) {
    dw[0] = (dw[0] & 0xFFFF) | static_cast<uint32_t>(id) << 16;
    return *this;
  }
};

struct Completion {
  std::array<uint32_t, 4> dw{};

  uint32_t cdw0() const { return dw[0]; }
  uint16_t sqhd() const { return static_cast<uint16_t>(dw[2]); }
  uint16_t sqid() const { return static_cast<uint16_t>(dw[2] >> 16); }
  uint16_t cid() const { return static_cast<uint16_t>(dw[3]); }
  // SCT and SC as the specification writes them together: 0x0180 is 1h/80h.
  uint16_t status() const { return (dw[3] >> 17) & 0x7FF; }
  bool more() const { return (dw[3] >> 30 & 1) != 0; }
  bool dnr() const { return (dw[3] >> 31 & 1) != 0; }
};

// One SQ and the CQ it completes to, as the host sees them.
struct HostQueue {
  uint16_t sqid = 0;
  uint16_t cqid = 0;
  uint32_t depth = 0;
  uint64_t sq = 0;
  uint64_t cq = 0;
  uint32_t tail = 0;
  uint32_t head = 0;
  uint32_t phase = 1;
};

class TestHost : public HostPort {
 public:
  static constexpr uint64_t kBase = 0x1'0000'0000;
  static constexpr uint64_t kBytes = 16 << 20;

  explicit TestHost(const Config& config = quick()) : TestHost(config, true) {}
  TestHost(const Config& config, bool up)
      : clock(base::Clock::manual(1'000'000'000)),
        memory_(static_cast<uint8_t*>(std::aligned_alloc(4096, kBytes)), std::free),
        device(config, clock) {
    std::memset(memory_.get(), 0, kBytes);
    device.plug(*this);
    device.dma_map(kBase, memory_.get(), kBytes);
    set_command(0x0406);  // memory space, bus master, INTx off
    if (up) enable();
  }
  ~TestHost() override {
    device.unplug();
    device.dma_unmap(kBase, kBytes);
  }
  TestHost(const TestHost&) = delete;
  TestHost& operator=(const TestHost&) = delete;

  // Small and without latencies.
  static Config quick() {
    Config config;
    config.capacity_bytes = 64 << 20;
    config.latency_scale = 0;
    return config;
  }

  void message(uint64_t address, uint32_t data, uint32_t /*vector*/) override {
    messages.push_back({address, data});
  }
  void pin(bool asserted) override { pins.push_back(asserted); }

  // Whole pages, zeroed, never given back.
  uint64_t page(unsigned count = 1) {
    const uint64_t iova = kBase + next_page_ * 4096;
    next_page_ += count;
    EXPECT_LE(next_page_ * 4096, kBytes);
    return iova;
  }
  uint8_t* at(uint64_t iova) { return memory_.get() + (iova - kBase); }
  template <typename T>
  T get(uint64_t iova) {
    T value;
    std::memcpy(&value, at(iova), sizeof value);
    return value;
  }
  template <typename T>
  void put(uint64_t iova, T value) {
    std::memcpy(at(iova), &value, sizeof value);
  }

  uint32_t reg32(uint64_t offset) { return static_cast<uint32_t>(device.bar_read(0, offset, 4)); }
  uint64_t reg64(uint64_t offset) { return device.bar_read(0, offset, 8); }
  void set_reg32(uint64_t offset, uint32_t value) { device.bar_write(0, offset, value, 4); }
  void set_reg64(uint64_t offset, uint64_t value) { device.bar_write(0, offset, value, 8); }
  void set_command(uint16_t value) { device.config_write(0x04, value, 2); }
  void ring(uint32_t index, uint32_t value) { set_reg32(0x1000 + 4ULL * index, value); }

  // CC: IOCQES 4, IOSQES 6, EN.
  void enable(uint32_t cc = 0x00460001, uint32_t admin_depth = 32) {
    admin = HostQueue{0, 0, admin_depth, page(), page()};
    set_reg32(0x24, (admin_depth - 1) << 16 | (admin_depth - 1));
    set_reg64(0x28, admin.sq);
    set_reg64(0x30, admin.cq);
    set_reg32(0x14, cc);
    next_cid_ = 1;
  }
  void disable() { set_reg32(0x14, 0x00460000); }

  // Places a command without telling the device; returns its CID.
  uint16_t place(HostQueue& q, Command command, std::optional<uint16_t> cid = std::nullopt) {
    const uint16_t id = cid ? *cid : next_cid_++;
    command.cid(id);
    std::memcpy(at(q.sq + q.tail * 64ULL), command.dw.data(), 64);
    q.tail = (q.tail + 1) % q.depth;
    return id;
  }
  void ring_tail(HostQueue& q) { ring(2U * q.sqid, q.tail); }
  uint16_t submit(HostQueue& q, const Command& command,
                  std::optional<uint16_t> cid = std::nullopt) {
    const uint16_t id = place(q, command, cid);
    ring_tail(q);
    return id;
  }
  // The next completion that is there, if any; the device is told unless `quiet`.
  std::optional<Completion> poll(HostQueue& q, bool quiet = false) {
    Completion c;
    std::memcpy(c.dw.data(), at(q.cq + q.head * 16ULL), 16);
    if ((c.dw[3] >> 16 & 1) != q.phase) return std::nullopt;
    if (++q.head == q.depth) {
      q.head = 0;
      q.phase ^= 1;
    }
    if (!quiet) ring(2U * q.cqid + 1, q.head);
    return c;
  }
  // Moves time until a completion arrives; fails the test when none does within a second of it.
  Completion wait(HostQueue& q) {
    for (int i = 0; i < 100'000; ++i) {
      if (const auto c = poll(q)) return *c;
      clock.advance(10'000);
      device.advance();
    }
    ADD_FAILURE() << "no completion on queue " << q.sqid;
    return {};
  }
  Completion run(HostQueue& q, const Command& command) {
    const uint16_t cid = submit(q, command);
    const Completion c = wait(q);
    EXPECT_EQ(c.cid(), cid);
    return c;
  }
  Completion run(const Command& command) { return run(admin, command); }
  uint16_t status(const Command& command) { return run(admin, command).status(); }
  uint16_t status(HostQueue& q, const Command& command) { return run(q, command).status(); }

  Command create_cq(const HostQueue& q, uint32_t flags = 0x1) {
    return Command::make(0x05).prp(q.cq).set(10, (q.depth - 1) << 16 | q.cqid).set(11, flags);
  }
  Command create_sq(const HostQueue& q, uint32_t flags = 0x1) {
    return Command::make(0x01)
        .prp(q.sq)
        .set(10, (q.depth - 1) << 16 | q.sqid)
        .set(11, static_cast<uint32_t>(q.cqid) << 16 | flags);
  }
  HostQueue create_queue(uint16_t qid, uint32_t depth = 64, uint32_t cq_flags = 0x1,
                         uint32_t sq_flags = 0x1) {
    HostQueue q{qid, qid, depth, page((depth * 64 + 4095) / 4096),
                page((depth * 16 + 4095) / 4096)};
    EXPECT_EQ(status(create_cq(q, cq_flags)), 0);
    EXPECT_EQ(status(create_sq(q, sq_flags)), 0);
    return q;
  }

  base::Clock clock;

 private:
  std::unique_ptr<uint8_t, decltype(&std::free)> memory_;
  uint64_t next_page_ = 0;
  uint16_t next_cid_ = 1;

 public:
  Device device;  // after the memory that it reaches
  HostQueue admin;
  std::vector<std::pair<uint64_t, uint32_t>> messages;
  std::vector<bool> pins;
};

inline Command read_command(uint64_t prp1, uint64_t slba, uint32_t nlb, uint64_t prp2 = 0) {
  return Command::make(0x02, 1).prp(prp1, prp2).slba(slba).nlb(nlb);
}
inline Command write_command(uint64_t prp1, uint64_t slba, uint32_t nlb, uint64_t prp2 = 0) {
  return Command::make(0x01, 1).prp(prp1, prp2).slba(slba).nlb(nlb);
}

}  // namespace pynvme::ssd::testing
