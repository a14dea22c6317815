// Log pages against bytes written at the offsets of NVMe Base 2.0 §5.16.1, and the AER completion.
#include "spec/log.h"

#include <string>

#include <gtest/gtest.h>

#include "spec/command.h"
#include "spec/wire_bytes.h"

namespace pynvme::spec {
namespace {

TEST(ErrorLog, ReadsTheBytesOfTheFigure) {
  const auto entry = WireBytes(64)
                         .put(0, {0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08})  // Error Count
                         .put(8, {0x01, 0x00})                                      // SQID
                         .put(10, {0x34, 0x12})                                     // CID
                         .put(12, {0x01, 0x81})              // Status Field, phase
                         .put(14, {0x28, 0x03})              // Parameter Error Location
                         .put(16, {0xEF, 0xCD, 0xAB, 0x89})  // LBA 23:16
                         .put(24, {0x01, 0x00, 0x00, 0x00})  // Namespace
                         .put(28, {0xC1})                    // Vendor Specific Information
                         .put(29, {0x03})                    // TRTYPE
                         .put(32, {0x11, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x12})  // CSI
                         .put(40, {0x21, 0x22})  // Transport Specific
                         .as<ErrorLogEntry>();
  EXPECT_EQ(entry.error_count, 0x0807060504030201u);
  EXPECT_EQ(entry.sqid, 1);
  EXPECT_EQ(entry.cid, 0x1234);
  EXPECT_EQ(status_sc(entry.status), 0x80);
  EXPECT_TRUE(status_dnr(entry.status));
  EXPECT_EQ(entry.parameter_error_location, make_parameter_error_location(40, 3));
  EXPECT_EQ(entry.lba, 0x89ABCDEFu);
  EXPECT_EQ(entry.nsid, 1u);
  EXPECT_EQ(entry.vendor_log_page, 0xC1);
  EXPECT_EQ(entry.trtype, 3);
  EXPECT_EQ(entry.command_specific, 0x1200000000000011u);
  EXPECT_EQ(entry.transport_specific, 0x2221);
}

WireBytes sample_smart_bytes() {
  return WireBytes(512)
      .put(0, {0x02})        // Critical Warning
      .put(1, {0x34, 0x01})  // Composite Temperature 308 K
      .put(3, {0x64})        // Available Spare
      .put(4, {0x0A})        // Available Spare Threshold
      .put(5, {0x07})        // Percentage Used
      .put(6, {0x08})        // Endurance Group Critical Warning Summary
      .put(32, {0x11})       // Data Units Read 47:32
      .put(47, {0x12})
      .put(48, {0x13})                     // Data Units Written
      .put(64, {0x14})                     // Host Read Commands
      .put(80, {0x15})                     // Host Write Commands
      .put(96, {0x16})                     // Controller Busy Time
      .put(112, {0x17})                    // Power Cycles
      .put(128, {0x18})                    // Power On Hours
      .put(144, {0x19})                    // Unsafe Shutdowns
      .put(160, {0x1A})                    // Media and Data Integrity Errors
      .put(176, {0x1B})                    // Number of Error Information Log Entries
      .put(192, {0x21, 0x22, 0x23, 0x24})  // Warning Composite Temperature Time
      .put(196, {0x25, 0x26, 0x27, 0x28})  // Critical Composite Temperature Time
      .put(200, {0x31, 0x01})              // Temperature Sensor 1
      .put(214, {0x38, 0x01})              // Temperature Sensor 8
      .put(216, {0x41})                    // Thermal Management Temperature 1 Transition Count
      .put(220, {0x42})                    // Thermal Management Temperature 2 Transition Count
      .put(224, {0x43})                    // Total Time For Thermal Management Temperature 1
      .put(228, {0x44});                   // Total Time For Thermal Management Temperature 2
}

TEST(SmartLog, ReadsTheBytesOfTheFigure) {
  const auto log = sample_smart_bytes().as<SmartLog>();
  EXPECT_EQ(log.critical_warning, kWarningTemperature);
  EXPECT_EQ(log.composite_temperature(), 308);
  EXPECT_EQ(log.available_spare, 100);
  EXPECT_EQ(log.available_spare_threshold, 10);
  EXPECT_EQ(log.percentage_used, 7);
  EXPECT_EQ(log.endurance_group_critical_warning, 8);
  EXPECT_EQ(log.data_units_read, (Uint128{0x11, 0x1200000000000000}));
  EXPECT_EQ(log.data_units_written.lo, 0x13u);
  EXPECT_EQ(log.host_read_commands.lo, 0x14u);
  EXPECT_EQ(log.host_write_commands.lo, 0x15u);
  EXPECT_EQ(log.controller_busy_time.lo, 0x16u);
  EXPECT_EQ(log.power_cycles.lo, 0x17u);
  EXPECT_EQ(log.power_on_hours.lo, 0x18u);
  EXPECT_EQ(log.unsafe_shutdowns.lo, 0x19u);
  EXPECT_EQ(log.media_errors.lo, 0x1Au);
  EXPECT_EQ(log.error_log_entries.lo, 0x1Bu);
  EXPECT_EQ(log.warning_temperature_time, 0x24232221u);
  EXPECT_EQ(log.critical_temperature_time, 0x28272625u);
  EXPECT_EQ(log.temperature_sensor[0], 0x131);
  EXPECT_EQ(log.temperature_sensor[7], 0x138);
  EXPECT_EQ(log.tmt1_transition_count, 0x41u);
  EXPECT_EQ(log.tmt2_transition_count, 0x42u);
  EXPECT_EQ(log.tmt1_total_time, 0x43u);
  EXPECT_EQ(log.tmt2_total_time, 0x44u);
}

TEST(SmartLog, WritesTheBytesOfTheFigure) {
  SmartLog log{};
  log.critical_warning = kWarningTemperature;
  log.set_composite_temperature(308);
  log.available_spare = 100;
  log.available_spare_threshold = 10;
  log.percentage_used = 7;
  log.endurance_group_critical_warning = 8;
  log.data_units_read = {0x11, 0x1200000000000000};
  log.data_units_written.lo = 0x13;
  log.host_read_commands.lo = 0x14;
  log.host_write_commands.lo = 0x15;
  log.controller_busy_time.lo = 0x16;
  log.power_cycles.lo = 0x17;
  log.power_on_hours.lo = 0x18;
  log.unsafe_shutdowns.lo = 0x19;
  log.media_errors.lo = 0x1A;
  log.error_log_entries.lo = 0x1B;
  log.warning_temperature_time = 0x24232221;
  log.critical_temperature_time = 0x28272625;
  log.temperature_sensor[0] = 0x131;
  log.temperature_sensor[7] = 0x138;
  log.tmt1_transition_count = 0x41;
  log.tmt2_transition_count = 0x42;
  log.tmt1_total_time = 0x43;
  log.tmt2_total_time = 0x44;
  EXPECT_EQ(WireBytes::of(log), sample_smart_bytes());
}

TEST(FirmwareSlotLog, Bytes) {
  const auto log = WireBytes(512)
                       .put(0, {0x21})       // AFI: slot 1 active, slot 2 next
                       .put(8, "FW-1.0.0")   // FRS1 15:8
                       .put(16, "FW-2.0.0")  // FRS2 23:16
                       .put(56, "FW-7.0.0")  // FRS7 63:56
                       .as<FirmwareSlotLog>();
  EXPECT_EQ(bits(log.afi, 2, 0), 1);
  EXPECT_EQ(bits(log.afi, 6, 4), 2);
  EXPECT_EQ(std::string(log.frs[0], 8), "FW-1.0.0");
  EXPECT_EQ(std::string(log.frs[1], 8), "FW-2.0.0");
  EXPECT_EQ(std::string(log.frs[6], 8), "FW-7.0.0");
}

TEST(CommandsSupportedEffects, Bytes) {
  const auto log = WireBytes(4096)
                       .put(0x80 * 4, {0x0F, 0x00, 0x11, 0x00})         // ACS128 Format NVM
                       .put(1024 + 0x01 * 4, {0x03, 0x00, 0x00, 0x00})  // IOCS1 Write
                       .put(2044, {0x01, 0x00, 0x20, 0x00})             // IOCS255
                       .as<CommandsSupportedEffects>();
  using Effects = CommandsSupportedEffects;
  EXPECT_EQ(log.acs[0x80], Effects::kCsupp | Effects::kLbcc | Effects::kNcc | Effects::kNic |
                               Effects::kCseNamespaceExclusive | Effects::kCspNamespace);
  EXPECT_EQ(log.iocs[1], Effects::kCsupp | Effects::kLbcc);
  EXPECT_EQ(log.iocs[255], Effects::kCsupp | Effects::kCspController);
  EXPECT_EQ(Effects::kUss, 0x00080000u);
  EXPECT_EQ(Effects::kCspSubsystem, 0x02000000u);
}

TEST(DeviceSelfTestLog, Bytes) {
  // The second result begins at byte 4 + 28.
  const auto log = WireBytes(564)
                       .put(0, {0x02})   // Current Operation
                       .put(1, {0x32})   // Current Completion
                       .put(32, {0x17})  // result 7h of a short test
                       .put(33, {0x03})  // Segment Number
                       .put(34, {0x0F})  // Valid Diagnostic Information
                       .put(36, {0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08})  // POH
                       .put(44, {0x01, 0x00, 0x00, 0x00})                          // NSID
                       .put(48, {0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18})  // Failing LBA
                       .put(56, {0x02})                                            // SCT
                       .put(57, {0x81})                                            // SC
                       .put(58, {0xAA, 0xBB})  // vendor specific
                       .as<DeviceSelfTestLog>();
  EXPECT_EQ(log.current_operation, 2);
  EXPECT_EQ(log.current_completion, 50);
  EXPECT_EQ(log.result[1].status, 0x17);
  EXPECT_EQ(log.result[1].segment, 3);
  EXPECT_EQ(log.result[1].valid, 0x0F);
  EXPECT_EQ(uint64_t{log.result[1].power_on_hours}, 0x0807060504030201u);
  EXPECT_EQ(uint32_t{log.result[1].nsid}, 1u);
  EXPECT_EQ(uint64_t{log.result[1].failing_lba}, 0x1817161514131211u);
  EXPECT_EQ(log.result[1].status_code_type, 2);
  EXPECT_EQ(log.result[1].status_code, 0x81);
  EXPECT_EQ(log.result[1].vendor[1], 0xBB);
}

TEST(SanitizeStatusLog, Bytes) {
  const auto log = WireBytes(512)
                       .put(0, {0xFF, 0xFF})               // SPROG
                       .put(2, {0x01, 0x01})               // SSTAT: completed, Global Data Erased
                       .put(4, {0x02, 0x00, 0x00, 0x00})   // SCDW10: block erase
                       .put(8, {0x01, 0x02, 0x03, 0x04})   // overwrite
                       .put(12, {0x05, 0x06, 0x07, 0x08})  // block erase
                       .put(16, {0x09, 0x0A, 0x0B, 0x0C})  // crypto erase
                       .put(20, {0x11, 0x12, 0x13, 0x14})  // overwrite, no-deallocate
                       .put(24, {0x15, 0x16, 0x17, 0x18})  // block erase, no-deallocate
                       .put(28, {0x19, 0x1A, 0x1B, 0x1C})  // crypto erase, no-deallocate
                       .as<SanitizeStatusLog>();
  EXPECT_EQ(log.sprog, 0xFFFF);
  EXPECT_EQ(log.sstat, 0x0101);
  EXPECT_EQ(log.scdw10, 2u);
  EXPECT_EQ(log.overwrite_time, 0x04030201u);
  EXPECT_EQ(log.block_erase_time, 0x08070605u);
  EXPECT_EQ(log.crypto_erase_time, 0x0C0B0A09u);
  EXPECT_EQ(log.overwrite_no_deallocate_time, 0x14131211u);
  EXPECT_EQ(log.block_erase_no_deallocate_time, 0x18171615u);
  EXPECT_EQ(log.crypto_erase_no_deallocate_time, 0x1C1B1A19u);
}

TEST(LogLists, Bytes) {
  const auto changed = WireBytes(4096).put(0, {0xFF, 0xFF, 0xFF, 0xFF}).as<ChangedNamespaceList>();
  EXPECT_EQ(changed.nsid[0], 0xFFFFFFFFu);
  EXPECT_EQ(changed.nsid[1], 0u);
  const auto pages =
      WireBytes(1024).put(0x02 * 4, {0x01}).put(0x81 * 4, {0x03}).as<SupportedLogPages>();
  EXPECT_EQ(pages.lids[lid::kSmart], SupportedLogPages::kLsupp);
  EXPECT_EQ(pages.lids[lid::kSanitizeStatus], SupportedLogPages::kLsupp | SupportedLogPages::kIos);
  const auto features =
      WireBytes(1024).put(0x06 * 4, {0x11, 0x00, 0x20, 0x00}).as<FeatureIdentifiersEffects>();
  using Effects = FeatureIdentifiersEffects;
  EXPECT_EQ(features.fis[6], Effects::kFsupp | Effects::kCcc | Effects::kFspController);
}

TEST(Aer, Cdw0) {
  // Temperature above threshold: type SMART, information 01h, log page 02h.
  EXPECT_EQ(aer::make_cdw0(aer::kTypeSmart, aer::kSmartTemperature, lid::kSmart), 0x00020101u);
  // Namespace Attribute Changed: type Notice, information 00h, log page 04h.
  EXPECT_EQ(
      aer::make_cdw0(aer::kTypeNotice, aer::kNoticeNamespaceAttribute, lid::kChangedNamespaceList),
      0x00040002u);
  EXPECT_EQ(aer::type(0x00020101), 1);
  EXPECT_EQ(aer::info(0x00020301), 3);
  EXPECT_EQ(aer::log_page(0x00020101), 2);
}

}  // namespace
}  // namespace pynvme::spec
