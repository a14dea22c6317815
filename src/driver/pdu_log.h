// The last PDUs of one connection, for whoever reads a command log: headers only, stamped once a
// batch. The queue's owner writes; any thread reads, and skips what is being overwritten.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "spec/tcp.h"

namespace pynvme::driver {

struct LoggedPdu {
  uint64_t time_ns = 0;
  spec::tcp::PduType type{};
  uint8_t flags = 0;
  bool sent = false;
  uint16_t cid = 0;  // FFFFh where there is none
  uint32_t plen = 0;
  uint32_t offset = 0;  // of data and R2T
  uint32_t length = 0;
};

// "sent CapsuleCmd plen:72", "received C2HData plen:4120 offset:0 length:4096 LAST SUCCESS"
std::string pdu_text(const LoggedPdu& pdu);

class PduLog {
 public:
  static constexpr uint32_t kRecords = 4096;

  PduLog() : records_(std::make_unique<Record[]>(kRecords)) {}

  void add(const LoggedPdu& pdu) noexcept {
    const uint64_t sequence = next_.load(std::memory_order_relaxed);
    Record& record = records_[sequence % kRecords];
    record.sequence.store(0, std::memory_order_release);
    record.time_ns.store(pdu.time_ns, std::memory_order_release);
    record.what.store(static_cast<uint64_t>(pdu.type) | uint64_t{pdu.flags} << 8 |
                          uint64_t{pdu.sent} << 16 | uint64_t{pdu.cid} << 24,
                      std::memory_order_release);
    record.size.store(pdu.plen, std::memory_order_release);
    record.data.store(pdu.offset | uint64_t{pdu.length} << 32, std::memory_order_release);
    record.sequence.store(sequence, std::memory_order_release);
    next_.store(sequence + 1, std::memory_order_release);
  }

  // Oldest first. Any thread.
  std::vector<LoggedPdu> all() const {
    std::vector<LoggedPdu> pdus;
    const uint64_t next = next_.load(std::memory_order_acquire);
    const uint64_t first = next > kRecords ? next - kRecords : 1;
    for (uint64_t sequence = first; sequence < next; ++sequence) {
      const Record& record = records_[sequence % kRecords];
      if (record.sequence.load(std::memory_order_acquire) != sequence) continue;
      const uint64_t what = record.what.load(std::memory_order_acquire);
      const uint64_t data = record.data.load(std::memory_order_acquire);
      LoggedPdu pdu;
      pdu.time_ns = record.time_ns.load(std::memory_order_acquire);
      pdu.type = static_cast<spec::tcp::PduType>(what & 0xFF);
      pdu.flags = static_cast<uint8_t>(what >> 8);
      pdu.sent = (what >> 16 & 1) != 0;
      pdu.cid = static_cast<uint16_t>(what >> 24);
      pdu.plen = static_cast<uint32_t>(record.size.load(std::memory_order_acquire));
      pdu.offset = static_cast<uint32_t>(data);
      pdu.length = static_cast<uint32_t>(data >> 32);
      if (record.sequence.load(std::memory_order_relaxed) == sequence) pdus.push_back(pdu);
    }
    return pdus;
  }

 private:
  struct Record {
    std::atomic<uint64_t> sequence{0};
    std::atomic<uint64_t> time_ns{0};
    std::atomic<uint64_t> what{0};
    std::atomic<uint64_t> size{0};
    std::atomic<uint64_t> data{0};
  };

  std::unique_ptr<Record[]> records_;
  std::atomic<uint64_t> next_{1};
};

}  // namespace pynvme::driver
