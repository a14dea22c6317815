// What is to go wrong with PDUs that one side of a connection sends, told by a script in one thread
// and looked for by those that send in others. Both ends of NVMe/TCP have the same vocabulary; what
// an action does to a PDU is for who sends it.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <optional>
#include <vector>

namespace pynvme::base {

enum class WireAction : uint8_t {
  kCorruptHeader,  // a byte of the header, after its digest was computed
  kCorruptData,    // a byte of the data, after its digest was computed
  kTruncate,       // half of the PDU, then the end of the connection
  kOversize,       // PLEN says more than there is
  kDuplicate,      // twice
  kDrop,           // not at all
  kSwap,           // after the PDU that follows
  kDelay,          // later, and everything behind it
  kHalfOpen,       // neither this one nor anything more; the connection stays
  kReset,          // a reset of the connection instead
  kStopReading,    // sent; but the peer is not listened to any more
};

struct WireFault {
  WireAction action = WireAction::kCorruptHeader;
  std::optional<uint8_t> pdu_type;  // any when it is empty
  std::optional<uint16_t> qid;
  uint32_t skip = 0;   // PDUs that match and pass first
  uint32_t count = 1;  // that it befalls
  uint32_t delay_ms = 0;
};

class WireFaults {
 public:
  // Whether a fault may be due. All that sending costs without one.
  bool armed() const noexcept { return armed_.load(std::memory_order_relaxed); }

  void add(const WireFault& fault);
  void clear();
  // PDUs that are still to be befallen.
  uint32_t left() const;
  // The fault of a PDU that is about to be sent, if there is one.
  std::optional<WireFault> take(uint8_t pdu_type, uint16_t qid);

 private:
  std::atomic<bool> armed_{false};
  mutable std::mutex mutex_;
  std::vector<WireFault> faults_;
};

}  // namespace pynvme::base
