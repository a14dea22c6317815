// Fabrics commands and the Discovery log page against bytes written out from NVMe Base 2.0 §6 and
// §5.16.1.23, SGL descriptors from §4.1.2.
#include "spec/fabrics.h"

#include <string>

#include <gtest/gtest.h>

#include "spec/command.h"
#include "spec/wire_bytes.h"

namespace pynvme::spec::fabrics {
namespace {

TEST(Sgl, DescriptorsOfATcpCapsule) {
  const WireBytes in_capsule = WireBytes(16)
                                   .put(0, {0x00, 0x02, 0, 0, 0, 0, 0, 0})  // offset
                                   .put(8, {0x00, 0x10, 0x00, 0x00})        // length
                                   .put(15, {0x01});
  EXPECT_EQ(WireBytes::of(make_sgl(kSglInCapsule, 512, 4096)), in_capsule);
  const auto read = in_capsule.as<SglDescriptor>();
  EXPECT_EQ(read.type(), SglType::kDataBlock);
  EXPECT_EQ(read.subtype(), SglSubtype::kOffset);
  EXPECT_EQ(read.address, 512u);
  EXPECT_EQ(read.length, 4096u);

  const WireBytes transport = WireBytes(16).put(8, {0x00, 0x00, 0x02, 0x00}).put(15, {0x5A});
  EXPECT_EQ(WireBytes::of(make_sgl(kSglTransport, 0, 131072)), transport);
  EXPECT_EQ(transport.as<SglDescriptor>().type(), SglType::kTransportDataBlock);
  EXPECT_EQ(transport.as<SglDescriptor>().subtype(), SglSubtype::kTransport);
}

TEST(Fabrics, Connect) {
  const WireBytes bytes = WireBytes(64)
                              .put(0, {0x7F, 0x40})                // OPC, PSDT 01b
                              .put(2, {0x34, 0x12})                // CID
                              .put(4, {0x01})                      // FCTYPE
                              .put(32, {0x00, 0x04, 0x00, 0x00})   // SGL1 length
                              .put(39, {0x01})                     // SGL1 identifier
                              .put(40, {0x78, 0x56})               // RECFMT
                              .put(42, {0x02, 0x01})               // QID
                              .put(44, {0xFF, 0x03})               // SQSIZE
                              .put(46, {0x0D})                     // CATTR
                              .put(48, {0x30, 0x75, 0x00, 0x00});  // KATO
  const auto connect = bytes.as<Connect>();
  EXPECT_EQ(connect.opcode, kOpcode);
  EXPECT_EQ(connect.cid, 0x1234);
  EXPECT_EQ(connect.fctype, kConnect);
  EXPECT_EQ(connect.sgl1.identifier, kSglInCapsule);
  EXPECT_EQ(connect.sgl1.length, 1024u);
  EXPECT_EQ(connect.recfmt, 0x5678);
  EXPECT_EQ(connect.qid, 0x0102);
  EXPECT_EQ(connect.sqsize, 1023);
  EXPECT_EQ(connect.cattr, kCattrDisableSqFlowControl | kCattrIndividualQueueDeletion | 1);
  EXPECT_EQ(connect.kato, 30000u);
  EXPECT_EQ(WireBytes::of(connect), bytes);
  const auto common = bytes.as<Command>();
  EXPECT_EQ(common.fctype, kConnect);
  EXPECT_EQ(common.cid, 0x1234);
  EXPECT_EQ(common.sgl1.length, 1024u);
  EXPECT_EQ(common.specific[2], 0x02);
}

TEST(Fabrics, ConnectData) {
  const auto data = WireBytes(1024)
                        .put(0, {0xA0})  // HOSTID 15:0
                        .put(15, {0xAF})
                        .put(16, {0xFE, 0xFF})  // CNTLID
                        .put(256, "nqn.2014-08.org.nvmexpress.discovery")
                        .put(512, "nqn.2014-08.org.nvmexpress:uuid:host")
                        .as<ConnectData>();
  EXPECT_EQ(data.hostid[0], 0xA0);
  EXPECT_EQ(data.hostid[15], 0xAF);
  EXPECT_EQ(data.cntlid, kCntlidStatic);
  EXPECT_EQ(data.subnqn, kDiscoveryNqn);
  EXPECT_EQ(std::string(data.hostnqn), "nqn.2014-08.org.nvmexpress:uuid:host");
}

TEST(Fabrics, ConnectResponse) {
  EXPECT_EQ(connect_cntlid(0x00021234), 0x1234);
  EXPECT_NE(0x00020000u & kAuthreqAtr, 0u);
  EXPECT_EQ(0x00020000u & kAuthreqAscr, 0u);
  EXPECT_EQ(connect_ipo(0x00010100), 0x100);
  EXPECT_NE(0x00010100u & kIattrData, 0u);
}

TEST(Fabrics, Properties) {
  const auto set = WireBytes(64)
                       .put(0, {0x7F, 0x40, 0x34, 0x12, 0x00})
                       .put(40, {0x01})                    // ATTRIB
                       .put(44, {0x14, 0x00, 0x00, 0x00})  // OFST
                       .put(48, {1, 2, 3, 4, 5, 6, 7, 8})  // VALUE
                       .as<Property>();
  EXPECT_EQ(set.fctype, kPropertySet);
  EXPECT_EQ(set.attrib, kAttribSize8);
  EXPECT_EQ(set.ofst, 0x14u);
  EXPECT_EQ(set.value, 0x0807060504030201u);

  Property get{};
  get.opcode = kOpcode;
  get.fctype = kPropertyGet;
  get.attrib = kAttribSize4;
  get.ofst = 0x1C;
  EXPECT_EQ(WireBytes::of(get), WireBytes(64).put(0, {0x7F}).put(4, {0x04}).put(44, {0x1C}));
}

TEST(Fabrics, AuthenticationAndDisconnect) {
  const auto send = WireBytes(64)
                        .put(0, {0x7F, 0x40, 0x34, 0x12, 0x05})
                        .put(41, {0x01, 0x02, 0xE9})        // SPSP0, SPSP1, SECP
                        .put(44, {0x00, 0x01, 0x00, 0x00})  // TL
                        .as<Authentication>();
  EXPECT_EQ(send.fctype, kAuthenticationSend);
  EXPECT_EQ(send.spsp0, 1);
  EXPECT_EQ(send.spsp1, 2);
  EXPECT_EQ(send.secp, kSecpNvmeAuthentication);
  EXPECT_EQ(send.length, 256u);
  const auto disconnect =
      WireBytes(64).put(0, {0x7F}).put(4, {0x08}).put(40, {0x02, 0x01}).as<Disconnect>();
  EXPECT_EQ(disconnect.fctype, kDisconnect);
  EXPECT_EQ(disconnect.recfmt, 0x0102);
}

TEST(Discovery, LogPage) {
  const auto header = WireBytes(1024)
                          .put(0, {1, 2, 3, 4, 5, 6, 7, 8})  // GENCTR
                          .put(8, {2, 0, 0, 0, 0, 0, 0, 0})  // NUMREC
                          .put(16, {0x34, 0x12})             // RECFMT
                          .as<DiscoveryLogHeader>();
  EXPECT_EQ(header.genctr, 0x0807060504030201u);
  EXPECT_EQ(header.numrec, 2u);
  EXPECT_EQ(header.recfmt, 0x1234);

  const auto entry = WireBytes(1024)
                         .put(0, {0x03, 0x01, 0x02, 0x04})  // TRTYPE, ADRFAM, SUBTYPE, TREQ
                         .put(4, {0x34, 0x12})              // PORTID
                         .put(6, {0xFF, 0xFF})              // CNTLID
                         .put(8, {0x20, 0x00})              // ASQSZ
                         .put(10, {0x03, 0x00})             // EFLAGS
                         .put(32, "4420")                   // TRSVCID
                         .put(256, "nqn.2014-08.org.example:a")
                         .put(512, "127.0.0.1")  // TRADDR
                         .put(768, {0x02})       // TSAS: SECTYPE
                         .as<DiscoveryLogEntry>();
  EXPECT_EQ(entry.trtype, kTrtypeTcp);
  EXPECT_EQ(entry.adrfam, kAdrfamIpv4);
  EXPECT_EQ(entry.subtype, kSubtypeNvm);
  EXPECT_EQ(entry.treq, kTreqSqFlowControlOptional);
  EXPECT_EQ(entry.portid, 0x1234);
  EXPECT_EQ(entry.cntlid, kCntlidDynamic);
  EXPECT_EQ(entry.asqsz, 32);
  EXPECT_EQ(entry.eflags, 3);
  EXPECT_EQ(std::string(entry.trsvcid), "4420");
  EXPECT_EQ(std::string(entry.subnqn), "nqn.2014-08.org.example:a");
  EXPECT_EQ(std::string(entry.traddr), "127.0.0.1");
  EXPECT_EQ(entry.tsas[0], kSectypeTls13);
}

TEST(Fabrics, Names) {
  const std::pair<int, const char*> expected[] = {
      {0x00, "Property Set"},
      {0x01, "Connect"},
      {0x04, "Property Get"},
      {0x05, "Authentication Send"},
      {0x06, "Authentication Receive"},
      {0x08, "Disconnect"},
      {0x02, "Reserved"},
      {0xC0, "Vendor Specific"},
  };
  for (const auto& [type, name] : expected) {
    EXPECT_EQ(std::string(command_name(static_cast<uint8_t>(type))), name);
  }
}

}  // namespace
}  // namespace pynvme::spec::fabrics
