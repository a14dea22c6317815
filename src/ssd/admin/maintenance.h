// What the SSD does by itself for a while, beside the host's commands: a sanitize operation, a
// device self-test, the Keep Alive timer. It knows when the next of them is due, does what is due
// when the engine says so, and tells what commands are refused meanwhile. Thread safe.
#pragma once

#include <atomic>
#include <cstdint>
#include <span>
#include <string>

#include "base/spinlock.h"
#include "spec/command.h"
#include "ssd/admin/sanitize.h"
#include "ssd/admin/selftest.h"
#include "ssd/parts.h"

namespace pynvme::ssd {

// KAS: the Keep Alive timer's granularity.
inline constexpr uint16_t kKeepAliveUnits100ms = 1;

class Maintenance {
 public:
  // persistent: what outlives the process, or empty to keep it in memory only.
  Maintenance(const Parts& parts, std::span<uint8_t> persistent);
  Maintenance(const Maintenance&) = delete;
  Maintenance& operator=(const Maintenance&) = delete;

  // When something falls due; UINT64_MAX for never.
  uint64_t next_due() const { return next_due_.load(std::memory_order_relaxed); }
  // Brings about what is due by now; events are raised, and the caller's to deliver.
  void advance(uint64_t now_ns);

  // The status of every I/O command, kSuccess in normal times (§8.21.1).
  uint16_t io_status() const { return io_status_.load(std::memory_order_relaxed); }
  // That of an admin command which is refused for the same reason.
  uint16_t admin_status(const spec::Sqe& sqe) const;

  // Sanitize and Device Self-test commands whose fields are right.
  uint16_t start_sanitize(uint32_t cdw10, uint32_t pattern, uint64_t now_ns);
  // The operation that is started next ends in failure.
  void fail_next_sanitize() { next_sanitize_fails_ = true; }
  uint16_t start_self_test(uint8_t code, uint32_t nsid, uint64_t now_ns);
  // A self-test that has to do with this namespace (FFFFFFFFh: any) ends; with which result.
  void end_self_test(uint32_t nsid, uint8_t result, uint64_t now_ns);

  // The Keep Alive Timeout feature, rounded up to what KAS can tell apart, which is returned; and
  // what restarts its timer. 0: no timer (§3.9).
  uint32_t set_keep_alive(uint32_t kato_ms, uint64_t now_ns);
  void keep_alive(uint64_t now_ns);

  // Why the controller gave up since this was asked last, empty when it did not: what
  // controller-initiated telemetry is about.
  std::string take_failure();

  spec::SanitizeStatusLog sanitize_log(uint64_t now_ns);
  spec::DeviceSelfTestLog self_test_log(uint64_t now_ns);

  void power_on(uint64_t now_ns);
  void power_off(uint64_t now_ns);
  // A Controller Level Reset.
  void reset(uint64_t now_ns);

 private:
  // Little-endian, in the file's persistent area.
  struct State {
    uint64_t magic;
    Sanitize::State sanitize;
    SelfTest::State self_test;
  };

  State& state_in(std::span<uint8_t> persistent);
  void erase_media();
  void keep_alive_expired();
  void note_failure(const char* reason);
  void log_sanitize_completion(uint64_t now_ns);
  void finish_self_test(uint8_t result, uint64_t now_ns);
  // With lock_ held, after anything changed.
  void note();

  Parts parts_;
  State own_{};
  State& state_;
  mutable base::SpinLock lock_;
  Sanitize sanitize_;
  SelfTest self_test_;
  bool powered_ = false;
  std::atomic<bool> next_sanitize_fails_{false};
  bool sanitize_fails_ = false;
  std::string failure_;
  std::atomic<bool> failed_{false};
  uint64_t keep_alive_ns_ = 0;
  uint64_t keep_alive_due_ns_ = UINT64_MAX;
  std::atomic<uint64_t> next_due_{UINT64_MAX};
  std::atomic<uint16_t> io_status_{kSuccess};
};

}  // namespace pynvme::ssd
