// NVMe-MI 1.2: Management Interface commands as NVMe-MI Send and Receive carry them (NVMe Base 2.0
// §5.18, §5.19), their data structures and the statuses of their responses.
#pragma once

#include <cstddef>
#include <cstdint>

#include "spec/wire.h"

namespace pynvme::spec::mi {

// CDW10 is the message's first dword: message type 6:0, NVMe-MI Message Type 14:11.
constexpr uint8_t message_type(uint32_t cdw10) { return static_cast<uint8_t>(bits(cdw10, 6, 0)); }
constexpr uint8_t nvme_mi_type(uint32_t cdw10) { return static_cast<uint8_t>(bits(cdw10, 14, 11)); }
inline constexpr uint8_t kMessageTypeNvme = 4;
inline constexpr uint8_t kTypeMiCommand = 1;
// CDW11 7:0
constexpr uint8_t opcode(uint32_t cdw11) { return static_cast<uint8_t>(bits(cdw11, 7, 0)); }
inline constexpr uint8_t kReadDataStructure = 0x00;
inline constexpr uint8_t kSubsystemHealthPoll = 0x01;
inline constexpr uint8_t kControllerHealthPoll = 0x02;
inline constexpr uint8_t kConfigurationSet = 0x03;
inline constexpr uint8_t kConfigurationGet = 0x04;
inline constexpr uint8_t kVpdRead = 0x05;
inline constexpr uint8_t kVpdWrite = 0x06;

// CDW0 of the completion: status 7:0, then the NVMe Management Response.
inline constexpr uint8_t kSuccess = 0x00;
inline constexpr uint8_t kInvalidOpcode = 0x03;
inline constexpr uint8_t kInvalidParameter = 0x04;
constexpr uint32_t make_cdw0(uint8_t status, uint32_t response = 0) {
  return response << 8 | status;
}
// Where in the message the wrong parameter is; dword 0 of the request is at byte 8.
constexpr uint32_t invalid_parameter(uint16_t byte) {
  return make_cdw0(kInvalidParameter, static_cast<uint32_t>(byte) << 8);
}
inline constexpr uint16_t kDword0 = 8;
inline constexpr uint16_t kDword1 = 12;

// Read NVMe-MI Data Structure. Dword 0: CTRLID 15:0, PORTID 23:16, DTYP 31:24.
namespace dtyp {
inline constexpr uint8_t kSubsystem = 0x00;
inline constexpr uint8_t kPort = 0x01;
inline constexpr uint8_t kControllerList = 0x02;
inline constexpr uint8_t kController = 0x03;
inline constexpr uint8_t kOptionalCommands = 0x04;
}  // namespace dtyp

struct SubsystemInformation {
  uint8_t ports;  // 0's based
  uint8_t major;
  uint8_t minor;
  uint8_t reserved3[29];
};
static_assert(kIsWire<SubsystemInformation> && sizeof(SubsystemInformation) == 32);

struct PortInformation {
  uint8_t type;
  uint8_t capabilities;
  uint16_t transmission_unit_max;
  uint32_t endpoint_buffer_bytes;
  uint8_t link_speeds;  // a bit a generation
  uint8_t link_speed;   // 1: 2.5 GT/s
  uint8_t link_width_max;
  uint8_t link_width;
  uint8_t port_number;
  uint8_t reserved13[19];
};
static_assert(kIsWire<PortInformation> && sizeof(PortInformation) == 32);
static_assert(offsetof(PortInformation, link_speeds) == 8);
inline constexpr uint8_t kPortTypePcie = 1;

struct ControllerInformation {
  uint8_t port;
  uint8_t reserved1[4];
  uint8_t routing_valid;
  uint16_t routing;
  uint16_t vid;
  uint16_t did;
  uint16_t ssvid;
  uint16_t ssid;
  uint8_t reserved16[16];
};
static_assert(kIsWire<ControllerInformation> && sizeof(ControllerInformation) == 32);

struct SubsystemHealth {
  uint8_t status;
  uint8_t warnings;     // the inverse of SMART's Critical Warning
  uint8_t temperature;  // degrees Celsius
  uint8_t percentage_used;
  uint16_t controller_status;
  uint16_t reserved6;
};
static_assert(kIsWire<SubsystemHealth> && sizeof(SubsystemHealth) == 8);
inline constexpr uint8_t kPortLinkActive = 1u << 3;
inline constexpr uint8_t kResetNotRequired = 1u << 4;
inline constexpr uint8_t kDriveFunctional = 1u << 5;

struct ControllerHealth {
  uint16_t cntlid;
  uint16_t status;       // RDY 0, CFS 1, SHST 3:2, NSSRO 4
  uint16_t temperature;  // Kelvin
  uint8_t percentage_used;
  uint8_t spare;
  uint8_t warning;
  uint8_t reserved9[7];
};
static_assert(kIsWire<ControllerHealth> && sizeof(ControllerHealth) == 16);
// Controller Health Status Poll, dword 0.
inline constexpr uint32_t kPollAll = 1u << 31;
inline constexpr uint32_t kPollPhysicalFunctions = 1u << 24;

// Configuration Get and Set, dword 0: identifier 7:0, port 31:24.
inline constexpr uint8_t kConfigHealthStatusChange = 0x02;
inline constexpr uint8_t kConfigTransmissionUnit = 0x03;

}  // namespace pynvme::spec::mi
