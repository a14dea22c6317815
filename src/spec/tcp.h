// PDUs of NVMe/TCP (NVMe TCP Transport 1.0 §3.6.2): the headers as they are on the wire, without
// header digest, padding, data and data digest. What a PDU is answered with is the business of each
// side.
#pragma once

#include <cstddef>
#include <cstdint>

#include "spec/command.h"
#include "spec/wire.h"

namespace pynvme::spec::tcp {

inline constexpr uint16_t kPort = 4420;  // of NVM subsystems; the Discovery service has 8009
inline constexpr uint16_t kDiscoveryPort = 8009;

enum class PduType : uint8_t {
  kIcReq = 0x00,
  kIcResp = 0x01,
  kH2cTermReq = 0x02,
  kC2hTermReq = 0x03,
  kCapsuleCmd = 0x04,
  kCapsuleResp = 0x05,
  kH2cData = 0x06,
  kC2hData = 0x07,
  kR2t = 0x09,
};

// FLAGS
inline constexpr uint8_t kHdgstf = 1u << 0;   // a header digest follows the header
inline constexpr uint8_t kDdgstf = 1u << 1;   // a data digest follows the data
inline constexpr uint8_t kLastPdu = 1u << 2;  // H2CData: of this R2T; C2HData: of this command
inline constexpr uint8_t kSuccess = 1u << 3;  // C2HData: stands for a CapsuleResp as well

inline constexpr uint32_t kDigestBytes = 4;

struct CommonHeader {
  PduType type;
  uint8_t flags;
  uint8_t hlen;   // of the header, without digest
  uint8_t pdo;    // offset of the data from the start of the PDU, 0 without data
  uint32_t plen;  // of everything, digests, padding and data included
};
static_assert(kIsWire<CommonHeader> && sizeof(CommonHeader) == 8);
static_assert(offsetof(CommonHeader, flags) == 1 && offsetof(CommonHeader, hlen) == 2 &&
              offsetof(CommonHeader, pdo) == 3 && offsetof(CommonHeader, plen) == 4);

// DGST of ICReq (asked for) and ICResp (granted).
inline constexpr uint8_t kDgstHeader = 1u << 0;
inline constexpr uint8_t kDgstData = 1u << 1;

// HPDA and CPDA: alignment of PDU data in dwords, 0's based, at most 128 bytes.
inline constexpr uint8_t kDataAlignmentMax = 31;

struct IcReq {
  CommonHeader ch;
  uint16_t pfv;  // 0
  uint8_t hpda;
  uint8_t dgst;
  uint32_t maxr2t;  // 0's based, outstanding R2Ts for one command
  uint8_t reserved16[112];
};
static_assert(kIsWire<IcReq> && sizeof(IcReq) == 128);
static_assert(offsetof(IcReq, pfv) == 8 && offsetof(IcReq, hpda) == 10 &&
              offsetof(IcReq, dgst) == 11 && offsetof(IcReq, maxr2t) == 12);

struct IcResp {
  CommonHeader ch;
  uint16_t pfv;  // 0
  uint8_t cpda;
  uint8_t dgst;
  uint32_t maxh2cdata;  // bytes of one H2CData PDU, a multiple of 4, at least 4096
  uint8_t reserved16[112];
};
static_assert(kIsWire<IcResp> && sizeof(IcResp) == 128);
static_assert(offsetof(IcResp, pfv) == 8 && offsetof(IcResp, cpda) == 10 &&
              offsetof(IcResp, dgst) == 11 && offsetof(IcResp, maxh2cdata) == 12);
inline constexpr uint32_t kMaxH2cDataMin = 4096;

// Fatal Error Status.
enum class Fes : uint16_t {
  kInvalidHeaderField = 0x01,  // FEI: offset of the field in the header
  kSequenceError = 0x02,
  kHeaderDigestError = 0x03,  // FEI: the digest that was received
  kDataOutOfRange = 0x04,
  kLimitExceeded = 0x05,        // to the controller: R2T limit; to the host: MAXH2CDATA
  kUnsupportedParameter = 0x06  // FEI: offset of the parameter in the header
};

// H2CTermReq and C2HTermReq: as many bytes as fit of the header that was at fault follow.
struct TermReq {
  CommonHeader ch;
  Fes fes;
  uint8_t fei_bytes[4];  // use fei(): bytes 13:10
  uint8_t reserved14[10];

  constexpr uint32_t fei() const {
    return static_cast<uint32_t>(fei_bytes[0]) | static_cast<uint32_t>(fei_bytes[1]) << 8 |
           static_cast<uint32_t>(fei_bytes[2]) << 16 | static_cast<uint32_t>(fei_bytes[3]) << 24;
  }
  constexpr void set_fei(uint32_t fei) {
    for (uint8_t& byte : fei_bytes) {
      byte = static_cast<uint8_t>(fei);
      fei >>= 8;
    }
  }
};
static_assert(kIsWire<TermReq> && sizeof(TermReq) == 24);
static_assert(offsetof(TermReq, fes) == 8 && offsetof(TermReq, fei_bytes) == 10);
inline constexpr uint32_t kTermReqDataMax = 128;
inline constexpr uint32_t kTermReqPlenMax = sizeof(TermReq) + kTermReqDataMax;

struct CapsuleCmd {
  CommonHeader ch;
  Sqe sqe;
};
static_assert(kIsWire<CapsuleCmd> && sizeof(CapsuleCmd) == 72 && offsetof(CapsuleCmd, sqe) == 8);

struct CapsuleResp {
  CommonHeader ch;
  Cqe cqe;
};
static_assert(kIsWire<CapsuleResp> && sizeof(CapsuleResp) == 24 && offsetof(CapsuleResp, cqe) == 8);

// H2CData and C2HData.
struct Data {
  CommonHeader ch;
  uint16_t cccid;  // CID of the command
  uint16_t ttag;   // H2CData: of the R2T that asked for it; C2HData: reserved
  uint32_t datao;  // of the first byte within the command's data
  uint32_t datal;
  uint8_t reserved20[4];
};
static_assert(kIsWire<Data> && sizeof(Data) == 24);
static_assert(offsetof(Data, cccid) == 8 && offsetof(Data, ttag) == 10 &&
              offsetof(Data, datao) == 12 && offsetof(Data, datal) == 16);

struct R2t {
  CommonHeader ch;
  uint16_t cccid;
  uint16_t ttag;
  uint32_t r2to;
  uint32_t r2tl;
  uint8_t reserved20[4];
};
static_assert(kIsWire<R2t> && sizeof(R2t) == 24);
static_assert(offsetof(R2t, cccid) == 8 && offsetof(R2t, ttag) == 10 && offsetof(R2t, r2to) == 12 &&
              offsetof(R2t, r2tl) == 16);

// Length of the header of each type, 0 for a type that does not exist.
constexpr uint8_t header_bytes(PduType type) {
  switch (type) {
    case PduType::kIcReq:
    case PduType::kIcResp:
      return sizeof(IcReq);
    case PduType::kCapsuleCmd:
      return sizeof(CapsuleCmd);
    case PduType::kH2cTermReq:
    case PduType::kC2hTermReq:
    case PduType::kCapsuleResp:
    case PduType::kH2cData:
    case PduType::kC2hData:
    case PduType::kR2t:
      return sizeof(CapsuleResp);
  }
  return 0;
}

// Never null: an unknown type is "Reserved".
constexpr const char* pdu_name(PduType type) {
  switch (type) {
    case PduType::kIcReq:
      return "ICReq";
    case PduType::kIcResp:
      return "ICResp";
    case PduType::kH2cTermReq:
      return "H2CTermReq";
    case PduType::kC2hTermReq:
      return "C2HTermReq";
    case PduType::kCapsuleCmd:
      return "CapsuleCmd";
    case PduType::kCapsuleResp:
      return "CapsuleResp";
    case PduType::kH2cData:
      return "H2CData";
    case PduType::kC2hData:
      return "C2HData";
    case PduType::kR2t:
      return "R2T";
  }
  return "Reserved";
}

constexpr const char* fes_text(Fes fes) {
  switch (fes) {
    case Fes::kInvalidHeaderField:
      return "Invalid PDU Header Field";
    case Fes::kSequenceError:
      return "PDU Sequence Error";
    case Fes::kHeaderDigestError:
      return "Header Digest Error";
    case Fes::kDataOutOfRange:
      return "Data Transfer Out of Range";
    case Fes::kLimitExceeded:
      return "Data Transfer or R2T Limit Exceeded";
    case Fes::kUnsupportedParameter:
      return "Unsupported Parameter";
  }
  return "Reserved";
}

}  // namespace pynvme::spec::tcp
