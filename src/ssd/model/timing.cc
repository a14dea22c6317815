#include "ssd/model/timing.h"

#include <algorithm>
#include <cmath>
#include <iterator>

namespace pynvme::ssd {
namespace {

constexpr uint64_t kDies = 64;
// The processor bounds IOPS (700 K/s) for small commands, the host link bandwidth (5 GB/s) for long
// ones.
constexpr uint64_t kProcessNs = 1'430;
constexpr uint64_t kLinkPsPerByte = 200;
constexpr uint64_t kCompletionNs =
    9'000;  // what a command takes beside that, in parallel to others
constexpr uint64_t kDieReadNs = 48'000;
constexpr uint64_t kReadJitterMask = 8'191;
constexpr uint64_t kTailMask = 255;            // one read of so many is read again
constexpr uint64_t kTailJitterMask = 262'143;  // and takes up to so much longer
constexpr uint64_t kReadBehindProgramNs = 40'000;
constexpr uint64_t kCacheWriteNs = 2'000;
constexpr uint64_t kWriteJitterMask = 1'023;
constexpr uint64_t kDestagePsPerByte = 333;      // 3 GB/s
constexpr uint64_t kDestageAheadNs = 4'000'000;  // what of the cache may wait to be destaged: 12 MB
constexpr uint64_t kProgramNs = 250'000;
constexpr uint64_t kFlushNs = 80'000;
constexpr uint64_t kDeallocateNs = 30'000;
constexpr uint64_t kDeallocateBytesPerNs = 1'000;  // a GB each ms
constexpr uint64_t kAdminNs = 20'000;
constexpr uint64_t kOtherNs = 100'000;
constexpr uint64_t kOtherBytesPerNs = 2'500;  // 256 GB in 100 ms
constexpr uint64_t kThrottlePercent[] = {100, 150, 400};
constexpr uint64_t kLowPowerJitterMask = 32'767;

uint64_t q16_of(double scale) { return static_cast<uint64_t>(std::llround(scale * 65536.0)); }

}  // namespace

Timing::Timing(double scale, uint64_t seed)
    : base_scale_q16_(q16_of(scale)),
      scale_q16_(base_scale_q16_),
      rng_(seed),
      die_free_ns_(kDies, 0) {}

uint64_t Timing::process(uint64_t bytes, uint64_t now_ns) {
  const uint64_t busy = std::max(kProcessNs, bytes * kLinkPsPerByte / 1000);
  processor_free_ns_ = std::max(processor_free_ns_, now_ns) + scaled(busy);
  return processor_free_ns_;
}

uint64_t Timing::read_ns(uint64_t slba, uint64_t bytes, uint64_t now_ns) {
  const uint64_t random = rng_.next();
  // Two uniform draws make a triangle.
  uint64_t ns = kDieReadNs + (random & kReadJitterMask) + (random >> 13 & kReadJitterMask);
  if ((random >> 26 & kTailMask) == 0) ns += random >> 36 & kTailJitterMask;
  // A die that programs is interrupted for the read, at a price.
  if (destage_free_ns_ > now_ns) ns += rng_.below(kReadBehindProgramNs);
  // Fibonacci hash of the 16 KiB page: 32 LBAs or 4 KiB x 32, whatever the format.
  const uint64_t die = (slba / 32 * 0x9E37'79B9'7F4A'7C15ULL) >> 58;
  static_assert(kDies == 1 << (64 - 58));
  die_free_ns_[die] = std::max(die_free_ns_[die], process(bytes, now_ns)) + scaled(ns);
  return die_free_ns_[die] + scaled(kCompletionNs);
}

uint64_t Timing::write_ns(uint64_t bytes, bool durable, uint64_t now_ns) {
  const uint64_t jitter = rng_.next() & kWriteJitterMask;
  const uint64_t taken = process(bytes, now_ns) + scaled(kCompletionNs + kCacheWriteNs + jitter);
  destage_free_ns_ = std::max(destage_free_ns_, now_ns) + scaled(bytes * kDestagePsPerByte / 1000);
  if (durable)
    return std::max(taken, now_ns) + scaled(kProgramNs + bytes * kDestagePsPerByte / 1000);
  const uint64_t ahead = scaled(kDestageAheadNs);
  return destage_free_ns_ > ahead ? std::max(taken, destage_free_ns_ - ahead) : taken;
}

uint64_t Timing::due_ns(Work work, uint64_t slba, uint64_t bytes, bool durable,
                        uint64_t unflushed_bytes, uint64_t now_ns) {
  if (off()) return now_ns;
  if (exit_latency_ns_ != 0 && work != Work::kAdmin) {
    now_ns += scaled(exit_latency_ns_);
    exit_latency_ns_ = 0;
  }
  const uint64_t jitter = rng_.next() & kLowPowerJitterMask;
  switch (work) {
    case Work::kRead:
      return read_ns(slba, bytes, now_ns);
    case Work::kWrite:
      return write_ns(bytes, durable, now_ns);
    case Work::kFlush:
      return process(0, now_ns) +
             scaled(kFlushNs + jitter + unflushed_bytes * kDestagePsPerByte / 1000);
    case Work::kDeallocate:
      return process(0, now_ns) +
             scaled(kDeallocateNs + 2 * jitter + bytes / kDeallocateBytesPerNs);
    case Work::kOther:
      return now_ns + scaled(kOtherNs + jitter + bytes / kOtherBytesPerNs);
    case Work::kAdmin:
      return now_ns + scaled(kAdminNs + jitter / 2);
  }
  return now_ns;
}

void Timing::set_power_state(uint8_t state) {
  const PowerState& power = kPowerStates[std::min<size_t>(state, std::size(kPowerStates) - 1)];
  exit_latency_ns_ = power.exit_latency_us * 1'000ULL;
  if (power.non_operational) return;
  stretch_percent_ = power.stretch_percent;
  update_scale();
}

void Timing::set_throttle(uint8_t level) {
  if (level == throttle_) return;
  throttle_ = level;
  update_scale();
}

void Timing::update_scale() {
  scale_q16_ = base_scale_q16_ * stretch_percent_ * kThrottlePercent[throttle_] / 10'000;
}

void Timing::reset(uint64_t now_ns) {
  std::fill(die_free_ns_.begin(), die_free_ns_.end(), now_ns);
  processor_free_ns_ = now_ns;
  destage_free_ns_ = now_ns;
  exit_latency_ns_ = 0;
  stretch_percent_ = 100;
  update_scale();
}

}  // namespace pynvme::ssd
