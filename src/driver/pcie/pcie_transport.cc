// Registers, interrupts, and resets beyond CC.EN, which leave a disabled controller whose
// configuration space is as it was. Queues are in pcie_queue_link.cc.
#include "driver/pcie/pcie_transport.h"

#include <utility>

#include "driver/errors.h"
#include "driver/patience.h"
#include "driver/queue_pair.h"
#include "pcie/config_space.h"
#include "spec/pci.h"
#include "spec/registers.h"

namespace pynvme::driver {

namespace reg = spec::reg;

namespace {

// How long a device may take to answer configuration reads after a reset (PCIe 5.0 §6.6.1).
constexpr uint64_t kConfigReadyMs = 1000;

bool present(pcie::Function& function) {
  return function.config_read(spec::pci::kVendorId, 2) != spec::pci::kVendorIdAbsent;
}

}  // namespace

PcieTransport::PcieTransport(std::shared_ptr<pcie::Function> function, const base::Clock& clock)
    : function_(std::move(function)), clock_(clock) {
  if (function_->bar_size(0) <= reg::kDoorbells) {
    throw EnumerateError(name() + " is no NVMe controller: BAR0 has " +
                         std::to_string(function_->bar_size(0)) + " bytes");
  }
}

uint32_t PcieTransport::read32(uint32_t offset) {
  return static_cast<uint32_t>(function_->bar_read(0, offset, 4));
}

uint64_t PcieTransport::read64(uint32_t offset) {
  // Two dwords: every controller takes them, an 8-byte access it need not (§3.1.3).
  const uint64_t low = read32(offset);
  return static_cast<uint64_t>(read32(offset + 4)) << 32 | low;
}

void PcieTransport::write32(uint32_t offset, uint32_t value) {
  if (offset == reg::kNssr && value == spec::kNssrReset) {
    saved_config_ = pcie::ConfigSpace(*function_).save();
  }
  function_->bar_write(0, offset, value, 4);
}

void PcieTransport::write64(uint32_t offset, uint64_t value) {
  write32(offset, static_cast<uint32_t>(value));
  write32(offset + 4, static_cast<uint32_t>(value >> 32));
}

uint32_t PcieTransport::status() { return read32(reg::kCsts); }

bool PcieTransport::vanished() { return function_->absent() && read32(reg::kCsts) == UINT32_MAX; }

std::string PcieTransport::gone_text() const {
  if (function_->removed()) return "its registers read all ones. " + function_->removal();
  return "its registers read all ones. It has lost power or its link, is in D3hot, or memory space "
         "is switched off; power it on, bring it to D0 or reset it, then reset() the controller";
}

pcie::Doorbells PcieTransport::attach_admin(const QueueRings&) {
  const uint64_t cap = read64(reg::kCap);
  if (cap == UINT64_MAX) throw DeviceGone(name() + " is gone: " + gone_text());
  const uint32_t stride = 4U << spec::Cap{cap}.dstrd();
  check_doorbells(0, stride);
  doorbells_ = function_->doorbells(stride);
  return doorbells_;
}

// Those of a queue pair are rung without looking: they have to be where BAR0 is.
void PcieTransport::check_doorbells(uint16_t id, uint32_t stride) const {
  const uint64_t end = reg::kDoorbells + (2 * uint64_t{id} + 1) * stride + sizeof(uint32_t);
  if (end <= function_->bar_size(0)) return;
  throw EnumerateError(name() + " has no room for the doorbells of queue " + std::to_string(id) +
                       " in BAR0: " + std::to_string(function_->bar_size(0)) +
                       " bytes, and CAP.DSTRD puts them " + std::to_string(stride) +
                       " bytes apart");
}

void PcieTransport::start_interrupts() {
  interrupt_kind_ = pcie::InterruptKind::kNone;
  unsigned vectors = 0;
  for (const auto kind :
       {pcie::InterruptKind::kMsix, pcie::InterruptKind::kMsi, pcie::InterruptKind::kPin}) {
    vectors = function_->interrupt_vectors(kind);
    if (vectors == 0) continue;
    function_->enable_interrupts(kind, vectors);
    vectors = function_->interrupt_vectors(kind);  // what the machine had left for the device
    interrupt_kind_ = kind;
    break;
  }
  // The counts go on across resets: whoever remembers one must not see it come back.
  if (interrupts_.size() != vectors) {
    interrupts_ = std::vector<std::atomic<uint64_t>>(vectors);
  }
  for (unsigned vector = 0; vector < vectors; ++vector) function_->take_interrupts(vector);
}

uint64_t PcieTransport::interrupts(unsigned vector) {
  if (vector >= interrupts_.size()) return 0;
  auto& seen = interrupts_[vector];
  if (const uint64_t more = function_->take_interrupts(vector); more != 0) seen.fetch_add(more);
  return seen.load(std::memory_order_relaxed);
}

void PcieTransport::start_admin(QueuePair& pair) {
  // Off since an earlier controller of this function was closed.
  pcie::ConfigSpace(*function_).set_bus_master(true);
  // MSI-X has to be on before the controller is enabled (NVMe over PCIe 1.0 §3.5).
  start_interrupts();
  saved_config_ = pcie::ConfigSpace(*function_).save();
  const uint16_t entries = kAdminEntries - 1;  // 0-based
  write32(reg::kAqa, spec::Aqa{0}.with_asqs(entries).with_acqs(entries).value);
  write64(reg::kAsq, pair.sq().iova());
  write64(reg::kAcq, pair.cq().iova());
}

// A reset that the script made by itself (NSSR, FLR or hot reset by registers) leaves the function
// as after power-on: with memory space off nothing answers.
void PcieTransport::recover(const std::function<void(const char* reason)>& lost) {
  const uint32_t command = function_->config_read(spec::pci::kCommand, 2);
  if (!present(*function_) || (command & spec::pci::kCommandMemorySpace) != 0) return;
  lost("a reset of the function took its configuration");
  pcie::ConfigSpace space(*function_);
  const auto express = space.find(spec::pci::kCapIdPciExpress);
  const auto link_control =
      static_cast<uint16_t>(express.value_or(0) + spec::pci::pcie::kLinkControl);
  const uint32_t link = function_->config_read(link_control, 2);
  if (!saved_config_.empty()) space.restore(saved_config_);
  // What a function level reset left of the link is newer than what was saved (PCIe 5.0 §6.6.2).
  if (express && (link & spec::pci::pcie::kLinkControlAspmMask) != 0) {
    function_->config_write(link_control, link, 2);
  }
  space.set_up();
}

void PcieTransport::reset(ResetKind kind, const std::function<void()>& idle) {
  // With memory space off, as after a loss of power, there is nothing that is worth saving.
  if (present(*function_) &&
      (function_->config_read(spec::pci::kCommand, 2) & spec::pci::kCommandMemorySpace) != 0) {
    saved_config_ = pcie::ConfigSpace(*function_).save();
  }
  switch (kind) {
    case ResetKind::kSubsystem:
      function_->bar_write(0, reg::kNssr, spec::kNssrReset, 4);
      break;
    case ResetKind::kHot:
      function_->hot_reset();
      break;
    case ResetKind::kFunctionLevel:
      function_->function_level_reset();
      break;
    case ResetKind::kPowerOff:
      function_->power_off();
      return;
    case ResetKind::kPowerOn:
      function_->power_on();
      break;
  }
  wait_until_present(idle);
  pcie::ConfigSpace space(*function_);
  if (!saved_config_.empty()) space.restore(saved_config_);
  space.set_up();
}

void PcieTransport::wait_until_present(const std::function<void()>& idle) {
  Patience patience(clock_);
  const uint64_t start_ns = clock_.now_ns();
  while (!present(*function_)) {
    if (!patience.pause()) continue;
    idle();
    if (patience.now_ns() - start_ns > kConfigReadyMs * 1'000'000) {
      throw DeviceGone(name() + " did not come back: its configuration space reads all ones");
    }
  }
}

void PcieTransport::close() noexcept {
  // Whatever state it was left in, the device reaches no memory from here on.
  pcie::ConfigSpace(*function_).set_bus_master(false);
}

}  // namespace pynvme::driver
