// Controller properties of the memory-based transport (NVMe Base 2.0 §3.1.3 and NVMe over PCIe 1.0
// §3.1): offsets, field accessors and builders for CAP, CC, CSTS, AQA, the memory buffer registers,
// and the doorbell formula. What a write to them does is the business of each side.
#pragma once

#include <cstdint>

#include "spec/wire.h"

namespace pynvme::spec {

namespace reg {
inline constexpr uint32_t kCap = 0x00;
inline constexpr uint32_t kVs = 0x08;
inline constexpr uint32_t kIntms = 0x0C;
inline constexpr uint32_t kIntmc = 0x10;
inline constexpr uint32_t kCc = 0x14;
inline constexpr uint32_t kCsts = 0x1C;
inline constexpr uint32_t kNssr = 0x20;
inline constexpr uint32_t kAqa = 0x24;
inline constexpr uint32_t kAsq = 0x28;
inline constexpr uint32_t kAcq = 0x30;
inline constexpr uint32_t kCmbloc = 0x38;
inline constexpr uint32_t kCmbsz = 0x3C;
inline constexpr uint32_t kBpinfo = 0x40;
inline constexpr uint32_t kBprsel = 0x44;
inline constexpr uint32_t kBpmbl = 0x48;
inline constexpr uint32_t kCmbmsc = 0x50;
inline constexpr uint32_t kCmbsts = 0x58;
inline constexpr uint32_t kCmbebs = 0x5C;
inline constexpr uint32_t kCmbswtp = 0x60;
inline constexpr uint32_t kNssd = 0x64;
inline constexpr uint32_t kCrto = 0x68;
inline constexpr uint32_t kPmrcap = 0xE00;
inline constexpr uint32_t kPmrctl = 0xE04;
inline constexpr uint32_t kPmrsts = 0xE08;
inline constexpr uint32_t kPmrebs = 0xE0C;
inline constexpr uint32_t kPmrswtp = 0xE10;
inline constexpr uint32_t kPmrmscl = 0xE14;
inline constexpr uint32_t kPmrmscu = 0xE18;
inline constexpr uint32_t kDoorbells = 0x1000;
}  // namespace reg

// "NVMe" in ASCII, written to NSSR to start an NVM Subsystem Reset.
inline constexpr uint32_t kNssrReset = 0x4E564D65;
// "Nrml" and "Abpt" in ASCII, written to NSSD to start an NVM Subsystem Shutdown.
inline constexpr uint32_t kNssdNormal = 0x4E726D6C;
inline constexpr uint32_t kNssdAbrupt = 0x41627074;

// dstrd is the CAP field: the stride is 4 << dstrd bytes (NVMe over PCIe 1.0 §3.1.2).
constexpr uint32_t sq_tail_doorbell(uint16_t sqid, uint8_t dstrd) {
  return reg::kDoorbells + 2u * sqid * (4u << dstrd);
}
constexpr uint32_t cq_head_doorbell(uint16_t cqid, uint8_t dstrd) {
  return reg::kDoorbells + (2u * cqid + 1u) * (4u << dstrd);
}

// CAP, 64 bits.
struct Cap {
  uint64_t value;

  constexpr uint16_t mqes() const {
    return static_cast<uint16_t>(bits(value, 15, 0));
  }  // 0's based
  constexpr bool cqr() const { return bit(value, 16); }
  constexpr uint8_t ams() const { return field(18, 17); }  // bit 0: WRR with urgent, bit 1: vendor
  constexpr uint8_t to() const { return field(31, 24); }   // in units of 500 ms
  constexpr uint8_t dstrd() const { return field(35, 32); }
  constexpr bool nssrs() const { return bit(value, 36); }
  constexpr uint8_t css() const { return field(44, 37); }
  constexpr bool bps() const { return bit(value, 45); }
  constexpr uint8_t cps() const { return field(47, 46); }
  constexpr uint8_t mpsmin() const { return field(51, 48); }
  constexpr uint8_t mpsmax() const { return field(55, 52); }
  constexpr bool pmrs() const { return bit(value, 56); }
  constexpr bool cmbs() const { return bit(value, 57); }
  constexpr bool nsss() const { return bit(value, 58); }
  constexpr uint8_t crms() const { return field(60, 59); }

  constexpr Cap with_mqes(uint16_t v) const { return {with_bits(value, 15, 0, v)}; }
  constexpr Cap with_cqr(bool v) const { return {with_bits(value, 16, 16, v)}; }
  constexpr Cap with_ams(uint8_t v) const { return {with_bits(value, 18, 17, v)}; }
  constexpr Cap with_to(uint8_t v) const { return {with_bits(value, 31, 24, v)}; }
  constexpr Cap with_dstrd(uint8_t v) const { return {with_bits(value, 35, 32, v)}; }
  constexpr Cap with_nssrs(bool v) const { return {with_bits(value, 36, 36, v)}; }
  constexpr Cap with_css(uint8_t v) const { return {with_bits(value, 44, 37, v)}; }
  constexpr Cap with_bps(bool v) const { return {with_bits(value, 45, 45, v)}; }
  constexpr Cap with_cps(uint8_t v) const { return {with_bits(value, 47, 46, v)}; }
  constexpr Cap with_mpsmin(uint8_t v) const { return {with_bits(value, 51, 48, v)}; }
  constexpr Cap with_mpsmax(uint8_t v) const { return {with_bits(value, 55, 52, v)}; }
  constexpr Cap with_pmrs(bool v) const { return {with_bits(value, 56, 56, v)}; }
  constexpr Cap with_cmbs(bool v) const { return {with_bits(value, 57, 57, v)}; }
  constexpr Cap with_nsss(bool v) const { return {with_bits(value, 58, 58, v)}; }
  constexpr Cap with_crms(uint8_t v) const { return {with_bits(value, 60, 59, v)}; }

 private:
  constexpr uint8_t field(unsigned hi, unsigned lo) const {
    return static_cast<uint8_t>(bits(value, hi, lo));
  }
};

// CAP.CSS bits.
inline constexpr uint8_t kCapCssNvm = 1u << 0;
inline constexpr uint8_t kCapCssIoCommandSets = 1u << 6;
inline constexpr uint8_t kCapCssAdminOnly = 1u << 7;
// CAP.AMS bits.
inline constexpr uint8_t kCapAmsWrrUrgent = 1u << 0;
inline constexpr uint8_t kCapAmsVendor = 1u << 1;
// CAP.CRMS bits.
inline constexpr uint8_t kCapCrmsWithMedia = 1u << 0;
inline constexpr uint8_t kCapCrmsIndependentOfMedia = 1u << 1;

// VS: major 31:16, minor 15:8, tertiary 7:0.
constexpr uint32_t make_version(uint16_t major, uint8_t minor, uint8_t tertiary) {
  return static_cast<uint32_t>(major) << 16 | static_cast<uint32_t>(minor) << 8 | tertiary;
}

// CC.SHN
enum class Shn : uint8_t { kNone = 0, kNormal = 1, kAbrupt = 2, kReserved = 3 };

// CC.AMS
enum class Ams : uint8_t { kRoundRobin = 0, kWrrUrgent = 1, kVendor = 7 };

// CC.CSS
inline constexpr uint8_t kCcCssNvm = 0;
inline constexpr uint8_t kCcCssAllIoCommandSets = 6;
inline constexpr uint8_t kCcCssAdminOnly = 7;

// CC, 32 bits.
struct Cc {
  uint32_t value;

  constexpr bool en() const { return bit(value, 0); }
  constexpr uint8_t css() const { return field(6, 4); }
  constexpr uint8_t mps() const { return field(10, 7); }
  constexpr uint8_t ams() const { return field(13, 11); }
  constexpr Shn shn() const { return static_cast<Shn>(field(15, 14)); }
  constexpr uint8_t iosqes() const { return field(19, 16); }
  constexpr uint8_t iocqes() const { return field(23, 20); }
  constexpr bool crime() const { return bit(value, 24); }
  constexpr uint32_t page_size() const { return 1u << (12 + mps()); }

  constexpr Cc with_en(bool v) const { return {with_bits(value, 0, 0, v)}; }
  constexpr Cc with_css(uint8_t v) const { return {with_bits(value, 6, 4, v)}; }
  constexpr Cc with_mps(uint8_t v) const { return {with_bits(value, 10, 7, v)}; }
  constexpr Cc with_ams(uint8_t v) const { return {with_bits(value, 13, 11, v)}; }
  constexpr Cc with_shn(Shn v) const { return {with_bits(value, 15, 14, static_cast<uint8_t>(v))}; }
  constexpr Cc with_iosqes(uint8_t v) const { return {with_bits(value, 19, 16, v)}; }
  constexpr Cc with_iocqes(uint8_t v) const { return {with_bits(value, 23, 20, v)}; }
  constexpr Cc with_crime(bool v) const { return {with_bits(value, 24, 24, v)}; }

 private:
  constexpr uint8_t field(unsigned hi, unsigned lo) const {
    return static_cast<uint8_t>(bits(value, hi, lo));
  }
};

// CSTS.SHST
enum class Shst : uint8_t { kNormal = 0, kOccurring = 1, kComplete = 2, kReserved = 3 };

// CSTS, 32 bits.
struct Csts {
  uint32_t value;

  constexpr bool rdy() const { return bit(value, 0); }
  constexpr bool cfs() const { return bit(value, 1); }
  constexpr Shst shst() const { return static_cast<Shst>(bits(value, 3, 2)); }
  constexpr bool nssro() const { return bit(value, 4); }
  constexpr bool pp() const { return bit(value, 5); }
  constexpr bool st() const { return bit(value, 6); }  // shutdown type: 1 is NVM Subsystem Shutdown

  constexpr Csts with_rdy(bool v) const { return {with_bits(value, 0, 0, v)}; }
  constexpr Csts with_cfs(bool v) const { return {with_bits(value, 1, 1, v)}; }
  constexpr Csts with_shst(Shst v) const {
    return {with_bits(value, 3, 2, static_cast<uint8_t>(v))};
  }
  constexpr Csts with_nssro(bool v) const { return {with_bits(value, 4, 4, v)}; }
  constexpr Csts with_pp(bool v) const { return {with_bits(value, 5, 5, v)}; }
  constexpr Csts with_st(bool v) const { return {with_bits(value, 6, 6, v)}; }
};
// NSSRO is cleared by writing 1; it is the only bit of CSTS that a host writes.
inline constexpr uint32_t kCstsNssro = 1u << 4;

// AQA, 32 bits. Both sizes are 0's based.
struct Aqa {
  uint32_t value;

  constexpr uint16_t asqs() const { return static_cast<uint16_t>(bits(value, 11, 0)); }
  constexpr uint16_t acqs() const { return static_cast<uint16_t>(bits(value, 27, 16)); }
  constexpr Aqa with_asqs(uint16_t v) const { return {with_bits(value, 11, 0, v)}; }
  constexpr Aqa with_acqs(uint16_t v) const { return {with_bits(value, 27, 16, v)}; }
};

// ASQ and ACQ: base address bits 63:12; the low bits are reserved.
inline constexpr uint64_t kAdminQueueBaseMask = ~uint64_t{0xFFF};

// CRTO, in units of 500 ms.
constexpr uint16_t crto_crwmt(uint32_t crto) { return static_cast<uint16_t>(bits(crto, 15, 0)); }
constexpr uint16_t crto_crimt(uint32_t crto) { return static_cast<uint16_t>(bits(crto, 31, 16)); }

// CMBLOC and CMBSZ.
constexpr uint8_t cmbloc_bir(uint32_t cmbloc) { return static_cast<uint8_t>(bits(cmbloc, 2, 0)); }
constexpr uint32_t cmbloc_ofst(uint32_t cmbloc) { return bits(cmbloc, 31, 12); }
constexpr bool cmbsz_sqs(uint32_t cmbsz) { return bit(cmbsz, 0); }
constexpr bool cmbsz_cqs(uint32_t cmbsz) { return bit(cmbsz, 1); }
constexpr bool cmbsz_lists(uint32_t cmbsz) { return bit(cmbsz, 2); }
constexpr bool cmbsz_rds(uint32_t cmbsz) { return bit(cmbsz, 3); }
constexpr bool cmbsz_wds(uint32_t cmbsz) { return bit(cmbsz, 4); }
// Unit of CMBSZ.SZ and CMBLOC.OFST in bytes: 4 KiB times 16 to the power of SZU.
constexpr uint64_t cmbsz_unit(uint32_t cmbsz) { return uint64_t{4096} << (4 * bits(cmbsz, 11, 8)); }
constexpr uint32_t cmbsz_sz(uint32_t cmbsz) { return bits(cmbsz, 31, 12); }

// CMBMSC: CRE bit 0, CMSE bit 1, CBA 63:12. CMBSTS: CBAI bit 0.
constexpr bool cmbmsc_cre(uint64_t cmbmsc) { return bit(cmbmsc, 0); }
constexpr bool cmbmsc_cmse(uint64_t cmbmsc) { return bit(cmbmsc, 1); }
constexpr uint64_t cmbmsc_cba(uint64_t cmbmsc) { return cmbmsc & ~uint64_t{0xFFF}; }

}  // namespace pynvme::spec
