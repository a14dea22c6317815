// Progress and results.
#include "ssd/admin/selftest.h"

#include <algorithm>
#include <cmath>
#include <iterator>

namespace pynvme::ssd {
namespace {

constexpr double kSecond = 1e9;
constexpr double kShortSeconds = 1;
constexpr double kExtendedSeconds = 4;
// Without a latency model: a moment in which a poller sees it run.
constexpr uint64_t kShortMomentNs = 200'000'000;
constexpr uint64_t kExtendedMomentNs = 400'000'000;

uint64_t duration_ns(uint8_t code, double scale) {
  const bool brief = code == spec::self_test::kShort;
  if (scale == 0) return brief ? kShortMomentNs : kExtendedMomentNs;
  return static_cast<uint64_t>((brief ? kShortSeconds : kExtendedSeconds) * scale * kSecond);
}

}  // namespace

uint16_t extended_self_test_minutes(double latency_scale) {
  const auto ns = duration_ns(spec::self_test::kExtended, latency_scale);
  return static_cast<uint16_t>(std::ceil(static_cast<double>(ns) / (60 * kSecond)));
}

void SelfTest::start(uint8_t code, uint32_t nsid, uint64_t now_ns) {
  state_.nsid = nsid;
  state_.total_ns = state_.remaining_ns = duration_ns(code, scale_);
  resumed_ns_ = now_ns;
  state_.code = code;
}

void SelfTest::end(uint8_t result, uint64_t power_on_hours) {
  std::copy_backward(std::begin(state_.result), std::end(state_.result) - 1,
                     std::end(state_.result));
  spec::DeviceSelfTestResult& newest = state_.result[0];
  newest = {};
  newest.status = static_cast<uint8_t>(state_.code << 4 | result);
  newest.power_on_hours = power_on_hours;
  if (state_.nsid != 0) {
    newest.valid = spec::self_test::kValidNsid;
    newest.nsid = state_.nsid;
  }
  state_.results = std::min<uint32_t>(state_.results + 1, std::size(state_.result));
  state_.code = 0;
}

uint64_t SelfTest::due_ns() const {
  return in_progress() ? resumed_ns_ + state_.remaining_ns : UINT64_MAX;
}

void SelfTest::power_off(uint64_t now_ns) {
  state_.remaining_ns -= std::min(state_.remaining_ns, now_ns - resumed_ns_);
  resumed_ns_ = now_ns;
}

spec::DeviceSelfTestLog SelfTest::log(uint64_t now_ns) const {
  spec::DeviceSelfTestLog log{};
  if (in_progress()) {
    const uint64_t left = state_.remaining_ns - std::min(state_.remaining_ns, now_ns - resumed_ns_);
    log.current_operation = static_cast<uint8_t>(state_.code);
    log.current_completion = static_cast<uint8_t>(
        std::min<uint64_t>((state_.total_ns - left) * 100 / state_.total_ns, 99));
  }
  for (uint32_t i = 0; i < std::size(log.result); ++i) {
    if (i < state_.results) {
      log.result[i] = state_.result[i];
    } else {
      log.result[i].status = spec::self_test::kResultUnused;
    }
  }
  return log;
}

}  // namespace pynvme::ssd
