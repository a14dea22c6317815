// What the controller goes through: start, enable, shutdown, resets, power.
#include <fcntl.h>
#include <sys/mman.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <string>
#include <utility>

#include "base/crc.h"
#include "ssd/device_impl.h"

namespace pynvme::ssd {

DoorbellMemory::DoorbellMemory(uint64_t doorbell_bytes)
    : bytes(doorbell_bytes), fd(memfd_create("pynvme-doorbells", MFD_CLOEXEC | MFD_ALLOW_SEALING)) {
  constexpr off_t kStart = spec::reg::kDoorbells;
  void* mapped = MAP_FAILED;
  if (fd && ftruncate(fd.get(), kStart + static_cast<off_t>(bytes)) == 0 &&
      fcntl(fd.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0) {
    mapped = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), kStart);
  }
  if (mapped == MAP_FAILED) {
    throw std::runtime_error(std::string("no memory for doorbells: ") + std::strerror(errno));
  }
  memory = static_cast<uint32_t*>(mapped);
}

DoorbellMemory::~DoorbellMemory() { munmap(memory, bytes); }

PciSpace::Layout BarLayout::pci(const Config& config) const {
  const std::string seed = config.model + "/" + config.serial;
  return {bytes,
          static_cast<uint32_t>(table),
          static_cast<uint32_t>(pba),
          vectors,
          0x0250'5900'0000'0000ULL | base::crc32c(seed.data(), seed.size()),
          config.interrupts};
}

Device::Impl::Impl(const Config& with, const base::Clock& by)
    : config(with),
      clock(by),
      layout(config),
      doorbells(layout.table - spec::reg::kDoorbells),
      pci_(layout.pci(config)),
      registers_(config),
      trace_(config.trace_events, clock),
      faults_(clock),
      interrupts_(layout.vectors, static_cast<uint16_t>(config.io_queues + 1), trace_),
      queues_(config.io_queues, memory_, interrupts_, trace_, doorbells.memory,
              config.doorbell_stride),
      namespaces_(config),
      smart_(config.capacity_bytes, persistent_part(kPersistentSmart)),
      thermal_(now()),
      features_(config, layout.vectors, kWarningKelvin),
      firmware_(config.firmware),
      error_log_(config.elpe, error_count()),
      events_(config.aerl, queues_, clock),
      health_(smart_, thermal_, events_),
      timing_(config.latency_scale, config.seed),
      parts_{config,
             clock,
             memory_,
             interrupts_,
             registers_,
             queues_,
             outstanding_,
             namespaces_,
             features_,
             firmware_,
             events_,
             error_log_,
             health_,
             power_,
             timing_,
             maintenance_,
             persistent_events_,
             management_,
             trace_,
             faults_,
             held_},
      state_(config.file),
      persistent_events_(state_part(kStateEvents), features_),
      management_(state_part(kStateVpd), config),
      maintenance_(parts_, persistent_part(kPersistentMaintenance)),
      nvm_(parts_),
      admin_(parts_),
      timekeeper_(clock, [this] { engine_.advance(); }),
      engine_(parts_, nvm_, admin_, timekeeper_) {
  features_.keep_in(state_part(kStateFeatures), config);
  firmware_.keep_in(state_part(kStateFirmware));
  smart_.power_on(now());
  maintenance_.power_on(now());
  reset_function(PciSpace::Reset::kPowerOn);
}

std::span<uint8_t> Device::Impl::state_part(const PersistentPart& part) {
  return state_.bytes().subspan(part.offset, part.bytes);
}

std::span<uint8_t> Device::Impl::persistent_part(const PersistentPart& part) {
  const std::span<uint8_t> area = namespaces_.persistent_area();
  return area.empty() ? area : area.subspan(part.offset, part.bytes);
}

Device::Impl::~Impl() {
  timekeeper_.stop();
  // The process ends, not the power: what was written is kept.
  namespaces_.flush();
  if (!powered_) return;
  maintenance_.power_off(now());
  smart_.power_off(now());
}

bool Device::Impl::may_run() const {
  return host_ != nullptr && powered_ && pci_.in_d0() && pci_.bus_master() &&
         pci_.memory_enabled() && registers_.csts().rdy() && !registers_.csts().cfs() &&
         registers_.csts().shst() != spec::Shst::kComplete;
}

// Starts or stops the engine as the controller's state asks for.
void Device::Impl::update_running(std::unique_lock<std::mutex>& lock) {
  const bool run = may_run();
  if (run == engine_.running()) return;
  {
    const Queues::AllLocked all(queues_);
    engine_.set_running(run);
  }
  if (!run) return;
  lock.unlock();
  engine_.resume();
  lock.lock();
}

void Device::Impl::configure_interrupts() { interrupts_.configure(pci_.interrupt_setup()); }

void Device::Impl::reset_controller(bool registers_too) {
  trace_.note(registers_too ? TraceKind::kFunctionReset : TraceKind::kControllerReset);
  {
    const Queues::AllLocked all(queues_);
    engine_.forget();
    queues_.close_all();
    interrupts_.reset_controller();
    timing_.reset(now());
    power_.reset(now());
    admin_.reset(now());
  }
  // Not under the queues' locks: delivering an event takes them the other way round. The queues are
  // closed, so nothing is delivered in between.
  events_.reset();
  health_.reset();
  ready_at_ns_ = shutdown_at_ns_ = kNever;
  if (registers_too) {
    registers_.reset_all();
  } else {
    registers_.reset_controller();
  }
}

void Device::Impl::reset_function(PciSpace::Reset kind) {
  reset_controller(true);
  pci_.reset(kind);
  interrupts_.reset_table();
  configure_interrupts();
}

void Device::Impl::enable() {
  const Queues::AllLocked all(queues_);
  QueueMemory sq;
  QueueMemory cq{.pages = {}, .access = DmaAccess::kWrite};
  const uint32_t sq_entries = registers_.aqa().asqs() + 1U;
  const uint32_t cq_entries = registers_.aqa().acqs() + 1U;
  if (!registers_.startable() ||
      queues_.locate(registers_.asq(), true, sq_entries * sizeof(spec::Sqe), sq) != kSuccess ||
      queues_.locate(registers_.acq(), true, cq_entries * sizeof(spec::Cqe), cq) != kSuccess) {
    registers_.set_fatal();
    return;
  }
  queues_.open_cq(queues_.cq(0), cq_entries, true, 0, std::move(cq));
  queues_.open_sq(queues_.sq(0), sq_entries, 0, 0, std::move(sq));
  engine_.start(static_cast<spec::Ams>(registers_.cc().ams()) == spec::Ams::kWrrUrgent);
  trace_.note(TraceKind::kEnabled);
  ready_at_ns_ = now() + config.ready_ms * 1'000'000ULL;
  smart_.set_shut_down(false);
  admin_.log_power_on_or_reset(std::exchange(power_on_, false), now());
}

void Device::Impl::start_shutdown() {
  trace_.note(TraceKind::kShutdown);
  registers_.set_shutdown_status(spec::Shst::kOccurring);
  maintenance_.set_keep_alive(0, now());
  const Queues::AllLocked all(queues_);
  const uint64_t unflushed = namespaces_.unflushed_bytes();
  namespaces_.flush();
  shutdown_at_ns_ = timing_.due_ns(Work::kFlush, 0, 0, false, unflushed, now());
}

// NVMe Base 2.0 §3.6.3: the hosts are told before the controllers stop.
void Device::Impl::start_subsystem_shutdown(bool normal) {
  if (normal && (features_.current.async_events &
                 spec::AsyncEventConfigFeature::kNormalSubsystemShutdown) != 0) {
    events_.raise(spec::aer::kTypeImmediate, spec::aer::kImmediateNormalSubsystemShutdown, 0);
    events_.deliver();
  }
  registers_.begin_subsystem_shutdown();
  start_shutdown();
}

// Ready and shut down when it is time.
void Device::Impl::settle() {
  if (ready_at_ns_ == kNever && shutdown_at_ns_ == kNever) return;
  const uint64_t at = now();
  if (at >= ready_at_ns_) {
    registers_.set_ready(true);
    ready_at_ns_ = kNever;
  }
  if (at >= shutdown_at_ns_) {
    registers_.set_shutdown_status(spec::Shst::kComplete);
    smart_.set_shut_down(true);
    shutdown_at_ns_ = kNever;
  }
}

void Device::hot_reset() {
  const std::lock_guard lock(impl_->control_);
  if (impl_->powered_) impl_->reset_function(PciSpace::Reset::kConventional);
}

void Device::power_on_reset() {
  const std::lock_guard lock(impl_->control_);
  if (!impl_->powered_) return;
  impl_->reset_function(PciSpace::Reset::kPowerOn);
  impl_->registers_.power_on();
}

void Device::power_off() {
  Impl& impl = *impl_;
  const std::lock_guard lock(impl.control_);
  if (!impl.powered_) return;
  impl.settle();
  impl.trace_.note(TraceKind::kPowerOff);
  impl.powered_ = false;
  impl.faults_.reappear();
  impl.reset_function(PciSpace::Reset::kPowerOn);
  impl.namespaces_.power_lost();
  impl.maintenance_.power_off(impl.now());
  impl.smart_.power_off(impl.now());
  impl.features_.power_cycled();
  impl.thermal_.set_powered(false, impl.now());
}

void Device::power_on() {
  Impl& impl = *impl_;
  const std::lock_guard lock(impl.control_);
  if (impl.powered_) return;
  impl.trace_.note(TraceKind::kPowerOn);
  impl.thermal_.set_powered(true, impl.now());
  impl.smart_.power_on(impl.now());
  impl.maintenance_.power_on(impl.now());
  impl.reset_function(PciSpace::Reset::kPowerOn);
  impl.registers_.power_on();
  impl.powered_ = true;
  impl.power_on_ = true;
}

}  // namespace pynvme::ssd
