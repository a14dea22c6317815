// The inside of a Device: the parts it owns and the controller's state. For device.cc (accesses)
// and device_state.cc (enable, resets, shutdown, power) only.
#pragma once

#include <algorithm>
#include <bit>
#include <mutex>
#include <span>

#include "base/clock.h"
#include "base/unique_fd.h"
#include "spec/registers.h"
#include "ssd/admin/admin.h"
#include "ssd/admin/error_log.h"
#include "ssd/admin/events.h"
#include "ssd/admin/feature_store.h"
#include "ssd/admin/features.h"
#include "ssd/admin/firmware.h"
#include "ssd/admin/maintenance.h"
#include "ssd/admin/management.h"
#include "ssd/admin/persistent_events.h"
#include "ssd/config.h"
#include "ssd/device.h"
#include "ssd/faults/faults.h"
#include "ssd/faults/held.h"
#include "ssd/frontend/engine.h"
#include "ssd/frontend/host_memory.h"
#include "ssd/frontend/interrupts.h"
#include "ssd/frontend/outstanding.h"
#include "ssd/frontend/pci_space.h"
#include "ssd/frontend/queues.h"
#include "ssd/frontend/registers.h"
#include "ssd/frontend/trace.h"
#include "ssd/media/state_file.h"
#include "ssd/model/health.h"
#include "ssd/model/power.h"
#include "ssd/model/smart.h"
#include "ssd/model/thermal.h"
#include "ssd/model/timing.h"
#include "ssd/nvm/namespaces.h"
#include "ssd/nvm/nvm.h"
#include "ssd/parts.h"
#include "ssd/persistent_layout.h"
#include "ssd/timekeeper.h"

namespace pynvme::ssd {

inline constexpr uint64_t kNever = UINT64_MAX;

// BAR0: registers, then doorbells, then the MSI-X table and its pending bits, each from a page on.
struct BarLayout {
  explicit BarLayout(const Config& config)
      : vectors(static_cast<uint16_t>(std::min(config.io_queues + 1, 2048))) {
    const uint64_t doorbells = 2ULL * (config.io_queues + 1U) * (4U << config.doorbell_stride);
    table = spec::reg::kDoorbells + round_up(doorbells);
    pba = table + round_up(vectors * 16ULL);
    bytes = std::max<uint64_t>(std::bit_ceil(pba + 4096), 16384);
  }
  static uint64_t round_up(uint64_t n) { return (n + 4095) / 4096 * 4096; }
  PciSpace::Layout pci(const Config& config) const;

  uint16_t vectors;
  uint64_t table;
  uint64_t pba;
  uint64_t bytes;
};

// Zeroed pages in a file of their own, for a door may hand them to another process. Throws
// std::runtime_error.
struct DoorbellMemory {
  explicit DoorbellMemory(uint64_t doorbell_bytes);
  ~DoorbellMemory();
  DoorbellMemory(const DoorbellMemory&) = delete;
  DoorbellMemory& operator=(const DoorbellMemory&) = delete;

  const uint64_t bytes;
  base::UniqueFd fd;
  uint32_t* memory = nullptr;
};

struct Device::Impl {
  Impl(const Config& with, const base::Clock& by);
  ~Impl();

  bool present() const { return host_ != nullptr && powered_ && !faults_.vanished(); }
  bool reachable() const {  // control_ is held
    return present() && pci_.memory_enabled() && pci_.in_d0();
  }
  uint32_t register_read(uint32_t offset);
  void register_write(uint32_t offset, uint32_t value, std::unique_lock<std::mutex>& lock);
  void enable();
  void start_shutdown();
  void start_subsystem_shutdown(bool normal);
  void settle();
  void update_running(std::unique_lock<std::mutex>& lock);
  bool may_run() const;
  void reset_controller(bool registers_too);
  void reset_function(PciSpace::Reset kind);
  void configure_interrupts();
  uint64_t now() const { return clock.now_ns(); }
  std::span<uint8_t> state_part(const PersistentPart& part);
  std::span<uint8_t> persistent_part(const PersistentPart& part);
  uint64_t error_count() {
    spec::SmartLog log;
    smart_.fill(log, now());
    return log.error_log_entries.lo;
  }

  const Config config;
  const base::Clock& clock;
  const BarLayout layout;
  DoorbellMemory doorbells;

  // Order of locks: this one, the pump's, queues, then everything inside the parts.
  std::mutex control_;
  HostPort* host_ = nullptr;
  bool powered_ = true;
  bool power_on_ = true;              // and not enabled since
  uint64_t ready_at_ns_ = kNever;     // CC.EN was set: CSTS.RDY follows
  uint64_t shutdown_at_ns_ = kNever;  // CC.SHN was set: CSTS.SHST follows

  PciSpace pci_;
  Registers registers_;
  HostMemory memory_;
  Trace trace_;
  Faults faults_;
  HeldCompletions held_;
  Interrupts interrupts_;
  Queues queues_;
  Outstanding outstanding_;
  Namespaces namespaces_;
  Smart smart_;
  Thermal thermal_;
  Features features_;
  Firmware firmware_;
  ErrorLog error_log_;
  Events events_;
  Health health_;
  Power power_;
  Timing timing_;
  Parts parts_;
  StateFile state_;
  PersistentEvents persistent_events_;
  Management management_;
  Maintenance maintenance_;
  Nvm nvm_;
  Admin admin_;
  Timekeeper timekeeper_;
  Engine engine_;
};

}  // namespace pynvme::ssd
