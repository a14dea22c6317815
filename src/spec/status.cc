// Text of status codes, as the specification's tables write them.
#include "spec/status.h"

namespace pynvme::spec {
namespace {

const char* generic_text(uint8_t code) {
  switch (code) {
    case sc::kSuccess:
      return "Successful Completion";
    case sc::kInvalidOpcode:
      return "Invalid Command Opcode";
    case sc::kInvalidField:
      return "Invalid Field in Command";
    case sc::kCommandIdConflict:
      return "Command ID Conflict";
    case sc::kDataTransferError:
      return "Data Transfer Error";
    case sc::kAbortedPowerLoss:
      return "Commands Aborted due to Power Loss Notification";
    case sc::kInternalError:
      return "Internal Error";
    case sc::kAbortRequested:
      return "Command Abort Requested";
    case sc::kAbortedSqDeletion:
      return "Command Aborted due to SQ Deletion";
    case sc::kAbortedFailedFused:
      return "Command Aborted due to Failed Fused Command";
    case sc::kAbortedMissingFused:
      return "Command Aborted due to Missing Fused Command";
    case sc::kInvalidNamespaceOrFormat:
      return "Invalid Namespace or Format";
    case sc::kCommandSequenceError:
      return "Command Sequence Error";
    case sc::kInvalidSglSegmentDescriptor:
      return "Invalid SGL Segment Descriptor";
    case sc::kInvalidNumberOfSglDescriptors:
      return "Invalid Number of SGL Descriptors";
    case sc::kDataSglLengthInvalid:
      return "Data SGL Length Invalid";
    case sc::kMetadataSglLengthInvalid:
      return "Metadata SGL Length Invalid";
    case sc::kSglDescriptorTypeInvalid:
      return "SGL Descriptor Type Invalid";
    case sc::kInvalidUseOfCmb:
      return "Invalid Use of Controller Memory Buffer";
    case sc::kPrpOffsetInvalid:
      return "PRP Offset Invalid";
    case sc::kAtomicWriteUnitExceeded:
      return "Atomic Write Unit Exceeded";
    case sc::kOperationDenied:
      return "Operation Denied";
    case sc::kSglOffsetInvalid:
      return "SGL Offset Invalid";
    case sc::kHostIdInconsistentFormat:
      return "Host Identifier Inconsistent Format";
    case sc::kKeepAliveTimerExpired:
      return "Keep Alive Timer Expired";
    case sc::kKeepAliveTimeoutInvalid:
      return "Keep Alive Timeout Invalid";
    case sc::kAbortedPreemptAndAbort:
      return "Command Aborted due to Preempt and Abort";
    case sc::kSanitizeFailed:
      return "Sanitize Failed";
    case sc::kSanitizeInProgress:
      return "Sanitize In Progress";
    case sc::kSglDataBlockGranularityInvalid:
      return "SGL Data Block Granularity Invalid";
    case sc::kNotSupportedForQueueInCmb:
      return "Command Not Supported for Queue in CMB";
    case sc::kNamespaceWriteProtected:
      return "Namespace is Write Protected";
    case sc::kCommandInterrupted:
      return "Command Interrupted";
    case sc::kTransientTransportError:
      return "Transient Transport Error";
    case sc::kProhibitedByLockdown:
      return "Command Prohibited by Command and Feature Lockdown";
    case sc::kAdminCommandMediaNotReady:
      return "Admin Command Media Not Ready";
    case sc::kLbaOutOfRange:
      return "LBA Out of Range";
    case sc::kCapacityExceeded:
      return "Capacity Exceeded";
    case sc::kNamespaceNotReady:
      return "Namespace Not Ready";
    case sc::kReservationConflict:
      return "Reservation Conflict";
    case sc::kFormatInProgress:
      return "Format In Progress";
    case sc::kInvalidValueSize:
      return "Invalid Value Size";
    case sc::kInvalidKeySize:
      return "Invalid Key Size";
    case sc::kKeyDoesNotExist:
      return "KV Key Does Not Exist";
    case sc::kUnrecoveredError:
      return "Unrecovered Error";
    case sc::kKeyExists:
      return "Key Exists";
    default:
      return nullptr;
  }
}

const char* command_specific_text(uint8_t code) {
  switch (code) {
    case sc::kCompletionQueueInvalid:
      return "Completion Queue Invalid";
    case sc::kInvalidQueueIdentifier:
      return "Invalid Queue Identifier";
    case sc::kInvalidQueueSize:
      return "Invalid Queue Size";
    case sc::kAbortCommandLimitExceeded:
      return "Abort Command Limit Exceeded";
    case sc::kAerLimitExceeded:
      return "Asynchronous Event Request Limit Exceeded";
    case sc::kInvalidFirmwareSlot:
      return "Invalid Firmware Slot";
    case sc::kInvalidFirmwareImage:
      return "Invalid Firmware Image";
    case sc::kInvalidInterruptVector:
      return "Invalid Interrupt Vector";
    case sc::kInvalidLogPage:
      return "Invalid Log Page";
    case sc::kInvalidFormat:
      return "Invalid Format";
    case sc::kFirmwareNeedsConventionalReset:
      return "Firmware Activation Requires Conventional Reset";
    case sc::kInvalidQueueDeletion:
      return "Invalid Queue Deletion";
    case sc::kFeatureNotSaveable:
      return "Feature Identifier Not Saveable";
    case sc::kFeatureNotChangeable:
      return "Feature Not Changeable";
    case sc::kFeatureNotNamespaceSpecific:
      return "Feature Not Namespace Specific";
    case sc::kFirmwareNeedsSubsystemReset:
      return "Firmware Activation Requires NVM Subsystem Reset";
    case sc::kFirmwareNeedsControllerReset:
      return "Firmware Activation Requires Controller Level Reset";
    case sc::kFirmwareMaxTimeViolation:
      return "Firmware Activation Requires Maximum Time Violation";
    case sc::kFirmwareActivationProhibited:
      return "Firmware Activation Prohibited";
    case sc::kOverlappingRange:
      return "Overlapping Range";
    case sc::kNamespaceInsufficientCapacity:
      return "Namespace Insufficient Capacity";
    case sc::kNamespaceIdUnavailable:
      return "Namespace Identifier Unavailable";
    case sc::kNamespaceAlreadyAttached:
      return "Namespace Already Attached";
    case sc::kNamespaceIsPrivate:
      return "Namespace Is Private";
    case sc::kNamespaceNotAttached:
      return "Namespace Not Attached";
    case sc::kThinProvisioningNotSupported:
      return "Thin Provisioning Not Supported";
    case sc::kControllerListInvalid:
      return "Controller List Invalid";
    case sc::kDeviceSelfTestInProgress:
      return "Device Self-test In Progress";
    case sc::kBootPartitionWriteProhibited:
      return "Boot Partition Write Prohibited";
    case sc::kInvalidControllerIdentifier:
      return "Invalid Controller Identifier";
    case sc::kInvalidSecondaryControllerState:
      return "Invalid Secondary Controller State";
    case sc::kInvalidNumberOfControllerResources:
      return "Invalid Number of Controller Resources";
    case sc::kInvalidResourceIdentifier:
      return "Invalid Resource Identifier";
    case sc::kSanitizeProhibitedPmrEnabled:
      return "Sanitize Prohibited While Persistent Memory Region is Enabled";
    case sc::kAnaGroupIdInvalid:
      return "ANA Group Identifier Invalid";
    case sc::kAnaAttachFailed:
      return "ANA Attach Failed";
    case sc::kInsufficientCapacity:
      return "Insufficient Capacity";
    case sc::kNamespaceAttachmentLimitExceeded:
      return "Namespace Attachment Limit Exceeded";
    case sc::kProhibitionNotSupported:
      return "Prohibition of Command Execution Not Supported";
    case sc::kIoCommandSetNotSupported:
      return "I/O Command Set Not Supported";
    case sc::kIoCommandSetNotEnabled:
      return "I/O Command Set Not Enabled";
    case sc::kIoCommandSetCombinationRejected:
      return "I/O Command Set Combination Rejected";
    case sc::kInvalidIoCommandSet:
      return "Invalid I/O Command Set";
    case sc::kIdentifierUnavailable:
      return "Identifier Unavailable";
    case sc::kStreamResourceAllocationFailed:
      return "Stream Resource Allocation Failed";
    case sc::kConflictingAttributes:
      return "Conflicting Attributes";
    case sc::kInvalidProtectionInformation:
      return "Invalid Protection Information";
    case sc::kWriteToReadOnlyRange:
      return "Attempted Write to Read Only Range";
    case sc::kCommandSizeLimitExceeded:
      return "Command Size Limit Exceeded";
    case sc::kZoneBoundaryError:
      return "Zone Boundary Error";
    case sc::kZoneIsFull:
      return "Zone Is Full";
    case sc::kZoneIsReadOnly:
      return "Zone Is Read Only";
    case sc::kZoneIsOffline:
      return "Zone Is Offline";
    case sc::kZoneInvalidWrite:
      return "Zone Invalid Write";
    case sc::kTooManyActiveZones:
      return "Too Many Active Zones";
    case sc::kTooManyOpenZones:
      return "Too Many Open Zones";
    case sc::kInvalidZoneStateTransition:
      return "Invalid Zone State Transition";
    default:
      return nullptr;
  }
}

const char* fabrics_text(uint8_t code) {
  switch (code) {
    case sc::kFabricsIncompatibleFormat:
      return "Incompatible Format";
    case sc::kFabricsControllerBusy:
      return "Controller Busy";
    case sc::kFabricsConnectInvalidParameters:
      return "Connect Invalid Parameters";
    case sc::kFabricsConnectRestartDiscovery:
      return "Connect Restart Discovery";
    case sc::kFabricsConnectInvalidHost:
      return "Connect Invalid Host";
    case sc::kFabricsInvalidQueueType:
      return "Invalid Queue Type";
    case sc::kFabricsDiscoverRestart:
      return "Discover Restart";
    case sc::kFabricsAuthenticationRequired:
      return "Authentication Required";
    default:
      return nullptr;
  }
}

const char* media_text(uint8_t code) {
  switch (code) {
    case sc::kWriteFault:
      return "Write Fault";
    case sc::kUnrecoveredReadError:
      return "Unrecovered Read Error";
    case sc::kGuardCheckError:
      return "End-to-end Guard Check Error";
    case sc::kApplicationTagCheckError:
      return "End-to-end Application Tag Check Error";
    case sc::kReferenceTagCheckError:
      return "End-to-end Reference Tag Check Error";
    case sc::kCompareFailure:
      return "Compare Failure";
    case sc::kAccessDenied:
      return "Access Denied";
    case sc::kDeallocatedOrUnwritten:
      return "Deallocated or Unwritten Logical Block";
    case sc::kStorageTagCheckError:
      return "End-to-End Storage Tag Check Error";
    default:
      return nullptr;
  }
}

const char* path_text(uint8_t code) {
  switch (code) {
    case sc::kInternalPathError:
      return "Internal Path Error";
    case sc::kAnaPersistentLoss:
      return "Asymmetric Access Persistent Loss";
    case sc::kAnaInaccessible:
      return "Asymmetric Access Inaccessible";
    case sc::kAnaTransition:
      return "Asymmetric Access Transition";
    case sc::kControllerPathingError:
      return "Controller Pathing Error";
    case sc::kHostPathingError:
      return "Host Pathing Error";
    case sc::kAbortedByHost:
      return "Command Aborted By Host";
    default:
      return nullptr;
  }
}

const char* listed_text(uint8_t type, uint8_t code, bool fabrics) {
  switch (type) {
    case sct::kGeneric:
      return generic_text(code);
    case sct::kCommandSpecific:
      return fabrics && code >= 0x80 && code < 0xA0 ? fabrics_text(code)
                                                    : command_specific_text(code);
    case sct::kMedia:
      return media_text(code);
    case sct::kPath:
      return path_text(code);
    case sct::kVendor:
      return code == sc::kDataVerifyMismatch ? "Data Verify Mismatch" : nullptr;
    default:
      return nullptr;
  }
}

}  // namespace

const char* status_text(uint8_t sct, uint8_t sc, bool fabrics) {
  if (const char* text = listed_text(sct, sc, fabrics)) return text;
  // C0h to FFh are the vendor's in every Status Code Type; SCT 7h is the vendor's as a whole.
  return sct == sct::kVendor || sc >= 0xC0 ? "Vendor Specific" : "Reserved";
}

}  // namespace pynvme::spec
