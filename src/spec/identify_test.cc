// Identify data structures against bytes written at the offsets of NVMe Base 2.0 §5.17.2.
#include "spec/identify.h"

#include <string>

#include <gtest/gtest.h>

#include "spec/wire_bytes.h"

namespace pynvme::spec {
namespace {

TEST(IdentifyController, CapabilitiesAndFeatures) {
  const auto id = WireBytes(4096)
                      .put(0, {0x36, 0x1B})           // VID
                      .put(2, {0xF4, 0x1A})           // SSVID
                      .put(4, "SERIAL-0123456789 X")  // SN 23:04
                      .put(23, "Z")
                      .put(24, "MODEL")  // MN 63:24
                      .put(63, "M")
                      .put(64, "FW1.2.3 ")                // FR 71:64
                      .put(72, {0x06})                    // RAB
                      .put(73, {0x54, 0x52, 0x00})        // IEEE 75:73
                      .put(76, {0x0B})                    // CMIC
                      .put(77, {0x05})                    // MDTS
                      .put(78, {0x34, 0x12})              // CNTLID
                      .put(80, {0x00, 0x04, 0x01, 0x00})  // VER 1.4.0
                      .put(84, {0x01, 0x02, 0x03, 0x04})  // RTD3R
                      .put(88, {0x05, 0x06, 0x07, 0x08})  // RTD3E
                      .put(92, {0x00, 0x03, 0x00, 0x80})  // OAES
                      .put(96, {0x11, 0x12, 0x13, 0x14})  // CTRATT
                      .put(100, {0x21, 0x22})             // RRLS
                      .put(111, {0x01})                   // CNTRLTYPE
                      .put(112, {0xF0})                   // FGUID 127:112
                      .put(127, {0xFF})
                      .put(128, {0x31, 0x32})        // CRDT1
                      .put(130, {0x33, 0x34})        // CRDT2
                      .put(132, {0x35, 0x36})        // CRDT3
                      .put(253, {0x41, 0x42, 0x43})  // NVMSR, VWCI, MEC
                      .as<IdentifyController>();
  EXPECT_EQ(id.vid, 0x1B36);
  EXPECT_EQ(id.ssvid, 0x1AF4);
  EXPECT_EQ(std::string(id.sn, 20), "SERIAL-0123456789 XZ");
  EXPECT_EQ(std::string(id.mn, 5), "MODEL");
  EXPECT_EQ(id.mn[39], 'M');
  EXPECT_EQ(std::string(id.fr, 8), "FW1.2.3 ");
  EXPECT_EQ(id.rab, 6);
  EXPECT_EQ(id.ieee[0], 0x54);
  EXPECT_EQ(id.ieee[1], 0x52);
  EXPECT_EQ(id.cmic, 0x0B);
  EXPECT_EQ(id.mdts, 5);
  EXPECT_EQ(id.cntlid, 0x1234);
  EXPECT_EQ(id.ver, 0x00010400u);
  EXPECT_EQ(id.rtd3r, 0x04030201u);
  EXPECT_EQ(id.rtd3e, 0x08070605u);
  EXPECT_EQ(id.oaes, 0x80000000u | kOaesNamespaceAttribute | kOaesFirmwareActivation);
  EXPECT_EQ(id.ctratt, 0x14131211u);
  EXPECT_EQ(id.rrls, 0x2221);
  EXPECT_EQ(id.cntrltype, kCntrltypeIo);
  EXPECT_EQ(id.fguid[0], 0xF0);
  EXPECT_EQ(id.fguid[15], 0xFF);
  EXPECT_EQ(id.crdt1, 0x3231);
  EXPECT_EQ(id.crdt2, 0x3433);
  EXPECT_EQ(id.crdt3, 0x3635);
  EXPECT_EQ(id.nvmsr, 0x41);
  EXPECT_EQ(id.vwci, 0x42);
  EXPECT_EQ(id.mec, 0x43);
}

TEST(IdentifyController, AdminAttributes) {
  const auto id = WireBytes(4096)
                      .put(256, {0x1F, 0x02})                    // OACS
                      .put(258, {0x03})                          // ACL
                      .put(259, {0x04})                          // AERL
                      .put(260, {0x17})                          // FRMW
                      .put(261, {0x0F})                          // LPA
                      .put(262, {0x3F})                          // ELPE
                      .put(263, {0x04})                          // NPSS
                      .put(264, {0x01})                          // AVSCC
                      .put(265, {0x01})                          // APSTA
                      .put(266, {0x5D, 0x01})                    // WCTEMP 349
                      .put(268, {0x61, 0x01})                    // CCTEMP 353
                      .put(270, {0x32, 0x00})                    // MTFA
                      .put(272, {0x01, 0x02, 0x03, 0x04})        // HMPRE
                      .put(276, {0x05, 0x06, 0x07, 0x08})        // HMMIN
                      .put(280, {0x00, 0x00, 0x00, 0x00, 0x40})  // TNVMCAP 295:280
                      .put(295, {0x99})
                      .put(296, {0x77})  // UNVMCAP 311:296
                      .put(311, {0x66})
                      .put(312, {0x11, 0x12, 0x13, 0x14})  // RPMBS
                      .put(316, {0x21, 0x22})              // EDSTT
                      .put(318, {0x23})                    // DSTO
                      .put(319, {0x24})                    // FWUG
                      .put(320, {0x25, 0x26})              // KAS
                      .put(322, {0x27, 0x28})              // HCTMA
                      .put(324, {0x29, 0x2A})              // MNTMT
                      .put(326, {0x2B, 0x2C})              // MXTMT
                      .put(328, {0x31, 0x32, 0x33, 0x34})  // SANICAP
                      .put(332, {0x35, 0x36, 0x37, 0x38})  // HMMINDS
                      .put(336, {0x39, 0x3A})              // HMMAXD
                      .put(338, {0x3B, 0x3C})              // NSETIDMAX
                      .put(340, {0x3D, 0x3E})              // ENDGIDMAX
                      .put(342, {0x41})                    // ANATT
                      .put(343, {0x42})                    // ANACAP
                      .put(344, {0x43, 0x44, 0x45, 0x46})  // ANAGRPMAX
                      .put(348, {0x47, 0x48, 0x49, 0x4A})  // NANAGRPID
                      .put(352, {0x4B, 0x4C, 0x4D, 0x4E})  // PELS
                      .put(356, {0x51, 0x52})              // Domain Identifier
                      .put(368, {0x61})                    // MEGCAP 383:368
                      .put(383, {0x62})
                      .as<IdentifyController>();
  EXPECT_EQ(id.oacs, kOacsSecurity | kOacsFormat | kOacsFirmware | kOacsNamespaceManagement |
                         kOacsDeviceSelfTest | kOacsGetLbaStatus);
  EXPECT_EQ(id.acl, 3);
  EXPECT_EQ(id.aerl, 4);
  EXPECT_EQ(frmw_slots(id.frmw), 3);
  EXPECT_TRUE(id.frmw & kFrmwSlot1ReadOnly);
  EXPECT_TRUE(id.frmw & kFrmwActivateWithoutReset);
  EXPECT_EQ(id.lpa, kLpaSmartPerNamespace | kLpaCommandsSupportedEffects | kLpaExtendedData |
                        kLpaTelemetry);
  EXPECT_EQ(id.elpe, 63);
  EXPECT_EQ(id.npss, 4);
  EXPECT_EQ(id.avscc, 1);
  EXPECT_EQ(id.apsta, 1);
  EXPECT_EQ(id.wctemp, 349);
  EXPECT_EQ(id.cctemp, 353);
  EXPECT_EQ(id.mtfa, 50);
  EXPECT_EQ(id.hmpre, 0x04030201u);
  EXPECT_EQ(id.hmmin, 0x08070605u);
  EXPECT_EQ(id.tnvmcap, (Uint128{0x0000004000000000, 0x9900000000000000}));
  EXPECT_EQ(id.unvmcap, (Uint128{0x77, 0x6600000000000000}));
  EXPECT_EQ(id.rpmbs, 0x14131211u);
  EXPECT_EQ(id.edstt, 0x2221);
  EXPECT_EQ(id.dsto, 0x23);
  EXPECT_EQ(id.fwug, 0x24);
  EXPECT_EQ(id.kas, 0x2625);
  EXPECT_EQ(id.hctma, 0x2827);
  EXPECT_EQ(id.mntmt, 0x2A29);
  EXPECT_EQ(id.mxtmt, 0x2C2B);
  EXPECT_EQ(id.sanicap, 0x34333231u);
  EXPECT_EQ(id.hmminds, 0x38373635u);
  EXPECT_EQ(id.hmmaxd, 0x3A39);
  EXPECT_EQ(id.nsetidmax, 0x3C3B);
  EXPECT_EQ(id.endgidmax, 0x3E3D);
  EXPECT_EQ(id.anatt, 0x41);
  EXPECT_EQ(id.anacap, 0x42);
  EXPECT_EQ(id.anagrpmax, 0x46454443u);
  EXPECT_EQ(id.nanagrpid, 0x4A494847u);
  EXPECT_EQ(id.pels, 0x4E4D4C4Bu);
  EXPECT_EQ(id.domain_id, 0x5251);
  EXPECT_EQ(id.megcap, (Uint128{0x61, 0x6200000000000000}));
}

TEST(IdentifyController, NvmAndFabricsAttributes) {
  const auto id = WireBytes(4096)
                      .put(512, {0x66})                    // SQES
                      .put(513, {0x44})                    // CQES
                      .put(514, {0x01, 0x02})              // MAXCMD
                      .put(516, {0x03, 0x04, 0x05, 0x06})  // NN
                      .put(520, {0xDF, 0x00})              // ONCS
                      .put(522, {0x01, 0x00})              // FUSES
                      .put(524, {0x04})                    // FNA
                      .put(525, {0x07})                    // VWC
                      .put(526, {0x11, 0x12})              // AWUN
                      .put(528, {0x13, 0x14})              // AWUPF
                      .put(530, {0x15})                    // ICSVSCC
                      .put(531, {0x16})                    // NWPC
                      .put(532, {0x17, 0x18})              // ACWU
                      .put(534, {0x19, 0x1A})              // OCFS
                      .put(536, {0x21, 0x22, 0x23, 0x24})  // SGLS
                      .put(540, {0x25, 0x26, 0x27, 0x28})  // MNAN
                      .put(544, {0x29})                    // MAXDNA 559:544
                      .put(559, {0x2A})
                      .put(560, {0x2B, 0x2C, 0x2D, 0x2E})  // MAXCNA
                      .put(768, "nqn.2014")                // SUBNQN 1023:768
                      .put(1023, "!")
                      .put(1792, {0x31, 0x32, 0x33, 0x34})  // IOCCSZ
                      .put(1796, {0x35, 0x36, 0x37, 0x38})  // IORCSZ
                      .put(1800, {0x39, 0x3A})              // ICDOFF
                      .put(1802, {0x3B})                    // FCATT
                      .put(1803, {0x3C})                    // MSDBD
                      .put(1804, {0x3D, 0x3E})              // OFCS
                      .put(3072, {0x41})                    // vendor specific 4095:3072
                      .put(4095, {0x42})
                      .as<IdentifyController>();
  EXPECT_EQ(id.sqes, 0x66);
  EXPECT_EQ(id.cqes, 0x44);
  EXPECT_EQ(id.maxcmd, 0x0201);
  EXPECT_EQ(id.nn, 0x06050403u);
  EXPECT_EQ(id.oncs, kOncsCompare | kOncsWriteUncorrectable | kOncsDatasetManagement |
                         kOncsWriteZeroes | kOncsSaveSelectFields | kOncsTimestamp | kOncsVerify);
  EXPECT_EQ(id.fuses, kFusesCompareAndWrite);
  EXPECT_EQ(id.fna, kFnaCryptoErase);
  EXPECT_EQ(id.vwc, kVwcPresent | kVwcFlushBroadcastSupported);
  EXPECT_EQ(id.awun, 0x1211);
  EXPECT_EQ(id.awupf, 0x1413);
  EXPECT_EQ(id.icsvscc, 0x15);
  EXPECT_EQ(id.nwpc, 0x16);
  EXPECT_EQ(id.acwu, 0x1817);
  EXPECT_EQ(id.ocfs, 0x1A19);
  EXPECT_EQ(id.sgls, 0x24232221u);
  EXPECT_EQ(id.mnan, 0x28272625u);
  EXPECT_EQ(id.maxdna, (Uint128{0x29, 0x2A00000000000000}));
  EXPECT_EQ(id.maxcna, 0x2E2D2C2Bu);
  EXPECT_STREQ(id.subnqn, "nqn.2014");
  EXPECT_EQ(id.subnqn[255], '!');
  EXPECT_EQ(id.ioccsz, 0x34333231u);
  EXPECT_EQ(id.iorcsz, 0x38373635u);
  EXPECT_EQ(id.icdoff, 0x3A39);
  EXPECT_EQ(id.fcatt, 0x3B);
  EXPECT_EQ(id.msdbd, 0x3C);
  EXPECT_EQ(id.ofcs, 0x3E3D);
  EXPECT_EQ(id.vendor[0], 0x41);
  EXPECT_EQ(id.vendor[1023], 0x42);
}

TEST(IdentifyController, PowerStates) {
  // PSD3 is at bytes 2175:2144, PSD31 at 3071:3040.
  const auto id = WireBytes(4096)
                      .put(2144, {0x20, 0x03})              // MP
                      .put(2147, {0x03})                    // MXPS, NOPS
                      .put(2148, {0x88, 0x13, 0x00, 0x00})  // ENLAT 5000
                      .put(2152, {0x10, 0x27, 0x00, 0x00})  // EXLAT 10000
                      .put(2156, {0x03, 0x04, 0x05, 0x06})  // RRT, RRL, RWT, RWL
                      .put(2160, {0x07, 0x08})              // IDLP
                      .put(2162, {0x40})                    // IPS
                      .put(2164, {0x09, 0x0A})              // ACTP
                      .put(2166, {0x81})                    // APW, APS
                      .put(3040, {0xEE, 0xFF})
                      .as<IdentifyController>();
  const PowerStateDescriptor& psd = id.psd[3];
  EXPECT_EQ(psd.mp, 800);
  EXPECT_EQ(psd.flags, PowerStateDescriptor::kMxps | PowerStateDescriptor::kNops);
  EXPECT_EQ(psd.enlat, 5000u);
  EXPECT_EQ(psd.exlat, 10000u);
  EXPECT_EQ(psd.rrt, 3);
  EXPECT_EQ(psd.rrl, 4);
  EXPECT_EQ(psd.rwt, 5);
  EXPECT_EQ(psd.rwl, 6);
  EXPECT_EQ(psd.idlp, 0x0807);
  EXPECT_EQ(psd.ips, 0x40);
  EXPECT_EQ(psd.actp, 0x0A09);
  EXPECT_EQ(psd.apw, 0x81);
  EXPECT_EQ(id.psd[31].mp, 0xFFEE);
}

TEST(IdentifyController, WritesTheBytesOfTheFigure) {
  IdentifyController id{};
  id.mdts = 5;
  id.oacs = kOacsFormat | kOacsFirmware;
  id.tnvmcap.lo = 256000000000;
  id.nn = 1;
  id.oncs = kOncsVerify;
  id.psd[1].mp = 0x1234;
  EXPECT_EQ(WireBytes::of(id), WireBytes(4096)
                                   .put(77, {0x05})
                                   .put(256, {0x06, 0x00})
                                   .put(280, {0x00, 0x00, 0xCA, 0x9A, 0x3B, 0x00, 0x00, 0x00})
                                   .put(516, {0x01, 0x00, 0x00, 0x00})
                                   .put(520, {0x80, 0x00})
                                   .put(2080, {0x34, 0x12}));
}

TEST(IdentifyLists, Bytes) {
  const auto controllers =
      WireBytes(4096).put(0, {0x02, 0x00, 0x01, 0x00, 0x41, 0x00}).as<ControllerList>();
  EXPECT_EQ(controllers.count, 2);
  EXPECT_EQ(controllers.cntlid[0], 1);
  EXPECT_EQ(controllers.cntlid[1], 0x41);

  const auto namespaces = WireBytes(4096)
                              .put(0, {0x01, 0x00, 0x00, 0x00, 0x05})
                              .put(4092, {0xFE, 0xFF, 0xFF, 0xFF})
                              .as<NamespaceList>();
  EXPECT_EQ(namespaces.nsid[0], 1u);
  EXPECT_EQ(namespaces.nsid[1], 5u);
  EXPECT_EQ(namespaces.nsid[1023], 0xFFFFFFFEu);

  const auto descriptor = WireBytes(4).put(0, {0x03, 0x10}).as<NamespaceIdDescriptor>();
  EXPECT_EQ(descriptor.nidt, nidt::kUuid);
  EXPECT_EQ(descriptor.nidl, 16);

  const auto sets = WireBytes(4096).put(8, {0x05}).as<IoCommandSets>();
  EXPECT_EQ(sets.combination[1], 1u << csi::kNvm | 1u << csi::kZoned);
}

TEST(IdentifyCns, Values) {
  EXPECT_EQ(cns::kNamespace, 0x00);
  EXPECT_EQ(cns::kController, 0x01);
  EXPECT_EQ(cns::kActiveNamespaceList, 0x02);
  EXPECT_EQ(cns::kNamespaceIdDescriptors, 0x03);
  EXPECT_EQ(cns::kCsiNamespace, 0x05);
  EXPECT_EQ(cns::kCsiController, 0x06);
  EXPECT_EQ(cns::kIndependentNamespace, 0x08);
  EXPECT_EQ(cns::kAllocatedNamespaceList, 0x10);
  EXPECT_EQ(cns::kAllocatedNamespace, 0x11);
  EXPECT_EQ(cns::kNamespaceControllerList, 0x12);
  EXPECT_EQ(cns::kControllerList, 0x13);
  EXPECT_EQ(cns::kIoCommandSets, 0x1C);
}

}  // namespace
}  // namespace pynvme::spec
