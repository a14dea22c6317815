// NVMe-MI Send and Receive (NVMe Base 2.0 §5.18, §5.19): Management Interface commands through the
// admin queue (NVMe-MI 1.2 §4.3). Those that reset or shut down are not for this way; what goes
// wrong in a command is told by its own status, in CDW0 of a completion that succeeds.
#include <algorithm>
#include <cstring>

#include "spec/mi.h"
#include "spec/opcode.h"
#include "ssd/admin/admin.h"
#include "ssd/admin/management.h"
#include "ssd/frontend/registers.h"
#include "ssd/model/health.h"

namespace pynvme::ssd {
namespace {

namespace mi = spec::mi;

constexpr uint8_t kMajor = 1;
constexpr uint8_t kMinor = 2;
constexpr uint8_t kPort = 0;
// What the PCI capabilities say too: generation 4, four lanes.
constexpr uint8_t kLinkSpeeds = 0x0F;
constexpr uint8_t kLinkSpeed = 4;
constexpr uint8_t kLinkWidth = 4;
constexpr unsigned kZeroCelsius = 273;

constexpr uint8_t port_of(uint32_t dword0) {
  return static_cast<uint8_t>(spec::bits(dword0, 23, 16));
}

Outcome wrong(uint16_t byte) { return Outcome::with_cdw0(mi::invalid_parameter(byte)); }

}  // namespace

bool Admin::mi_command_supported(uint8_t opcode) { return opcode <= mi::kVpdWrite; }

Outcome Admin::mi_command(const spec::Sqe& sqe, uint64_t now_ns) {
  if (mi::message_type(sqe.cdw10) != mi::kMessageTypeNvme ||
      mi::nvme_mi_type(sqe.cdw10) != mi::kTypeMiCommand) {
    return kInvalidField;
  }
  // Each goes one way: with data to the controller by Send, the others by Receive.
  const uint8_t opcode = mi::opcode(sqe.cdw11);
  const bool sends = opcode == mi::kConfigurationSet || opcode == mi::kVpdWrite;
  if (!mi_command_supported(opcode) || sends != (sqe.opcode == spec::admin::kMiSend)) {
    return Outcome::with_cdw0(mi::make_cdw0(mi::kInvalidOpcode));
  }
  switch (opcode) {
    case mi::kReadDataStructure:
      return mi_read_data_structure(sqe);
    case mi::kSubsystemHealthPoll:
      return mi_subsystem_health(sqe, now_ns);
    case mi::kControllerHealthPoll:
      return mi_controller_health(sqe, now_ns);
    case mi::kConfigurationSet:
    case mi::kConfigurationGet:
      return mi_configuration(sqe, sends);
    default:
      return mi_vpd(sqe, sends);
  }
}

Outcome Admin::mi_respond(const spec::Sqe& sqe, const void* data, uint32_t bytes) {
  Outcome outcome = to_host(sqe, data, bytes);
  // The Response Data Length of Read NVMe-MI Data Structure.
  if (outcome.status == kSuccess) outcome.cdw0 = mi::make_cdw0(mi::kSuccess, bytes);
  return outcome;
}

Outcome Admin::mi_read_data_structure(const spec::Sqe& sqe) {
  const auto cntlid = static_cast<uint16_t>(spec::bits(sqe.cdw12, 15, 0));
  switch (spec::bits(sqe.cdw12, 31, 24)) {
    case mi::dtyp::kSubsystem: {
      const mi::SubsystemInformation information{kPort, kMajor, kMinor, {}};
      return mi_respond(sqe, &information, sizeof information);
    }
    case mi::dtyp::kPort: {
      if (port_of(sqe.cdw12) != kPort) return wrong(mi::kDword0 + 2);
      mi::PortInformation information{};
      information.type = mi::kPortTypePcie;
      information.transmission_unit_max = Management::kTransmissionUnitMax;
      information.link_speeds = kLinkSpeeds;
      information.link_speed = kLinkSpeed;
      information.link_width_max = information.link_width = kLinkWidth;
      return mi_respond(sqe, &information, sizeof information);
    }
    case mi::dtyp::kControllerList: {
      spec::ControllerList list{};
      if (cntlid <= controller_id(parts_)) {
        list.count = 1;
        list.cntlid[0] = controller_id(parts_);
      }
      return mi_respond(sqe, &list, 2 + 2U * list.count);
    }
    case mi::dtyp::kController: {
      if (cntlid != controller_id(parts_)) return wrong(mi::kDword0);
      const spec::IdentifyController controller = describe_controller();
      mi::ControllerInformation information{};
      information.port = kPort;
      information.vid = controller.vid;
      information.did = kPciDevice;
      information.ssvid = controller.ssvid;
      information.ssid = kPciSubsystem;
      return mi_respond(sqe, &information, sizeof information);
    }
    case mi::dtyp::kOptionalCommands: {
      const uint16_t none = 0;
      return mi_respond(sqe, &none, sizeof none);
    }
    default:
      return wrong(mi::kDword0 + 3);
  }
}

Outcome Admin::mi_subsystem_health(const spec::Sqe& sqe, uint64_t now_ns) {
  const spec::SmartLog smart = parts_.health.log(now_ns);
  mi::SubsystemHealth health{};
  health.status = mi::kDriveFunctional | mi::kResetNotRequired | mi::kPortLinkActive;
  health.warnings = static_cast<uint8_t>(~smart.critical_warning);
  health.temperature = static_cast<uint8_t>(smart.composite_temperature() - kZeroCelsius);
  health.percentage_used = smart.percentage_used;
  health.controller_status = parts_.registers.csts().rdy() ? 1 : 0;
  const uint16_t status = to_host(sqe, &health, sizeof health);
  return status;
}

Outcome Admin::mi_controller_health(const spec::Sqe& sqe, uint64_t now_ns) {
  const auto first = static_cast<uint16_t>(spec::bits(sqe.cdw12, 15, 0));
  // All controllers, or those of physical functions, of which this is the one.
  const bool selected = (sqe.cdw12 & (mi::kPollAll | mi::kPollPhysicalFunctions)) != 0 &&
                        first <= controller_id(parts_);
  if (!selected) return kSuccess;
  const spec::SmartLog smart = parts_.health.log(now_ns);
  const spec::Csts csts = parts_.registers.csts();
  mi::ControllerHealth health{};
  health.cntlid = controller_id(parts_);
  health.status = static_cast<uint16_t>(csts.value & 0x1F);
  health.temperature = smart.composite_temperature();
  health.percentage_used = smart.percentage_used;
  health.spare = smart.available_spare;
  health.warning = smart.critical_warning;
  Outcome outcome = to_host(sqe, &health, sizeof health);
  // Response Entries, in the response's upper byte.
  if (outcome.status == kSuccess) outcome.cdw0 = mi::make_cdw0(mi::kSuccess, 1U << 16);
  return outcome;
}

Outcome Admin::mi_configuration(const spec::Sqe& sqe, bool set) {
  switch (spec::bits(sqe.cdw12, 7, 0)) {
    case mi::kConfigHealthStatusChange:
      return kSuccess;  // nothing is kept that could be cleared
    case mi::kConfigTransmissionUnit:
      if (spec::bits(sqe.cdw12, 31, 24) != kPort) return wrong(mi::kDword0 + 3);
      if (!set) {
        return Outcome::with_cdw0(
            mi::make_cdw0(mi::kSuccess, parts_.management.transmission_unit()));
      }
      return parts_.management.set_transmission_unit(static_cast<uint16_t>(sqe.cdw13))
                 ? Outcome(kSuccess)
                 : wrong(mi::kDword1);
    default:
      return wrong(mi::kDword0);  // there is no SMBus
  }
}

Outcome Admin::mi_vpd(const spec::Sqe& sqe, bool write) {
  const uint32_t offset = sqe.cdw12 & 0xFFFF;
  const uint32_t bytes = sqe.cdw13 & 0xFFFF;
  const std::span<uint8_t> vpd = parts_.management.vpd();
  if (offset > vpd.size()) return wrong(mi::kDword0);
  if (bytes > vpd.size() - offset) return wrong(mi::kDword1);
  if (bytes == 0) return kSuccess;
  return write ? from_host(sqe, vpd.data() + offset, bytes)
               : to_host(sqe, vpd.data() + offset, bytes);
}

}  // namespace pynvme::ssd
