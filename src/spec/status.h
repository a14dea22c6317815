// Status Code Types and Status Codes (NVMe Base 2.0 §3.3.3.2.1, NVM, ZNS and Fabrics additions),
// and their text. Packing into the Status Field is in command.h.
#pragma once

#include <cstdint>

namespace pynvme::spec {

namespace sct {
inline constexpr uint8_t kGeneric = 0x0;
inline constexpr uint8_t kCommandSpecific = 0x1;
inline constexpr uint8_t kMedia = 0x2;
inline constexpr uint8_t kPath = 0x3;
inline constexpr uint8_t kVendor = 0x7;
}  // namespace sct

namespace sc {

// Generic Command Status (SCT 0h)
inline constexpr uint8_t kSuccess = 0x00;
inline constexpr uint8_t kInvalidOpcode = 0x01;
inline constexpr uint8_t kInvalidField = 0x02;
inline constexpr uint8_t kCommandIdConflict = 0x03;
inline constexpr uint8_t kDataTransferError = 0x04;
inline constexpr uint8_t kAbortedPowerLoss = 0x05;
inline constexpr uint8_t kInternalError = 0x06;
inline constexpr uint8_t kAbortRequested = 0x07;
inline constexpr uint8_t kAbortedSqDeletion = 0x08;
inline constexpr uint8_t kAbortedFailedFused = 0x09;
inline constexpr uint8_t kAbortedMissingFused = 0x0A;
inline constexpr uint8_t kInvalidNamespaceOrFormat = 0x0B;
inline constexpr uint8_t kCommandSequenceError = 0x0C;
inline constexpr uint8_t kInvalidSglSegmentDescriptor = 0x0D;
inline constexpr uint8_t kInvalidNumberOfSglDescriptors = 0x0E;
inline constexpr uint8_t kDataSglLengthInvalid = 0x0F;
inline constexpr uint8_t kMetadataSglLengthInvalid = 0x10;
inline constexpr uint8_t kSglDescriptorTypeInvalid = 0x11;
inline constexpr uint8_t kInvalidUseOfCmb = 0x12;
inline constexpr uint8_t kPrpOffsetInvalid = 0x13;
inline constexpr uint8_t kAtomicWriteUnitExceeded = 0x14;
inline constexpr uint8_t kOperationDenied = 0x15;
inline constexpr uint8_t kSglOffsetInvalid = 0x16;
inline constexpr uint8_t kHostIdInconsistentFormat = 0x18;
inline constexpr uint8_t kKeepAliveTimerExpired = 0x19;
inline constexpr uint8_t kKeepAliveTimeoutInvalid = 0x1A;
inline constexpr uint8_t kAbortedPreemptAndAbort = 0x1B;
inline constexpr uint8_t kSanitizeFailed = 0x1C;
inline constexpr uint8_t kSanitizeInProgress = 0x1D;
inline constexpr uint8_t kSglDataBlockGranularityInvalid = 0x1E;
inline constexpr uint8_t kNotSupportedForQueueInCmb = 0x1F;
inline constexpr uint8_t kNamespaceWriteProtected = 0x20;
inline constexpr uint8_t kCommandInterrupted = 0x21;
inline constexpr uint8_t kTransientTransportError = 0x22;
inline constexpr uint8_t kProhibitedByLockdown = 0x23;
inline constexpr uint8_t kAdminCommandMediaNotReady = 0x24;
inline constexpr uint8_t kLbaOutOfRange = 0x80;
inline constexpr uint8_t kCapacityExceeded = 0x81;
inline constexpr uint8_t kNamespaceNotReady = 0x82;
inline constexpr uint8_t kReservationConflict = 0x83;
inline constexpr uint8_t kFormatInProgress = 0x84;
inline constexpr uint8_t kInvalidValueSize = 0x85;  // 85h to 89h: Key Value command set
inline constexpr uint8_t kInvalidKeySize = 0x86;
inline constexpr uint8_t kKeyDoesNotExist = 0x87;
inline constexpr uint8_t kUnrecoveredError = 0x88;
inline constexpr uint8_t kKeyExists = 0x89;

// Command Specific Status (SCT 1h)
inline constexpr uint8_t kCompletionQueueInvalid = 0x00;
inline constexpr uint8_t kInvalidQueueIdentifier = 0x01;
inline constexpr uint8_t kInvalidQueueSize = 0x02;
inline constexpr uint8_t kAbortCommandLimitExceeded = 0x03;
inline constexpr uint8_t kAerLimitExceeded = 0x05;
inline constexpr uint8_t kInvalidFirmwareSlot = 0x06;
inline constexpr uint8_t kInvalidFirmwareImage = 0x07;
inline constexpr uint8_t kInvalidInterruptVector = 0x08;
inline constexpr uint8_t kInvalidLogPage = 0x09;
inline constexpr uint8_t kInvalidFormat = 0x0A;
inline constexpr uint8_t kFirmwareNeedsConventionalReset = 0x0B;
inline constexpr uint8_t kInvalidQueueDeletion = 0x0C;
inline constexpr uint8_t kFeatureNotSaveable = 0x0D;
inline constexpr uint8_t kFeatureNotChangeable = 0x0E;
inline constexpr uint8_t kFeatureNotNamespaceSpecific = 0x0F;
inline constexpr uint8_t kFirmwareNeedsSubsystemReset = 0x10;
inline constexpr uint8_t kFirmwareNeedsControllerReset = 0x11;
inline constexpr uint8_t kFirmwareMaxTimeViolation = 0x12;
inline constexpr uint8_t kFirmwareActivationProhibited = 0x13;
inline constexpr uint8_t kOverlappingRange = 0x14;
inline constexpr uint8_t kNamespaceInsufficientCapacity = 0x15;
inline constexpr uint8_t kNamespaceIdUnavailable = 0x16;
inline constexpr uint8_t kNamespaceAlreadyAttached = 0x18;
inline constexpr uint8_t kNamespaceIsPrivate = 0x19;
inline constexpr uint8_t kNamespaceNotAttached = 0x1A;
inline constexpr uint8_t kThinProvisioningNotSupported = 0x1B;
inline constexpr uint8_t kControllerListInvalid = 0x1C;
inline constexpr uint8_t kDeviceSelfTestInProgress = 0x1D;
inline constexpr uint8_t kBootPartitionWriteProhibited = 0x1E;
inline constexpr uint8_t kInvalidControllerIdentifier = 0x1F;
inline constexpr uint8_t kInvalidSecondaryControllerState = 0x20;
inline constexpr uint8_t kInvalidNumberOfControllerResources = 0x21;
inline constexpr uint8_t kInvalidResourceIdentifier = 0x22;
inline constexpr uint8_t kSanitizeProhibitedPmrEnabled = 0x23;
inline constexpr uint8_t kAnaGroupIdInvalid = 0x24;
inline constexpr uint8_t kAnaAttachFailed = 0x25;
inline constexpr uint8_t kInsufficientCapacity = 0x26;
inline constexpr uint8_t kNamespaceAttachmentLimitExceeded = 0x27;
inline constexpr uint8_t kProhibitionNotSupported = 0x28;
inline constexpr uint8_t kIoCommandSetNotSupported = 0x29;
inline constexpr uint8_t kIoCommandSetNotEnabled = 0x2A;
inline constexpr uint8_t kIoCommandSetCombinationRejected = 0x2B;
inline constexpr uint8_t kInvalidIoCommandSet = 0x2C;
inline constexpr uint8_t kIdentifierUnavailable = 0x2D;
inline constexpr uint8_t kStreamResourceAllocationFailed = 0x7F;

// Command Specific Status of the NVM command set
inline constexpr uint8_t kConflictingAttributes = 0x80;
inline constexpr uint8_t kInvalidProtectionInformation = 0x81;
inline constexpr uint8_t kWriteToReadOnlyRange = 0x82;
inline constexpr uint8_t kCommandSizeLimitExceeded = 0x83;

// Command Specific Status of the Zoned Namespace command set
inline constexpr uint8_t kZoneBoundaryError = 0xB8;
inline constexpr uint8_t kZoneIsFull = 0xB9;
inline constexpr uint8_t kZoneIsReadOnly = 0xBA;
inline constexpr uint8_t kZoneIsOffline = 0xBB;
inline constexpr uint8_t kZoneInvalidWrite = 0xBC;
inline constexpr uint8_t kTooManyActiveZones = 0xBD;
inline constexpr uint8_t kTooManyOpenZones = 0xBE;
inline constexpr uint8_t kInvalidZoneStateTransition = 0xBF;

// Command Specific Status of Fabrics commands; the values overlap those of the NVM command set
inline constexpr uint8_t kFabricsIncompatibleFormat = 0x80;
inline constexpr uint8_t kFabricsControllerBusy = 0x81;
inline constexpr uint8_t kFabricsConnectInvalidParameters = 0x82;
inline constexpr uint8_t kFabricsConnectRestartDiscovery = 0x83;
inline constexpr uint8_t kFabricsConnectInvalidHost = 0x84;
inline constexpr uint8_t kFabricsInvalidQueueType = 0x85;
inline constexpr uint8_t kFabricsDiscoverRestart = 0x90;
inline constexpr uint8_t kFabricsAuthenticationRequired = 0x91;

// Media and Data Integrity Errors (SCT 2h)
inline constexpr uint8_t kWriteFault = 0x80;
inline constexpr uint8_t kUnrecoveredReadError = 0x81;
inline constexpr uint8_t kGuardCheckError = 0x82;
inline constexpr uint8_t kApplicationTagCheckError = 0x83;
inline constexpr uint8_t kReferenceTagCheckError = 0x84;
inline constexpr uint8_t kCompareFailure = 0x85;
inline constexpr uint8_t kAccessDenied = 0x86;
inline constexpr uint8_t kDeallocatedOrUnwritten = 0x87;
inline constexpr uint8_t kStorageTagCheckError = 0x88;

// Path Related Status (SCT 3h)
inline constexpr uint8_t kInternalPathError = 0x00;
inline constexpr uint8_t kAnaPersistentLoss = 0x01;
inline constexpr uint8_t kAnaInaccessible = 0x02;
inline constexpr uint8_t kAnaTransition = 0x03;
inline constexpr uint8_t kControllerPathingError = 0x60;
inline constexpr uint8_t kHostPathingError = 0x70;
inline constexpr uint8_t kAbortedByHost = 0x71;

// Vendor Specific (SCT 7h): not sent by any device. The driver reports a read whose data fails
// verification this way, so that a data error reaches the script through the status it already
// checks.
inline constexpr uint8_t kDataVerifyMismatch = 0x81;

}  // namespace sc

// Never null: an unlisted code is "Reserved" or "Vendor Specific". `fabrics` selects the Fabrics
// reading of the Command Specific codes 80h to 9Fh, which mean something else after an NVM command.
const char* status_text(uint8_t sct, uint8_t sc, bool fabrics = false);

}  // namespace pynvme::spec
