// Fields in the command dwords of single commands: queue management, Identify, Get Log Page, Abort,
// Format, firmware, and the NVM command set's reads and writes. Features have their own in
// feature.h, Dataset Management in dsm.h.
#pragma once

#include <cstdint>

#include "spec/wire.h"

namespace pynvme::spec {

// Create I/O SQ and CQ (NVMe Base 2.0 §5.4, §5.5). CDW10: QID 15:0, QSIZE 31:16 (0's based).
constexpr uint16_t queue_id(uint32_t cdw10) { return static_cast<uint16_t>(bits(cdw10, 15, 0)); }
constexpr uint16_t queue_size(uint32_t cdw10) { return static_cast<uint16_t>(bits(cdw10, 31, 16)); }
// CDW11 of both: PC bit 0. CQ: IEN 1, IV 31:16. SQ: QPRIO 2:1, CQID 31:16.
inline constexpr uint32_t kQueuePc = 1u << 0;
inline constexpr uint32_t kCqIen = 1u << 1;
constexpr uint16_t create_cq_iv(uint32_t cdw11) {
  return static_cast<uint16_t>(bits(cdw11, 31, 16));
}
constexpr uint8_t create_sq_qprio(uint32_t cdw11) {
  return static_cast<uint8_t>(bits(cdw11, 2, 1));
}
constexpr uint16_t create_sq_cqid(uint32_t cdw11) {
  return static_cast<uint16_t>(bits(cdw11, 31, 16));
}
enum class Qprio : uint8_t { kUrgent = 0, kHigh = 1, kMedium = 2, kLow = 3 };

// Identify (§5.17). CDW10: CNS 7:0, CNTID 31:16. CDW11: CNS specific identifier 15:0, CSI 31:24.
// CDW14: UUID index 6:0.
constexpr uint8_t identify_cns(uint32_t cdw10) { return static_cast<uint8_t>(bits(cdw10, 7, 0)); }
constexpr uint16_t identify_cntid(uint32_t cdw10) {
  return static_cast<uint16_t>(bits(cdw10, 31, 16));
}
constexpr uint8_t identify_csi(uint32_t cdw11) { return static_cast<uint8_t>(bits(cdw11, 31, 24)); }

// Get Log Page (§5.16). CDW10: LID 7:0, LSP 14:8, RAE 15, NUMDL 31:16. CDW11: NUMDU 15:0, LSI
// 31:16. CDW12, CDW13: LPO. CDW14: UUID index 6:0, OT 23, CSI 31:24.
constexpr uint8_t log_lid(uint32_t cdw10) { return static_cast<uint8_t>(bits(cdw10, 7, 0)); }
constexpr uint8_t log_lsp(uint32_t cdw10) { return static_cast<uint8_t>(bits(cdw10, 14, 8)); }
inline constexpr uint32_t kLogRae = 1u << 15;
// NUMD is 0's based; the sum is taken in 64 bits since NUMD may be FFFFFFFFh.
constexpr uint64_t log_bytes(uint32_t cdw10, uint32_t cdw11) {
  const uint64_t numd = uint64_t{bits(cdw11, 15, 0)} << 16 | bits(cdw10, 31, 16);
  return (numd + 1) * 4;
}
inline constexpr uint32_t kLogOffsetIsIndex = 1u << 23;  // CDW14

// Abort (§5.1). CDW10: SQID 15:0, CID 31:16. CDW0 bit 0 of the completion: 1 is not aborted.
constexpr uint16_t abort_sqid(uint32_t cdw10) { return static_cast<uint16_t>(bits(cdw10, 15, 0)); }
constexpr uint16_t abort_cid(uint32_t cdw10) { return static_cast<uint16_t>(bits(cdw10, 31, 16)); }
inline constexpr uint32_t kAbortNotAborted = 1u << 0;

// Firmware Commit (§5.12). CDW10: FS 2:0, CA 5:3, BPID 31.
constexpr uint8_t firmware_slot(uint32_t cdw10) { return static_cast<uint8_t>(bits(cdw10, 2, 0)); }
constexpr uint8_t firmware_action(uint32_t cdw10) {
  return static_cast<uint8_t>(bits(cdw10, 5, 3));
}
namespace firmware_action_code {
inline constexpr uint8_t kReplace = 0;
inline constexpr uint8_t kReplaceActivateAtReset = 1;
inline constexpr uint8_t kActivateAtReset = 2;
inline constexpr uint8_t kActivateNow = 3;  // with or without a new image, without reset
inline constexpr uint8_t kReplaceBootPartition = 6;
inline constexpr uint8_t kActivateBootPartition = 7;
}  // namespace firmware_action_code
// Firmware Image Download (§5.13): CDW10 is NUMD (0's based dwords), CDW11 is OFST in dwords.

// Namespace Management (§5.23) and Namespace Attachment (§5.22). CDW10: SEL 3:0. CDW11 of a create:
// CSI 31:24.
constexpr uint8_t namespace_select(uint32_t cdw10) {
  return static_cast<uint8_t>(bits(cdw10, 3, 0));
}
constexpr uint8_t namespace_csi(uint32_t cdw11) {
  return static_cast<uint8_t>(bits(cdw11, 31, 24));
}
inline constexpr uint8_t kNamespaceCreate = 0;
inline constexpr uint8_t kNamespaceDelete = 1;
inline constexpr uint8_t kNamespaceAttach = 0;
inline constexpr uint8_t kNamespaceDetach = 1;

// Format NVM (§5.14). CDW10: LBAFL 3:0, MSET 4, PI 7:5, PIL 8, SES 11:9, LBAFU 13:12.
constexpr uint8_t format_lbafl(uint32_t cdw10) { return static_cast<uint8_t>(bits(cdw10, 3, 0)); }
constexpr bool format_mset(uint32_t cdw10) { return bit(cdw10, 4); }
constexpr uint8_t format_pi(uint32_t cdw10) { return static_cast<uint8_t>(bits(cdw10, 7, 5)); }
constexpr bool format_pil(uint32_t cdw10) { return bit(cdw10, 8); }
constexpr uint8_t format_ses(uint32_t cdw10) { return static_cast<uint8_t>(bits(cdw10, 11, 9)); }
constexpr uint8_t format_lbafu(uint32_t cdw10) { return static_cast<uint8_t>(bits(cdw10, 13, 12)); }
inline constexpr uint8_t kSesNone = 0;
inline constexpr uint8_t kSesUserData = 1;
inline constexpr uint8_t kSesCryptographic = 2;

// Sanitize (§5.24). CDW10: SANACT 2:0, AUSE 3, OWPASS 7:4 (0: 16 passes), OIPBP 8, NDAS 9. CDW11 is
// OVRPAT.
namespace sanact {
inline constexpr uint8_t kExitFailureMode = 1;
inline constexpr uint8_t kBlockErase = 2;
inline constexpr uint8_t kOverwrite = 3;
inline constexpr uint8_t kCryptoErase = 4;
}  // namespace sanact
constexpr uint8_t sanitize_action(uint32_t cdw10) {
  return static_cast<uint8_t>(bits(cdw10, 2, 0));
}
constexpr bool sanitize_ause(uint32_t cdw10) { return bit(cdw10, 3); }
constexpr uint32_t sanitize_passes(uint32_t cdw10) {
  return bits(cdw10, 7, 4) == 0 ? 16 : bits(cdw10, 7, 4);
}
constexpr bool sanitize_ndas(uint32_t cdw10) { return bit(cdw10, 9); }

// Security Send and Receive (§5.25, §5.26). CDW10: NSSF 7:0, SPSP 23:8, SECP 31:24. CDW11: bytes.
constexpr uint16_t security_spsp(uint32_t cdw10) {
  return static_cast<uint16_t>(bits(cdw10, 23, 8));
}
constexpr uint8_t security_secp(uint32_t cdw10) {
  return static_cast<uint8_t>(bits(cdw10, 31, 24));
}

// Directive Send and Receive (§5.10, §5.11). CDW10: NUMD. CDW11: DOPER 7:0, DTYPE 15:8, DSPEC
// 31:16.
constexpr uint8_t directive_operation(uint32_t cdw11) {
  return static_cast<uint8_t>(bits(cdw11, 7, 0));
}
constexpr uint8_t directive_type(uint32_t cdw11) {
  return static_cast<uint8_t>(bits(cdw11, 15, 8));
}
// Return Parameters of the Identify directive (§8.7.2.1.1): a bit a directive type.
struct DirectiveParameters {
  uint8_t supported[32];
  uint8_t enabled[32];
  uint8_t persistent[32];
  uint8_t reserved96[4000];
};
static_assert(kIsWire<DirectiveParameters> && sizeof(DirectiveParameters) == 4096);

// Device Self-test (§5.9). CDW10: STC 3:0.
constexpr uint8_t self_test_code(uint32_t cdw10) { return static_cast<uint8_t>(bits(cdw10, 3, 0)); }

// NVM reads and writes (NVM Command Set 1.0 §3.2). CDW12: NLB 15:0 (0's based), DEAC 25 (Write
// Zeroes), PRINFO 29:26, FUA 30, LR 31. CDW13 of Read and Write: DSM 7:0.
constexpr uint32_t io_nlb(uint32_t cdw12) { return bits(cdw12, 15, 0) + 1; }
constexpr uint8_t io_prinfo(uint32_t cdw12) { return static_cast<uint8_t>(bits(cdw12, 29, 26)); }
inline constexpr uint32_t kIoDeac = 1u << 25;
inline constexpr uint32_t kIoFua = 1u << 30;
inline constexpr uint32_t kIoLr = 1u << 31;
// PRINFO: PRCHK 2:0 (reference 0, application 1, guard 2), PRACT 3.
inline constexpr uint8_t kPrchkReference = 1u << 0;
inline constexpr uint8_t kPrchkApplication = 1u << 1;
inline constexpr uint8_t kPrchkGuard = 1u << 2;
inline constexpr uint8_t kPract = 1u << 3;
constexpr bool io_pract(uint32_t cdw12) { return (io_prinfo(cdw12) & kPract) != 0; }
constexpr uint32_t io_with_prinfo(uint32_t cdw12, uint8_t prinfo) {
  return with_bits(cdw12, 29, 26, prinfo);
}

}  // namespace pynvme::spec
