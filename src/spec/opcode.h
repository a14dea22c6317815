// Command opcodes of NVMe Base 2.0, the NVM and Zoned Namespace command sets, and the names of the
// commands. Command dword fields are in command_fields.h.
#pragma once

#include <cstdint>

namespace pynvme::spec {

// Opcode bits 1:0 (NVMe Base 2.0 §3.3.3.1), valid for every command except Fabrics, where FCTYPE
// has them.
enum class DataDirection : uint8_t {
  kNone = 0,
  kHostToController = 1,
  kControllerToHost = 2,
  kBidirectional = 3,
};

constexpr DataDirection data_direction(uint8_t opcode) {
  return static_cast<DataDirection>(opcode & 0x3);
}

namespace admin {
inline constexpr uint8_t kDeleteIoSq = 0x00;
inline constexpr uint8_t kCreateIoSq = 0x01;
inline constexpr uint8_t kGetLogPage = 0x02;
inline constexpr uint8_t kDeleteIoCq = 0x04;
inline constexpr uint8_t kCreateIoCq = 0x05;
inline constexpr uint8_t kIdentify = 0x06;
inline constexpr uint8_t kAbort = 0x08;
inline constexpr uint8_t kSetFeatures = 0x09;
inline constexpr uint8_t kGetFeatures = 0x0A;
inline constexpr uint8_t kAsyncEventRequest = 0x0C;
inline constexpr uint8_t kNamespaceManagement = 0x0D;
inline constexpr uint8_t kFirmwareCommit = 0x10;
inline constexpr uint8_t kFirmwareImageDownload = 0x11;
inline constexpr uint8_t kDeviceSelfTest = 0x14;
inline constexpr uint8_t kNamespaceAttachment = 0x15;
inline constexpr uint8_t kKeepAlive = 0x18;
inline constexpr uint8_t kDirectiveSend = 0x19;
inline constexpr uint8_t kDirectiveReceive = 0x1A;
inline constexpr uint8_t kVirtualizationManagement = 0x1C;
inline constexpr uint8_t kMiSend = 0x1D;
inline constexpr uint8_t kMiReceive = 0x1E;
inline constexpr uint8_t kCapacityManagement = 0x20;
inline constexpr uint8_t kLockdown = 0x24;
inline constexpr uint8_t kDoorbellBufferConfig = 0x7C;
inline constexpr uint8_t kFabrics = 0x7F;
inline constexpr uint8_t kFormatNvm = 0x80;
inline constexpr uint8_t kSecuritySend = 0x81;
inline constexpr uint8_t kSecurityReceive = 0x82;
inline constexpr uint8_t kSanitize = 0x84;
inline constexpr uint8_t kGetLbaStatus = 0x86;
inline constexpr uint8_t kVendorFirst = 0xC0;
}  // namespace admin

namespace io {
inline constexpr uint8_t kFlush = 0x00;
inline constexpr uint8_t kWrite = 0x01;
inline constexpr uint8_t kRead = 0x02;
inline constexpr uint8_t kWriteUncorrectable = 0x04;
inline constexpr uint8_t kCompare = 0x05;
inline constexpr uint8_t kWriteZeroes = 0x08;
inline constexpr uint8_t kDatasetManagement = 0x09;
inline constexpr uint8_t kVerify = 0x0C;
inline constexpr uint8_t kReservationRegister = 0x0D;
inline constexpr uint8_t kReservationReport = 0x0E;
inline constexpr uint8_t kReservationAcquire = 0x11;
inline constexpr uint8_t kReservationRelease = 0x15;
inline constexpr uint8_t kCopy = 0x19;
inline constexpr uint8_t kZoneManagementSend = 0x79;
inline constexpr uint8_t kZoneManagementReceive = 0x7A;
inline constexpr uint8_t kZoneAppend = 0x7D;
inline constexpr uint8_t kFabrics = 0x7F;
inline constexpr uint8_t kVendorFirst = 0x80;
}  // namespace io

// Never null: an unknown opcode is "Reserved" or "Vendor Specific" by its range.
const char* admin_command_name(uint8_t opcode);
const char* io_command_name(uint8_t opcode);

}  // namespace pynvme::spec
