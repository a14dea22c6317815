// Reading and writing of controller registers.
#include "ssd/frontend/registers.h"

namespace pynvme::ssd {
namespace {

namespace reg = spec::reg;

constexpr uint32_t kVersion2 = 0x0002'0000;
// EN, CSS, MPS, AMS, SHN, IOSQES, IOCQES.
constexpr uint32_t kCcWritable = 0x00FF'FFF1;
constexpr uint32_t kAqaWritable = 0x0FFF'0FFF;

uint64_t with_low(uint64_t value, uint32_t low) { return (value & 0xFFFF'FFFF'0000'0000) | low; }
uint64_t with_high(uint64_t value, uint32_t high) {
  return (value & 0xFFFF'FFFF) | static_cast<uint64_t>(high) << 32;
}

}  // namespace

Registers::Registers(const Config& config)
    : cap_(spec::Cap{0}
               .with_mqes(config.mqes)
               .with_ams(spec::kCapAmsWrrUrgent)
               .with_to(static_cast<uint8_t>(config.timeout_500ms))
               .with_dstrd(config.doorbell_stride)
               .with_nssrs(true)
               .with_css(spec::kCapCssNvm)),
      vs_(config.version),
      crto_(0) {
  // Since 2.0 a controller says how long it needs until it is ready with its media.
  if (config.version >= kVersion2) {
    cap_ = cap_.with_crms(spec::kCapCrmsWithMedia).with_nsss(true);
    crto_ = config.timeout_500ms & 0xFFFF;
  }
}

uint32_t Registers::read(uint32_t offset, uint32_t interrupt_mask) const {
  switch (offset) {
    case reg::kCap:
      return static_cast<uint32_t>(cap_.value);
    case reg::kCap + 4:
      return static_cast<uint32_t>(cap_.value >> 32);
    case reg::kVs:
      return vs_;
    case reg::kIntms:
    case reg::kIntmc:
      return interrupt_mask;
    case reg::kCc:
      return cc_.value;
    case reg::kCsts:
      return csts_.value;
    case reg::kAqa:
      return aqa_.value;
    case reg::kAsq:
      return static_cast<uint32_t>(asq_);
    case reg::kAsq + 4:
      return static_cast<uint32_t>(asq_ >> 32);
    case reg::kAcq:
      return static_cast<uint32_t>(acq_);
    case reg::kAcq + 4:
      return static_cast<uint32_t>(acq_ >> 32);
    case reg::kCrto:
      return crto_;
    default:
      return 0;  // NSSR reads as 0, and there is no CMB, PMR or boot partition
  }
}

unsigned Registers::write(uint32_t offset, uint32_t value) {
  switch (offset) {
    case reg::kIntms:
      return kMaskSet;
    case reg::kIntmc:
      return kMaskClear;
    case reg::kCc:
      return write_cc({value & kCcWritable});
    case reg::kCsts:
      if ((value & spec::kCstsNssro) != 0) csts_ = csts_.with_nssro(false);
      return 0;
    case reg::kNssr:
      return value == spec::kNssrReset ? kSubsystemReset : 0;
    case reg::kNssd:
      if (!cap_.nsss()) return 0;
      if (value == spec::kNssdNormal) return kNormalSubsystemShutdown;
      return value == spec::kNssdAbrupt ? kAbruptSubsystemShutdown : 0;
    case reg::kAqa:
      // The admin queue's registers are looked at when EN goes from 0 to 1, and not to be moved
      // while it is 1.
      if (!cc_.en()) aqa_ = {value & kAqaWritable};
      return 0;
    case reg::kAsq:
      if (!cc_.en()) {
        asq_ = with_low(asq_, value & static_cast<uint32_t>(spec::kAdminQueueBaseMask));
      }
      return 0;
    case reg::kAsq + 4:
      if (!cc_.en()) asq_ = with_high(asq_, value);
      return 0;
    case reg::kAcq:
      if (!cc_.en()) {
        acq_ = with_low(acq_, value & static_cast<uint32_t>(spec::kAdminQueueBaseMask));
      }
      return 0;
    case reg::kAcq + 4:
      if (!cc_.en()) acq_ = with_high(acq_, value);
      return 0;
    default:
      return 0;
  }
}

unsigned Registers::write_cc(spec::Cc to) {
  const spec::Cc from = cc_;
  // CSS, MPS and AMS are for a disabled controller: while it is enabled they stay what they are.
  if (from.en() && to.en()) {
    to = to.with_css(from.css()).with_mps(from.mps()).with_ams(from.ams());
  }
  cc_ = to;
  unsigned asked = 0;
  if (!from.en() && to.en()) asked |= kEnable;
  if (from.en() && !to.en()) asked |= kDisable;
  const bool notifies = to.shn() == spec::Shn::kNormal || to.shn() == spec::Shn::kAbrupt;
  if (notifies && from.shn() != to.shn()) asked |= kShutdown;
  return asked;
}

void Registers::reset_all() {
  reset_controller();
  cc_ = {0};
  aqa_ = {0};
  asq_ = 0;
  acq_ = 0;
}

bool Registers::startable() const {
  if (cc_.css() != spec::kCcCssNvm || cc_.mps() > cap_.mpsmax()) return false;
  const auto ams = static_cast<spec::Ams>(cc_.ams());
  if (ams != spec::Ams::kRoundRobin && ams != spec::Ams::kWrrUrgent) return false;
  // 0's based, and a queue has at least two entries.
  return aqa_.asqs() != 0 && aqa_.acqs() != 0;
}

}  // namespace pynvme::ssd
