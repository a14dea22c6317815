// What the host does to the device: plugging, configuration space, registers, doorbells, mappings.
// What that means for the controller's state is in device_state.cc.
#include "ssd/device.h"

#include "ssd/device_impl.h"

namespace pynvme::ssd {
namespace {

constexpr uint64_t kAllOnes = UINT64_MAX;  // nobody answers

}  // namespace

uint32_t Device::Impl::register_read(uint32_t offset) {
  if (queues_.fatal()) registers_.set_fatal();
  return registers_.read(offset, interrupts_.mask());
}

void Device::Impl::register_write(uint32_t offset, uint32_t value,
                                  std::unique_lock<std::mutex>& lock) {
  trace_.register_written(offset, value);
  const unsigned asked = registers_.write(offset, value);
  if ((asked & Registers::kMaskSet) != 0) interrupts_.mask_set(value);
  if ((asked & Registers::kMaskClear) != 0) interrupts_.mask_clear(value);
  if ((asked & Registers::kSubsystemReset) != 0) {
    // The link goes down with it, which takes configuration space along (NVMe Base 2.0 §3.7.1).
    reset_function(PciSpace::Reset::kConventional);
    registers_.end_subsystem_shutdown();
    registers_.set_subsystem_reset_occurred();
  }
  if ((asked & Registers::kDisable) != 0) reset_controller(false);
  if ((asked & Registers::kEnable) != 0) {
    // After a shutdown it is the enable that begins anew.
    if (registers_.csts().shst() != spec::Shst::kNormal) reset_controller(false);
    if (!registers_.csts().st()) enable();
  }
  if ((asked & Registers::kShutdown) != 0) start_shutdown();
  constexpr unsigned kSubsystemShutdown =
      Registers::kNormalSubsystemShutdown | Registers::kAbruptSubsystemShutdown;
  if ((asked & kSubsystemShutdown) != 0) {
    start_subsystem_shutdown((asked & Registers::kNormalSubsystemShutdown) != 0);
  }
  settle();
  update_running(lock);
}

Device::Device(const Config& config, const base::Clock& clock)
    : impl_(std::make_unique<Impl>(config, clock)) {}
Device::~Device() = default;

const Config& Device::config() const { return impl_->config; }

void Device::plug(HostPort& host) {
  std::unique_lock lock(impl_->control_);
  const Queues::AllLocked all(impl_->queues_);
  impl_->host_ = &host;
  impl_->memory_.set_host(&host);
  impl_->interrupts_.plug(&host);
}

void Device::unplug() {
  const std::lock_guard lock(impl_->control_);
  impl_->reset_function(PciSpace::Reset::kConventional);
  impl_->registers_.end_subsystem_shutdown();
  impl_->faults_.reappear();
  const Queues::AllLocked all(impl_->queues_);
  impl_->host_ = nullptr;
  impl_->memory_.set_host(nullptr);
  impl_->interrupts_.plug(nullptr);
}

uint32_t Device::config_read(uint16_t offset, unsigned size) {
  const std::lock_guard lock(impl_->control_);
  if (!impl_->present()) return 0xFFFF'FFFF;
  impl_->pci_.set_interrupt_status(impl_->interrupts_.pin_status());
  impl_->pci_.set_msi_pending(impl_->interrupts_.msi_pending());
  return impl_->pci_.read(offset, size);
}

void Device::config_write(uint16_t offset, uint32_t value, unsigned size) {
  std::unique_lock lock(impl_->control_);
  if (!impl_->present()) return;
  const unsigned changed = impl_->pci_.write(offset, value, size);
  if ((changed & PciSpace::kFlr) != 0) {
    impl_->reset_function(PciSpace::Reset::kFunctionLevel);
    return;
  }
  if ((changed & PciSpace::kInterrupts) != 0) impl_->configure_interrupts();
  if ((changed & PciSpace::kAccess) != 0) impl_->update_running(lock);
}

uint64_t Device::bar_size(unsigned bar) const { return bar == 0 ? impl_->layout.bytes : 0; }

uint64_t Device::bar_read(unsigned bar, uint64_t offset, unsigned size) {
  Impl& impl = *impl_;
  if (bar != 0 || size == 0 || size > 8 || (size & (size - 1)) != 0 || offset % size != 0 ||
      offset >= impl.layout.bytes) {
    return kAllOnes;
  }
  std::unique_lock lock(impl.control_);
  if (!impl.reachable()) return kAllOnes;
  impl.settle();
  impl.update_running(lock);
  const auto dword = [&](uint64_t at) -> uint32_t {
    if (at < spec::reg::kDoorbells) return impl.register_read(static_cast<uint32_t>(at));
    if (at < impl.layout.table) return 0;  // doorbells are for writing
    if (at < impl.layout.pba) {
      return impl.interrupts_.table_read(static_cast<uint32_t>(at - impl.layout.table));
    }
    return impl.interrupts_.pba_read(static_cast<uint32_t>(at - impl.layout.pba));
  };
  const uint64_t low = dword(offset & ~3ULL);
  if (size == 8) return low | static_cast<uint64_t>(dword(offset + 4)) << 32;
  const uint64_t value = low >> (8 * (offset & 3));
  return size == 4 ? value : value & ((1ULL << (8 * size)) - 1);
}

void Device::bar_write(unsigned bar, uint64_t offset, uint64_t value, unsigned size) {
  Impl& impl = *impl_;
  // Registers are written by dword or quadword; anything else has no effect here.
  if (bar != 0 || (size != 4 && size != 8) || offset % size != 0 || offset >= impl.layout.bytes) {
    return;
  }
  for (unsigned done = 0; done < size; done += 4, offset += 4, value >>= 32) {
    const auto dword = static_cast<uint32_t>(value);
    std::unique_lock lock(impl.control_);
    if (!impl.reachable()) return;
    if (offset < spec::reg::kDoorbells) {
      impl.settle();
      impl.register_write(static_cast<uint32_t>(offset), dword, lock);
    } else if (offset < impl.layout.table) {
      const uint64_t at = offset - spec::reg::kDoorbells;
      // Between the doorbells of a wide stride there is nothing.
      if (at % (4ULL << impl.config.doorbell_stride) != 0) continue;
      const auto index = static_cast<uint32_t>(at / (4ULL << impl.config.doorbell_stride));
      lock.unlock();
      if (index < 2U * impl.queues_.count()) impl.queues_.set_doorbell(index, dword);
      rung(index);
    } else if (offset < impl.layout.pba) {
      impl.interrupts_.table_write(static_cast<uint32_t>(offset - impl.layout.table), dword);
    }
  }
}

volatile uint32_t* Device::doorbells() { return impl_->doorbells.memory; }

int Device::doorbell_fd() const { return impl_->doorbells.fd.get(); }

uint64_t Device::doorbell_bytes() const { return impl_->doorbells.bytes; }

void Device::set_polled(bool polled) {
  const std::lock_guard lock(impl_->control_);
  const Queues::AllLocked all(impl_->queues_);
  impl_->queues_.poll_doorbells(polled);
}

bool Device::poll_doorbells() { return impl_->engine_.poll_doorbells(); }

void Device::quiesced(const std::function<void()>& work) {
  const std::lock_guard lock(impl_->control_);
  const Queues::AllLocked all(impl_->queues_);
  work();
}

void Device::rung(uint32_t index) { impl_->engine_.rung(index); }

void Device::advance() { impl_->engine_.advance(); }

Faults& Device::faults() { return impl_->faults_; }

std::vector<TraceEvent> Device::trace(size_t count) const { return impl_->trace_.latest(count); }

void Device::dma_map(uint64_t iova, uint8_t* memory, uint64_t size, bool readable, bool writable) {
  std::unique_lock lock(impl_->control_);
  {
    const Queues::AllLocked all(impl_->queues_);
    impl_->memory_.map(iova, memory, size, {readable, writable});
    impl_->queues_.resolve_all();
  }
  lock.unlock();
  impl_->engine_.catch_up();
}

void Device::dma_unmap(uint64_t iova, uint64_t size) {
  std::unique_lock lock(impl_->control_);
  {
    const Queues::AllLocked all(impl_->queues_);
    impl_->memory_.unmap(iova, size);
    impl_->queues_.resolve_all();
  }
  lock.unlock();
  impl_->engine_.catch_up();
}

}  // namespace pynvme::ssd
