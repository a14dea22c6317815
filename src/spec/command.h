// Submission and completion queue entries (NVMe Base 2.0 §3.3.3.1 and §3.3.3.2) and the Status
// Field helpers. Opcodes are in opcode.h, status codes and their text in status.h, fields of single
// commands in command_fields.h.
#pragma once

#include <cstddef>
#include <cstdint>

#include "spec/wire.h"

namespace pynvme::spec {

// CDW0 bits 9:8.
enum class Fuse : uint8_t {
  kNormal = 0,
  kFirst = 1,
  kSecond = 2,
  kReserved = 3,
};

// CDW0 bits 15:14, PRP or SGL for Data Transfer.
enum class Psdt : uint8_t {
  kPrp = 0,
  kSglMetadataBuffer = 1,   // MPTR is the address of one contiguous buffer
  kSglMetadataSegment = 2,  // MPTR is the address of an SGL segment with one descriptor
  kReserved = 3,
};

inline constexpr uint32_t kNsidNone = 0;
inline constexpr uint32_t kNsidBroadcast = 0xFFFFFFFF;

struct Sqe {
  uint8_t opcode;
  uint8_t flags;  // FUSE 1:0, PSDT 7:6
  uint16_t cid;
  uint32_t nsid;
  uint32_t cdw2;
  uint32_t cdw3;
  uint64_t mptr;
  uint64_t prp1;  // prp1 and prp2 are the 16 bytes of SGL1 when PSDT is not 00b
  uint64_t prp2;
  uint32_t cdw10;
  uint32_t cdw11;
  uint32_t cdw12;
  uint32_t cdw13;
  uint32_t cdw14;
  uint32_t cdw15;

  constexpr Fuse fuse() const { return static_cast<Fuse>(bits(flags, 1, 0)); }
  constexpr void set_fuse(Fuse fuse) { flags = with_bits(flags, 1, 0, static_cast<uint8_t>(fuse)); }
  constexpr Psdt psdt() const { return static_cast<Psdt>(bits(flags, 7, 6)); }
  constexpr void set_psdt(Psdt psdt) { flags = with_bits(flags, 7, 6, static_cast<uint8_t>(psdt)); }

  constexpr uint64_t slba() const { return static_cast<uint64_t>(cdw11) << 32 | cdw10; }
  constexpr void set_slba(uint64_t slba) {
    cdw10 = static_cast<uint32_t>(slba);
    cdw11 = static_cast<uint32_t>(slba >> 32);
  }
};
static_assert(kIsWire<Sqe> && sizeof(Sqe) == 64);
static_assert(offsetof(Sqe, opcode) == 0 && offsetof(Sqe, flags) == 1 && offsetof(Sqe, cid) == 2);
static_assert(offsetof(Sqe, nsid) == 4 && offsetof(Sqe, cdw2) == 8 && offsetof(Sqe, cdw3) == 12);
static_assert(offsetof(Sqe, mptr) == 16 && offsetof(Sqe, prp1) == 24 && offsetof(Sqe, prp2) == 32);
static_assert(offsetof(Sqe, cdw10) == 40 && offsetof(Sqe, cdw15) == 60);

// Status halfword of a CQE: Phase Tag 0, SC 8:1, SCT 11:9, CRD 13:12, M 14, DNR 15 (CQE DW3 bits
// 31:16).
constexpr uint16_t make_status(uint8_t sct, uint8_t sc, bool dnr = false, bool more = false) {
  return static_cast<uint16_t>((dnr ? 0x8000 : 0) | (more ? 0x4000 : 0) | (sct & 0x7) << 9 |
                               sc << 1);
}
constexpr bool status_phase(uint16_t status) { return bit(status, 0); }
constexpr uint8_t status_sc(uint16_t status) { return static_cast<uint8_t>(bits(status, 8, 1)); }
constexpr uint8_t status_sct(uint16_t status) { return static_cast<uint8_t>(bits(status, 11, 9)); }
constexpr uint8_t status_crd(uint16_t status) { return static_cast<uint8_t>(bits(status, 13, 12)); }
constexpr bool status_more(uint16_t status) { return bit(status, 14); }
constexpr bool status_dnr(uint16_t status) { return bit(status, 15); }
constexpr uint16_t with_phase(uint16_t status, bool phase) {
  return static_cast<uint16_t>((status & 0xFFFE) | (phase ? 1 : 0));
}
// Successful completion is SCT 0, SC 0; CRD, M and DNR do not matter.
constexpr bool status_ok(uint16_t status) { return bits(status, 11, 1) == 0; }

struct Cqe {
  uint32_t cdw0;
  uint32_t cdw1;
  uint16_t sqhd;
  uint16_t sqid;
  uint16_t cid;
  uint16_t status;  // Phase Tag in bit 0

  constexpr bool phase() const { return status_phase(status); }
  constexpr uint8_t sct() const { return status_sct(status); }
  constexpr uint8_t sc() const { return status_sc(status); }
  constexpr bool dnr() const { return status_dnr(status); }
  constexpr bool more() const { return status_more(status); }
  constexpr bool ok() const { return status_ok(status); }
};
static_assert(kIsWire<Cqe> && sizeof(Cqe) == 16);
static_assert(offsetof(Cqe, cdw0) == 0 && offsetof(Cqe, cdw1) == 4 && offsetof(Cqe, sqhd) == 8);
static_assert(offsetof(Cqe, sqid) == 10 && offsetof(Cqe, cid) == 12 && offsetof(Cqe, status) == 14);

}  // namespace pynvme::spec
