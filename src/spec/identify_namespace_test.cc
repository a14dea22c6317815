// Identify data structures of namespaces and of the NVM command set against bytes written at the
// offsets of NVM Command Set 1.0 §4.1.5 and NVMe Base 2.0 §5.17.2.8.
#include "spec/identify_namespace.h"

#include <gtest/gtest.h>

#include "spec/wire_bytes.h"

namespace pynvme::spec {
namespace {

TEST(IdentifyNamespace, ReadsTheBytesOfTheFigure) {
  const auto id = WireBytes(4096)
                      .put(0, {0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08})   // NSZE
                      .put(8, {0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18})   // NCAP
                      .put(16, {0x21, 0x22, 0x23, 0x24, 0x25, 0x26, 0x27, 0x28})  // NUSE
                      .put(24, {0x15})                                            // NSFEAT
                      .put(25, {0x01})                                            // NLBAF
                      .put(26, {0x11})                                            // FLBAS
                      .put(27, {0x31})                                            // MC
                      .put(28, {0x32})                                            // DPC
                      .put(29, {0x33})                                            // DPS
                      .put(30, {0x01})                                            // NMIC
                      .put(31, {0x34})                                            // RESCAP
                      .put(32, {0xE4})                                            // FPI
                      .put(33, {0x09})                                            // DLFEAT
                      .put(34, {0x35, 0x36})                                      // NAWUN
                      .put(36, {0x37, 0x38})                                      // NAWUPF
                      .put(38, {0x39, 0x3A})                                      // NACWU
                      .put(40, {0x3B, 0x3C})                                      // NABSN
                      .put(42, {0x3D, 0x3E})                                      // NABO
                      .put(44, {0x3F, 0x40})                                      // NABSPF
                      .put(46, {0x41, 0x42})                                      // NOIOB
                      .put(48, {0x43})                                            // NVMCAP 63:48
                      .put(63, {0x44})
                      .put(64, {0x45, 0x46})              // NPWG
                      .put(66, {0x47, 0x48})              // NPWA
                      .put(68, {0x49, 0x4A})              // NPDG
                      .put(70, {0x4B, 0x4C})              // NPDA
                      .put(72, {0x4D, 0x4E})              // NOWS
                      .put(74, {0x4F, 0x50})              // MSSRL
                      .put(76, {0x51, 0x52, 0x53, 0x54})  // MCL
                      .put(80, {0x55})                    // MSRC
                      .put(92, {0x56, 0x57, 0x58, 0x59})  // ANAGRPID
                      .put(99, {0x01})                    // NSATTR
                      .put(100, {0x5A, 0x5B})             // NVMSETID
                      .put(102, {0x5C, 0x5D})             // ENDGID
                      .put(104, {0x61})                   // NGUID 119:104
                      .put(119, {0x62})
                      .put(120, {0x63})  // EUI64 127:120
                      .put(127, {0x64})
                      .put(128, {0x00, 0x00, 0x09, 0x02})  // LBAF0: 512 bytes, good
                      .put(132, {0x08, 0x00, 0x0C, 0x00})  // LBAF1: 4096 + 8 bytes, best
                      .put(380, {0x40, 0x00, 0x0C, 0x03})  // LBAF63
                      .put(384, {0x65})                    // vendor specific 4095:384
                      .put(4095, {0x66})
                      .as<IdentifyNamespace>();
  EXPECT_EQ(id.nsze, 0x0807060504030201u);
  EXPECT_EQ(id.ncap, 0x1817161514131211u);
  EXPECT_EQ(id.nuse, 0x2827262524232221u);
  EXPECT_EQ(id.nsfeat,
            kNsfeatThinProvisioning | kNsfeatDeallocatedError | kNsfeatOptimalPerformance);
  EXPECT_EQ(id.nlbaf, 1);
  EXPECT_EQ(id.format_index(), 1);
  EXPECT_TRUE(id.extended_lba());
  EXPECT_EQ(id.mc, 0x31);
  EXPECT_EQ(id.dpc, 0x32);
  EXPECT_EQ(id.dps, 0x33);
  EXPECT_EQ(id.nmic, kNmicShared);
  EXPECT_EQ(id.rescap, 0x34);
  EXPECT_EQ(id.fpi, kFpiSupported | 100);
  EXPECT_EQ(id.dlfeat, kDlfeatReadZeroes | kDlfeatWriteZeroesDeallocate);
  EXPECT_EQ(id.nawun, 0x3635);
  EXPECT_EQ(id.nawupf, 0x3837);
  EXPECT_EQ(id.nacwu, 0x3A39);
  EXPECT_EQ(id.nabsn, 0x3C3B);
  EXPECT_EQ(id.nabo, 0x3E3D);
  EXPECT_EQ(id.nabspf, 0x403F);
  EXPECT_EQ(id.noiob, 0x4241);
  EXPECT_EQ(id.nvmcap, (Uint128{0x43, 0x4400000000000000}));
  EXPECT_EQ(id.npwg, 0x4645);
  EXPECT_EQ(id.npwa, 0x4847);
  EXPECT_EQ(id.npdg, 0x4A49);
  EXPECT_EQ(id.npda, 0x4C4B);
  EXPECT_EQ(id.nows, 0x4E4D);
  EXPECT_EQ(id.mssrl, 0x504F);
  EXPECT_EQ(id.mcl, 0x54535251u);
  EXPECT_EQ(id.msrc, 0x55);
  EXPECT_EQ(id.anagrpid, 0x59585756u);
  EXPECT_EQ(id.nsattr, kNsattrWriteProtected);
  EXPECT_EQ(id.nvmsetid, 0x5B5A);
  EXPECT_EQ(id.endgid, 0x5D5C);
  EXPECT_EQ(id.nguid[0], 0x61);
  EXPECT_EQ(id.nguid[15], 0x62);
  EXPECT_EQ(id.eui64[0], 0x63);
  EXPECT_EQ(id.eui64[7], 0x64);
  EXPECT_EQ(id.lbaf[0].lbads, 9);
  EXPECT_EQ(id.lbaf[0].rp, 2);
  EXPECT_EQ(id.lbaf[1].ms, 8);
  EXPECT_EQ(id.lbaf[1].lbads, 12);
  EXPECT_EQ(id.lbaf[63].ms, 64);
  EXPECT_EQ(id.lbaf[63].rp, 3);
  EXPECT_EQ(id.vendor[0], 0x65);
  EXPECT_EQ(id.vendor[3711], 0x66);
}

TEST(IdentifyNamespace, WritesTheBytesOfTheFigure) {
  IdentifyNamespace id{};
  id.nsze = 0x1000;
  id.noiob = 0x0102;
  id.eui64[0] = 0xAA;
  id.lbaf[1] = LbaFormat{0, 12, 1};
  EXPECT_EQ(WireBytes::of(id), WireBytes(4096)
                                   .put(0, {0x00, 0x10})
                                   .put(46, {0x02, 0x01})
                                   .put(120, {0xAA})
                                   .put(132, {0x00, 0x00, 0x0C, 0x01}));
}

TEST(IdentifyNamespace, HighFormatIndexCountsOnlyBeyondSixteenFormats) {
  IdentifyNamespace id{};
  id.flbas = 0x62;  // low 2, high 3
  id.nlbaf = 15;
  EXPECT_EQ(id.format_index(), 2);
  id.nlbaf = 63;
  EXPECT_EQ(id.format_index(), 50);
  EXPECT_FALSE(id.extended_lba());
}

TEST(IdentifyNvm, CommandSetSpecific) {
  const auto ns = WireBytes(4096)
                      .put(0, {0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08})  // LBSTM
                      .put(8, {0x09})                                            // PIC
                      .put(12, {0x10, 0x01, 0x00, 0x00})                         // ELBAF0
                      .put(264, {0x11, 0x00, 0x00, 0x00})                        // ELBAF63
                      .as<IdentifyNamespaceNvm>();
  EXPECT_EQ(ns.lbstm, 0x0807060504030201u);
  EXPECT_EQ(ns.pic, 9);
  EXPECT_EQ(ns.elbaf[0], 0x110u);
  EXPECT_EQ(ns.elbaf[63], 0x11u);

  const auto ctrl = WireBytes(4096)
                        .put(0, {0x01, 0x02, 0x03, 0x04})  // VSL, WZSL, WUSL, DMRL
                        .put(4, {0x05, 0x06, 0x07, 0x08})  // DMRSL
                        .put(8, {0x09, 0x0A, 0x0B, 0x0C, 0x0D, 0x0E, 0x0F, 0x10})  // DMSL
                        .as<IdentifyControllerNvm>();
  EXPECT_EQ(ctrl.vsl, 1);
  EXPECT_EQ(ctrl.wzsl, 2);
  EXPECT_EQ(ctrl.wusl, 3);
  EXPECT_EQ(ctrl.dmrl, 4);
  EXPECT_EQ(ctrl.dmrsl, 0x08070605u);
  EXPECT_EQ(ctrl.dmsl, 0x100F0E0D0C0B0A09u);

  const auto independent = WireBytes(4096)
                               .put(0, {0x01, 0x02, 0x03, 0x04})  // NSFEAT, NMIC, RESCAP, FPI
                               .put(4, {0x05, 0x06, 0x07, 0x08})  // ANAGRPID
                               .put(8, {0x09})                    // NSATTR
                               .put(10, {0x0B, 0x0C})             // NVMSETID
                               .put(12, {0x0D, 0x0E})             // ENDGID
                               .put(14, {0x01})                   // NSTAT
                               .as<IdentifyNamespaceIndependent>();
  EXPECT_EQ(independent.nsfeat, 1);
  EXPECT_EQ(independent.nmic, 2);
  EXPECT_EQ(independent.rescap, 3);
  EXPECT_EQ(independent.fpi, 4);
  EXPECT_EQ(independent.anagrpid, 0x08070605u);
  EXPECT_EQ(independent.nsattr, 9);
  EXPECT_EQ(independent.nvmsetid, 0x0C0B);
  EXPECT_EQ(independent.endgid, 0x0E0D);
  EXPECT_EQ(independent.nstat, kNstatReady);
}

}  // namespace
}  // namespace pynvme::spec
