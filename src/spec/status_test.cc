// Text and values of status codes; the numbers are those of the specifications' tables (NVMe
// Base 2.0 §3.3.3.2.1).
#include "spec/status.h"

#include <set>
#include <string>

#include <gtest/gtest.h>

namespace pynvme::spec {
namespace {

struct Expected {
  int sct;
  int sc;
  const char* text;
};

constexpr Expected kExpected[] = {
    {0, 0x00, "Successful Completion"},
    {0, 0x01, "Invalid Command Opcode"},
    {0, 0x02, "Invalid Field in Command"},
    {0, 0x03, "Command ID Conflict"},
    {0, 0x04, "Data Transfer Error"},
    {0, 0x05, "Commands Aborted due to Power Loss Notification"},
    {0, 0x06, "Internal Error"},
    {0, 0x07, "Command Abort Requested"},
    {0, 0x08, "Command Aborted due to SQ Deletion"},
    {0, 0x09, "Command Aborted due to Failed Fused Command"},
    {0, 0x0A, "Command Aborted due to Missing Fused Command"},
    {0, 0x0B, "Invalid Namespace or Format"},
    {0, 0x0C, "Command Sequence Error"},
    {0, 0x0D, "Invalid SGL Segment Descriptor"},
    {0, 0x0E, "Invalid Number of SGL Descriptors"},
    {0, 0x0F, "Data SGL Length Invalid"},
    {0, 0x10, "Metadata SGL Length Invalid"},
    {0, 0x11, "SGL Descriptor Type Invalid"},
    {0, 0x12, "Invalid Use of Controller Memory Buffer"},
    {0, 0x13, "PRP Offset Invalid"},
    {0, 0x14, "Atomic Write Unit Exceeded"},
    {0, 0x15, "Operation Denied"},
    {0, 0x16, "SGL Offset Invalid"},
    {0, 0x18, "Host Identifier Inconsistent Format"},
    {0, 0x19, "Keep Alive Timer Expired"},
    {0, 0x1A, "Keep Alive Timeout Invalid"},
    {0, 0x1B, "Command Aborted due to Preempt and Abort"},
    {0, 0x1C, "Sanitize Failed"},
    {0, 0x1D, "Sanitize In Progress"},
    {0, 0x1E, "SGL Data Block Granularity Invalid"},
    {0, 0x1F, "Command Not Supported for Queue in CMB"},
    {0, 0x20, "Namespace is Write Protected"},
    {0, 0x21, "Command Interrupted"},
    {0, 0x22, "Transient Transport Error"},
    {0, 0x23, "Command Prohibited by Command and Feature Lockdown"},
    {0, 0x24, "Admin Command Media Not Ready"},
    {0, 0x80, "LBA Out of Range"},
    {0, 0x81, "Capacity Exceeded"},
    {0, 0x82, "Namespace Not Ready"},
    {0, 0x83, "Reservation Conflict"},
    {0, 0x84, "Format In Progress"},
    {0, 0x85, "Invalid Value Size"},
    {0, 0x86, "Invalid Key Size"},
    {0, 0x87, "KV Key Does Not Exist"},
    {0, 0x88, "Unrecovered Error"},
    {0, 0x89, "Key Exists"},
    {1, 0x00, "Completion Queue Invalid"},
    {1, 0x01, "Invalid Queue Identifier"},
    {1, 0x02, "Invalid Queue Size"},
    {1, 0x03, "Abort Command Limit Exceeded"},
    {1, 0x05, "Asynchronous Event Request Limit Exceeded"},
    {1, 0x06, "Invalid Firmware Slot"},
    {1, 0x07, "Invalid Firmware Image"},
    {1, 0x08, "Invalid Interrupt Vector"},
    {1, 0x09, "Invalid Log Page"},
    {1, 0x0A, "Invalid Format"},
    {1, 0x0B, "Firmware Activation Requires Conventional Reset"},
    {1, 0x0C, "Invalid Queue Deletion"},
    {1, 0x0D, "Feature Identifier Not Saveable"},
    {1, 0x0E, "Feature Not Changeable"},
    {1, 0x0F, "Feature Not Namespace Specific"},
    {1, 0x10, "Firmware Activation Requires NVM Subsystem Reset"},
    {1, 0x11, "Firmware Activation Requires Controller Level Reset"},
    {1, 0x12, "Firmware Activation Requires Maximum Time Violation"},
    {1, 0x13, "Firmware Activation Prohibited"},
    {1, 0x14, "Overlapping Range"},
    {1, 0x15, "Namespace Insufficient Capacity"},
    {1, 0x16, "Namespace Identifier Unavailable"},
    {1, 0x18, "Namespace Already Attached"},
    {1, 0x19, "Namespace Is Private"},
    {1, 0x1A, "Namespace Not Attached"},
    {1, 0x1B, "Thin Provisioning Not Supported"},
    {1, 0x1C, "Controller List Invalid"},
    {1, 0x1D, "Device Self-test In Progress"},
    {1, 0x1E, "Boot Partition Write Prohibited"},
    {1, 0x1F, "Invalid Controller Identifier"},
    {1, 0x20, "Invalid Secondary Controller State"},
    {1, 0x21, "Invalid Number of Controller Resources"},
    {1, 0x22, "Invalid Resource Identifier"},
    {1, 0x23, "Sanitize Prohibited While Persistent Memory Region is Enabled"},
    {1, 0x24, "ANA Group Identifier Invalid"},
    {1, 0x25, "ANA Attach Failed"},
    {1, 0x26, "Insufficient Capacity"},
    {1, 0x27, "Namespace Attachment Limit Exceeded"},
    {1, 0x28, "Prohibition of Command Execution Not Supported"},
    {1, 0x29, "I/O Command Set Not Supported"},
    {1, 0x2A, "I/O Command Set Not Enabled"},
    {1, 0x2B, "I/O Command Set Combination Rejected"},
    {1, 0x2C, "Invalid I/O Command Set"},
    {1, 0x2D, "Identifier Unavailable"},
    {1, 0x7F, "Stream Resource Allocation Failed"},
    {1, 0x80, "Conflicting Attributes"},
    {1, 0x81, "Invalid Protection Information"},
    {1, 0x82, "Attempted Write to Read Only Range"},
    {1, 0x83, "Command Size Limit Exceeded"},
    {1, 0xB8, "Zone Boundary Error"},
    {1, 0xB9, "Zone Is Full"},
    {1, 0xBA, "Zone Is Read Only"},
    {1, 0xBB, "Zone Is Offline"},
    {1, 0xBC, "Zone Invalid Write"},
    {1, 0xBD, "Too Many Active Zones"},
    {1, 0xBE, "Too Many Open Zones"},
    {1, 0xBF, "Invalid Zone State Transition"},
    {2, 0x80, "Write Fault"},
    {2, 0x81, "Unrecovered Read Error"},
    {2, 0x82, "End-to-end Guard Check Error"},
    {2, 0x83, "End-to-end Application Tag Check Error"},
    {2, 0x84, "End-to-end Reference Tag Check Error"},
    {2, 0x85, "Compare Failure"},
    {2, 0x86, "Access Denied"},
    {2, 0x87, "Deallocated or Unwritten Logical Block"},
    {2, 0x88, "End-to-End Storage Tag Check Error"},
    {3, 0x00, "Internal Path Error"},
    {3, 0x01, "Asymmetric Access Persistent Loss"},
    {3, 0x02, "Asymmetric Access Inaccessible"},
    {3, 0x03, "Asymmetric Access Transition"},
    {3, 0x60, "Controller Pathing Error"},
    {3, 0x70, "Host Pathing Error"},
    {3, 0x71, "Command Aborted By Host"},
    {7, 0x81, "Data Verify Mismatch"},
};

constexpr Expected kExpectedFabrics[] = {
    {1, 0x80, "Incompatible Format"},        {1, 0x81, "Controller Busy"},
    {1, 0x82, "Connect Invalid Parameters"}, {1, 0x83, "Connect Restart Discovery"},
    {1, 0x84, "Connect Invalid Host"},       {1, 0x85, "Invalid Queue Type"},
    {1, 0x90, "Discover Restart"},           {1, 0x91, "Authentication Required"},
};

std::string text_of(int sct, int sc, bool fabrics = false) {
  return status_text(static_cast<uint8_t>(sct), static_cast<uint8_t>(sc), fabrics);
}

TEST(StatusText, ListedCodes) {
  for (const Expected& e : kExpected)
    EXPECT_EQ(text_of(e.sct, e.sc), e.text) << e.sct << "/" << e.sc;
}

TEST(StatusText, FabricsCodesOnlyWhenAskedFor) {
  for (const Expected& e : kExpectedFabrics) EXPECT_EQ(text_of(e.sct, e.sc, true), e.text) << e.sc;
  EXPECT_EQ(text_of(1, 0x91), "Reserved");
  EXPECT_EQ(text_of(1, 0x86, true), "Reserved");
  EXPECT_EQ(text_of(1, 0x08, true), "Invalid Interrupt Vector");
  EXPECT_EQ(text_of(0, 0x80, true), "LBA Out of Range");
}

TEST(StatusText, EveryOtherCodeIsReservedOrVendorSpecific) {
  std::set<std::pair<int, int>> listed;
  for (const Expected& e : kExpected) listed.insert({e.sct, e.sc});
  for (int sct = 0; sct < 8; ++sct) {
    for (int sc = 0; sc < 256; ++sc) {
      if (listed.count({sct, sc}) != 0) continue;
      EXPECT_EQ(text_of(sct, sc), sct == 7 || sc >= 0xC0 ? "Vendor Specific" : "Reserved")
          << sct << "/" << sc;
    }
  }
}

TEST(StatusCodes, Values) {
  EXPECT_EQ(sct::kGeneric, 0);
  EXPECT_EQ(sct::kCommandSpecific, 1);
  EXPECT_EQ(sct::kMedia, 2);
  EXPECT_EQ(sct::kPath, 3);
  EXPECT_EQ(sct::kVendor, 7);
  EXPECT_EQ(sc::kInvalidField, 0x02);
  EXPECT_EQ(sc::kCommandIdConflict, 0x03);
  EXPECT_EQ(sc::kAbortRequested, 0x07);
  EXPECT_EQ(sc::kAbortedSqDeletion, 0x08);
  EXPECT_EQ(sc::kAbortedFailedFused, 0x09);
  EXPECT_EQ(sc::kAbortedMissingFused, 0x0A);
  EXPECT_EQ(sc::kInvalidNamespaceOrFormat, 0x0B);
  EXPECT_EQ(sc::kPrpOffsetInvalid, 0x13);
  EXPECT_EQ(sc::kLbaOutOfRange, 0x80);
  EXPECT_EQ(sc::kInvalidQueueIdentifier, 0x01);
  EXPECT_EQ(sc::kInvalidQueueSize, 0x02);
  EXPECT_EQ(sc::kAerLimitExceeded, 0x05);
  EXPECT_EQ(sc::kInvalidFirmwareSlot, 0x06);
  EXPECT_EQ(sc::kInvalidInterruptVector, 0x08);
  EXPECT_EQ(sc::kInvalidLogPage, 0x09);
  EXPECT_EQ(sc::kInvalidFormat, 0x0A);
  EXPECT_EQ(sc::kInvalidQueueDeletion, 0x0C);
  EXPECT_EQ(sc::kFeatureNotSaveable, 0x0D);
  EXPECT_EQ(sc::kFeatureNotChangeable, 0x0E);
  EXPECT_EQ(sc::kOverlappingRange, 0x14);
  EXPECT_EQ(sc::kUnrecoveredReadError, 0x81);
  EXPECT_EQ(sc::kCompareFailure, 0x85);
  EXPECT_EQ(sc::kDeallocatedOrUnwritten, 0x87);
}

}  // namespace
}  // namespace pynvme::spec
