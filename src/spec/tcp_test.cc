// NVMe/TCP PDU headers against bytes written out from the figures of NVMe TCP Transport 1.0 §3.6.2.
#include "spec/tcp.h"

#include <string>

#include <gtest/gtest.h>

#include "spec/wire_bytes.h"

namespace pynvme::spec::tcp {
namespace {

TEST(Pdu, IcReq) {
  const WireBytes bytes = WireBytes(128)
                              .put(0, {0x00, 0x00, 0x80, 0x00, 0x80, 0x00, 0x00, 0x00})  // CH
                              .put(8, {0x34, 0x12})                                      // PFV
                              .put(10, {0x1F})                                           // HPDA
                              .put(11, {0x03})                                           // DGST
                              .put(12, {0x0F, 0x0E, 0x0D, 0x0C});                        // MAXR2T
  const auto pdu = bytes.as<IcReq>();
  EXPECT_EQ(pdu.ch.type, PduType::kIcReq);
  EXPECT_EQ(pdu.ch.hlen, 128);
  EXPECT_EQ(pdu.ch.plen, 128u);
  EXPECT_EQ(pdu.pfv, 0x1234);
  EXPECT_EQ(pdu.hpda, 31);
  EXPECT_EQ(pdu.dgst, kDgstHeader | kDgstData);
  EXPECT_EQ(pdu.maxr2t, 0x0C0D0E0Fu);
  EXPECT_EQ(WireBytes::of(pdu), bytes);
}

TEST(Pdu, IcResp) {
  const WireBytes bytes = WireBytes(128)
                              .put(0, {0x01, 0x00, 0x80, 0x00, 0x80, 0x00, 0x00, 0x00})  // CH
                              .put(8, {0x00, 0x00})                                      // PFV
                              .put(10, {0x07})                                           // CPDA
                              .put(11, {0x02})                                           // DGST
                              .put(12, {0x00, 0x00, 0x02, 0x00});  // MAXH2CDATA
  const auto pdu = bytes.as<IcResp>();
  EXPECT_EQ(pdu.ch.type, PduType::kIcResp);
  EXPECT_EQ(pdu.cpda, 7);
  EXPECT_EQ(pdu.dgst, kDgstData);
  EXPECT_EQ(pdu.maxh2cdata, 131072u);
  EXPECT_EQ(WireBytes::of(pdu), bytes);
}

TEST(Pdu, TermReq) {
  TermReq pdu{};
  pdu.ch = {PduType::kC2hTermReq, 0, 24, 24, 96};
  pdu.fes = Fes::kHeaderDigestError;
  pdu.set_fei(0xA1B2C3D4);
  EXPECT_EQ(WireBytes::of(pdu), WireBytes(24)
                                    .put(0, {0x03, 0x00, 0x18, 0x18, 0x60, 0x00, 0x00, 0x00})
                                    .put(8, {0x03, 0x00})                 // FES
                                    .put(10, {0xD4, 0xC3, 0xB2, 0xA1}));  // FEI
  EXPECT_EQ(pdu.fei(), 0xA1B2C3D4u);
  EXPECT_EQ(kTermReqPlenMax, 152u);
}

TEST(Pdu, Capsules) {
  const auto command = WireBytes(72)
                           .put(0, {0x04, 0x03, 0x48, 0x50, 0x54, 0x10, 0x00, 0x00})  // CH
                           .put(8, {0x01, 0x40, 0x34, 0x12})  // OPC, PSDT 01b, CID
                           .put(68, {0x0F})                   // CDW15
                           .as<CapsuleCmd>();
  EXPECT_EQ(command.ch.type, PduType::kCapsuleCmd);
  EXPECT_EQ(command.ch.flags, kHdgstf | kDdgstf);
  EXPECT_EQ(command.ch.hlen, 72);
  EXPECT_EQ(command.ch.pdo, 80);
  EXPECT_EQ(command.ch.plen, 4180u);
  EXPECT_EQ(command.sqe.opcode, 1);
  EXPECT_EQ(command.sqe.psdt(), Psdt::kSglMetadataBuffer);
  EXPECT_EQ(command.sqe.cid, 0x1234);
  EXPECT_EQ(command.sqe.cdw15, 0x0Fu);

  const auto response = WireBytes(24)
                            .put(0, {0x05, 0x01, 0x18, 0x00, 0x1C, 0x00, 0x00, 0x00})  // CH
                            .put(8, {0x01, 0x00, 0x02, 0x00})                          // DW0
                            .put(20, {0x34, 0x12, 0x04, 0x80})  // CID, status
                            .as<CapsuleResp>();
  EXPECT_EQ(response.ch.type, PduType::kCapsuleResp);
  EXPECT_EQ(response.ch.flags, kHdgstf);
  EXPECT_EQ(response.ch.plen, 28u);
  EXPECT_EQ(response.cqe.cdw0, 0x00020001u);
  EXPECT_EQ(response.cqe.cid, 0x1234);
  EXPECT_EQ(response.cqe.status, 0x8004);
}

TEST(Pdu, Data) {
  const WireBytes bytes = WireBytes(24)
                              .put(0, {0x07, 0x0C, 0x18, 0x18, 0x18, 0x02, 0x00, 0x00})  // CH
                              .put(8, {0x34, 0x12})                                      // CCCID
                              .put(10, {0x78, 0x56})                                     // TTAG
                              .put(12, {0x00, 0x10, 0x00, 0x00})                         // DATAO
                              .put(16, {0x00, 0x02, 0x00, 0x00});                        // DATAL
  const auto pdu = bytes.as<Data>();
  EXPECT_EQ(pdu.ch.type, PduType::kC2hData);
  EXPECT_EQ(pdu.ch.flags, kLastPdu | kSuccess);
  EXPECT_EQ(pdu.ch.pdo, 24);
  EXPECT_EQ(pdu.ch.plen, 536u);
  EXPECT_EQ(pdu.cccid, 0x1234);
  EXPECT_EQ(pdu.ttag, 0x5678);
  EXPECT_EQ(pdu.datao, 4096u);
  EXPECT_EQ(pdu.datal, 512u);
  EXPECT_EQ(WireBytes::of(pdu), bytes);
}

TEST(Pdu, R2t) {
  const WireBytes bytes = WireBytes(24)
                              .put(0, {0x09, 0x01, 0x18, 0x00, 0x1C, 0x00, 0x00, 0x00})  // CH
                              .put(8, {0x34, 0x12})                                      // CCCID
                              .put(10, {0x78, 0x56})                                     // TTAG
                              .put(12, {0x00, 0x20, 0x00, 0x00})                         // R2TO
                              .put(16, {0x00, 0x40, 0x00, 0x00});                        // R2TL
  const auto pdu = bytes.as<R2t>();
  EXPECT_EQ(pdu.ch.type, PduType::kR2t);
  EXPECT_EQ(pdu.cccid, 0x1234);
  EXPECT_EQ(pdu.ttag, 0x5678);
  EXPECT_EQ(pdu.r2to, 0x2000u);
  EXPECT_EQ(pdu.r2tl, 0x4000u);
  EXPECT_EQ(WireBytes::of(pdu), bytes);
}

TEST(Pdu, NamesAndLengths) {
  const std::tuple<int, const char*, int> expected[] = {
      {0x00, "ICReq", 128},     {0x01, "ICResp", 128},    {0x02, "H2CTermReq", 24},
      {0x03, "C2HTermReq", 24}, {0x04, "CapsuleCmd", 72}, {0x05, "CapsuleResp", 24},
      {0x06, "H2CData", 24},    {0x07, "C2HData", 24},    {0x08, "Reserved", 0},
      {0x09, "R2T", 24},        {0x0A, "Reserved", 0},    {0xFF, "Reserved", 0},
  };
  for (const auto& [type, name, bytes] : expected) {
    EXPECT_EQ(std::string(pdu_name(static_cast<PduType>(type))), name);
    EXPECT_EQ(header_bytes(static_cast<PduType>(type)), bytes) << name;
  }
  const std::pair<int, const char*> statuses[] = {
      {0, "Reserved"},
      {1, "Invalid PDU Header Field"},
      {2, "PDU Sequence Error"},
      {3, "Header Digest Error"},
      {4, "Data Transfer Out of Range"},
      {5, "Data Transfer or R2T Limit Exceeded"},
      {6, "Unsupported Parameter"},
      {7, "Reserved"},
  };
  for (const auto& [fes, text] : statuses) {
    EXPECT_EQ(std::string(fes_text(static_cast<Fes>(fes))), text);
  }
}

}  // namespace
}  // namespace pynvme::spec::tcp
