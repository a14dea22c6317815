// The controller's registers in BAR0 below 1000h (NVMe Base 2.0 §3.1.3): values, which bits a host
// can change, and what its write asks for. The state changes themselves (enable, reset, shutdown)
// are the device's business.
#pragma once

#include <cstdint>

#include "spec/registers.h"
#include "ssd/config.h"

namespace pynvme::ssd {

class Registers {
 public:
  // What a write asks for.
  static constexpr unsigned kEnable = 1U << 0;
  static constexpr unsigned kDisable = 1U << 1;
  static constexpr unsigned kShutdown = 1U << 2;
  static constexpr unsigned kSubsystemReset = 1U << 3;
  static constexpr unsigned kMaskSet = 1U << 4;
  static constexpr unsigned kMaskClear = 1U << 5;
  static constexpr unsigned kNormalSubsystemShutdown = 1U << 6;
  static constexpr unsigned kAbruptSubsystemShutdown = 1U << 7;

  explicit Registers(const Config& config);

  // By dword; unknown and reserved registers read 0 and ignore writes. INTMS and INTMC read as
  // `mask`.
  uint32_t read(uint32_t offset, uint32_t interrupt_mask) const;
  unsigned write(uint32_t offset, uint32_t value);

  // Controller Level Reset: AQA, ASQ and ACQ stay when CC.EN was cleared by the host, and CC keeps
  // what that write held (§3.7.2); every other kind takes them as well.
  // After an NVM Subsystem Shutdown only an NVM Subsystem Reset starts anew (§3.1.3.6, SHST).
  void reset_controller() {
    constexpr uint32_t kShutDown = 1U << 6 | 3U << 2;  // ST, SHST
    csts_ = {csts_.value & (spec::kCstsNssro | (csts_.st() ? kShutDown : 0))};
  }
  void reset_all();
  void power_on() { csts_ = {0}; }
  void begin_subsystem_shutdown() { csts_ = csts_.with_st(true); }
  void end_subsystem_shutdown() { csts_ = {csts_.value & spec::kCstsNssro}; }

  // Whether CC, AQA, ASQ and ACQ are something to start with.
  bool startable() const;

  spec::Cap cap() const { return cap_; }
  spec::Cc cc() const { return cc_; }
  spec::Aqa aqa() const { return aqa_; }
  uint64_t asq() const { return asq_; }
  uint64_t acq() const { return acq_; }
  spec::Csts csts() const { return csts_; }
  void set_ready(bool ready) { csts_ = csts_.with_rdy(ready); }
  void set_fatal() { csts_ = csts_.with_cfs(true); }
  void set_shutdown_status(spec::Shst status) { csts_ = csts_.with_shst(status); }
  void set_subsystem_reset_occurred() { csts_ = csts_.with_nssro(true); }

 private:
  unsigned write_cc(spec::Cc to);

  spec::Cap cap_;
  uint32_t vs_;
  uint32_t crto_;
  spec::Cc cc_{0};
  spec::Csts csts_{0};
  spec::Aqa aqa_{0};
  uint64_t asq_ = 0;
  uint64_t acq_ = 0;
};

}  // namespace pynvme::ssd
