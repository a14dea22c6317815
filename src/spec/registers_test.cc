// Register offsets and fields against values written from NVMe Base 2.0 §3.1.3, and PCI
// configuration fields.
#include "spec/registers.h"

#include <gtest/gtest.h>

#include "spec/pci.h"
#include "spec/wire_bytes.h"

namespace pynvme::spec {
namespace {

TEST(Registers, Offsets) {
  EXPECT_EQ(reg::kCap, 0x0u);
  EXPECT_EQ(reg::kVs, 0x8u);
  EXPECT_EQ(reg::kIntms, 0xCu);
  EXPECT_EQ(reg::kIntmc, 0x10u);
  EXPECT_EQ(reg::kCc, 0x14u);
  EXPECT_EQ(reg::kCsts, 0x1Cu);
  EXPECT_EQ(reg::kNssr, 0x20u);
  EXPECT_EQ(reg::kAqa, 0x24u);
  EXPECT_EQ(reg::kAsq, 0x28u);
  EXPECT_EQ(reg::kAcq, 0x30u);
  EXPECT_EQ(reg::kCmbloc, 0x38u);
  EXPECT_EQ(reg::kCmbsz, 0x3Cu);
  EXPECT_EQ(reg::kBpinfo, 0x40u);
  EXPECT_EQ(reg::kBprsel, 0x44u);
  EXPECT_EQ(reg::kBpmbl, 0x48u);
  EXPECT_EQ(reg::kCmbmsc, 0x50u);
  EXPECT_EQ(reg::kCmbsts, 0x58u);
  EXPECT_EQ(reg::kCmbebs, 0x5Cu);
  EXPECT_EQ(reg::kCmbswtp, 0x60u);
  EXPECT_EQ(reg::kNssd, 0x64u);
  EXPECT_EQ(reg::kCrto, 0x68u);
  EXPECT_EQ(reg::kPmrcap, 0xE00u);
  EXPECT_EQ(reg::kPmrmscu, 0xE18u);
}

TEST(Registers, Doorbells) {
  EXPECT_EQ(sq_tail_doorbell(0, 0), 0x1000u);
  EXPECT_EQ(cq_head_doorbell(0, 0), 0x1004u);
  EXPECT_EQ(sq_tail_doorbell(1, 0), 0x1008u);
  EXPECT_EQ(cq_head_doorbell(1, 0), 0x100Cu);
  EXPECT_EQ(sq_tail_doorbell(2, 4), 0x1100u);  // stride 64
  EXPECT_EQ(cq_head_doorbell(2, 4), 0x1140u);
  EXPECT_EQ(cq_head_doorbell(0xFFFF, 0), 0x80FFCu);
}

TEST(Registers, CapOfAClientDrive) {
  // MQES 1023, CQR, WRR, TO 20 (10 s), NSSRS, NVM command set, 4 KiB pages only, CMBS, CRMS 01b.
  const Cap cap{0x0A000030140303FF};
  EXPECT_EQ(cap.mqes(), 1023);
  EXPECT_TRUE(cap.cqr());
  EXPECT_EQ(cap.ams(), kCapAmsWrrUrgent);
  EXPECT_EQ(cap.to(), 20);
  EXPECT_EQ(cap.dstrd(), 0);
  EXPECT_TRUE(cap.nssrs());
  EXPECT_EQ(cap.css(), kCapCssNvm);
  EXPECT_FALSE(cap.bps());
  EXPECT_EQ(cap.mpsmin(), 0);
  EXPECT_EQ(cap.mpsmax(), 0);
  EXPECT_FALSE(cap.pmrs());
  EXPECT_TRUE(cap.cmbs());
  EXPECT_FALSE(cap.nsss());
  EXPECT_EQ(cap.crms(), kCapCrmsWithMedia);
  EXPECT_EQ(Cap{}
                .with_mqes(1023)
                .with_cqr(true)
                .with_ams(1)
                .with_to(20)
                .with_nssrs(true)
                .with_css(1)
                .with_cmbs(true)
                .with_crms(1)
                .value,
            cap.value);
}

TEST(Registers, CapFieldsOneByOne) {
  EXPECT_EQ(Cap{}.with_mqes(0xFFFF).value, 0xFFFFu);
  EXPECT_EQ(Cap{}.with_cqr(true).value, 1ull << 16);
  EXPECT_EQ(Cap{}.with_ams(3).value, 3ull << 17);
  EXPECT_EQ(Cap{}.with_to(0xFF).value, 0xFFull << 24);
  EXPECT_EQ(Cap{}.with_dstrd(0xF).value, 0xFull << 32);
  EXPECT_EQ(Cap{}.with_nssrs(true).value, 1ull << 36);
  EXPECT_EQ(Cap{}.with_css(0xFF).value, 0xFFull << 37);
  EXPECT_EQ(Cap{}.with_bps(true).value, 1ull << 45);
  EXPECT_EQ(Cap{}.with_cps(3).value, 3ull << 46);
  EXPECT_EQ(Cap{}.with_mpsmin(0xF).value, 0xFull << 48);
  EXPECT_EQ(Cap{}.with_mpsmax(0xF).value, 0xFull << 52);
  EXPECT_EQ(Cap{}.with_pmrs(true).value, 1ull << 56);
  EXPECT_EQ(Cap{}.with_cmbs(true).value, 1ull << 57);
  EXPECT_EQ(Cap{}.with_nsss(true).value, 1ull << 58);
  EXPECT_EQ(Cap{}.with_crms(3).value, 3ull << 59);
  const Cap ones{~uint64_t{0}};
  EXPECT_EQ(ones.dstrd(), 0xF);
  EXPECT_EQ(ones.css(), 0xFF);
  EXPECT_EQ(ones.cps(), 3);
  EXPECT_EQ(ones.mpsmax(), 0xF);
  EXPECT_EQ(ones.crms(), 3);
}

TEST(Registers, Cc) {
  // EN, CSS 110b, MPS 8 KiB, WRR, normal shutdown, 64-byte SQE, 16-byte CQE, CRIME.
  const Cc cc{0x014648E1};
  EXPECT_TRUE(cc.en());
  EXPECT_EQ(cc.css(), kCcCssAllIoCommandSets);
  EXPECT_EQ(cc.mps(), 1);
  EXPECT_EQ(cc.page_size(), 8192u);
  EXPECT_EQ(cc.ams(), static_cast<uint8_t>(Ams::kWrrUrgent));
  EXPECT_EQ(cc.shn(), Shn::kNormal);
  EXPECT_EQ(cc.iosqes(), 6);
  EXPECT_EQ(cc.iocqes(), 4);
  EXPECT_TRUE(cc.crime());
  EXPECT_EQ(Cc{}.with_en(true)
                .with_css(6)
                .with_mps(1)
                .with_ams(1)
                .with_shn(Shn::kNormal)
                .with_iosqes(6)
                .with_iocqes(4)
                .with_crime(true)
                .value,
            cc.value);
  EXPECT_EQ(cc.with_shn(Shn::kNone).value, 0x014608E1u);
  EXPECT_EQ(cc.with_en(false).value, 0x014648E0u);
}

TEST(Registers, Csts) {
  EXPECT_TRUE(Csts{0x01}.rdy());
  EXPECT_TRUE(Csts{0x02}.cfs());
  EXPECT_EQ(Csts{0x04}.shst(), Shst::kOccurring);
  EXPECT_EQ(Csts{0x08}.shst(), Shst::kComplete);
  EXPECT_TRUE(Csts{0x10}.nssro());
  EXPECT_TRUE(Csts{0x20}.pp());
  EXPECT_TRUE(Csts{0x40}.st());
  EXPECT_EQ(kCstsNssro, 0x10u);
  EXPECT_EQ(Csts{}.with_rdy(true).with_shst(Shst::kComplete).value, 0x09u);
  EXPECT_EQ(Csts{0x7F}.with_rdy(false).with_cfs(false).with_nssro(false).with_pp(false).value,
            0x4Cu);
  EXPECT_EQ(Csts{}.with_st(true).value, 0x40u);
}

TEST(Registers, AqaAndOthers) {
  EXPECT_EQ(Aqa{0x001F003F}.asqs(), 0x3F);
  EXPECT_EQ(Aqa{0x001F003F}.acqs(), 0x1F);
  EXPECT_EQ(Aqa{0xFFFFFFFF}.asqs(), 0xFFF);
  EXPECT_EQ(Aqa{0xFFFFFFFF}.acqs(), 0xFFF);
  EXPECT_EQ(Aqa{}.with_asqs(0x3F).with_acqs(0x1F).value, 0x001F003Fu);
  EXPECT_EQ(make_version(1, 4, 0), 0x00010400u);
  EXPECT_EQ(make_version(2, 0, 3), 0x00020003u);
  EXPECT_EQ(kNssrReset, uint32_t{'N'} << 24 | 'V' << 16 | 'M' << 8 | 'e');
  EXPECT_EQ(crto_crwmt(0x00140028), 0x28);
  EXPECT_EQ(crto_crimt(0x00140028), 0x14);
}

TEST(Registers, ControllerMemoryBuffer) {
  EXPECT_EQ(cmbloc_bir(0x00010002), 2);
  EXPECT_EQ(cmbloc_ofst(0x00010002), 0x10u);
  // 16 units of 1 MiB for queues, lists, reads and writes.
  EXPECT_EQ(cmbsz_unit(0x0001021F), 1u << 20);
  EXPECT_EQ(cmbsz_sz(0x0001021F), 16u);
  EXPECT_TRUE(cmbsz_sqs(0x01) && cmbsz_cqs(0x02) && cmbsz_lists(0x04) && cmbsz_rds(0x08) &&
              cmbsz_wds(0x10));
  EXPECT_EQ(cmbsz_unit(0), 4096u);
  EXPECT_EQ(cmbsz_unit(0x600), uint64_t{64} << 30);
  EXPECT_TRUE(cmbmsc_cre(0x1));
  EXPECT_TRUE(cmbmsc_cmse(0x2));
  EXPECT_EQ(cmbmsc_cba(0x123456789003), 0x123456789000u);
}

TEST(Pci, HeaderAndClassCode) {
  // A type 0 header: 1B36h:0010h, revision 2, class code 01 08 02, 64-bit BAR0.
  const uint8_t header[] = {0x36, 0x1B, 0x10, 0x00, 0x06, 0x00, 0x10, 0x00, 0x02, 0x02,
                            0x08, 0x01, 0x00, 0x00, 0x00, 0x00, 0x04, 0x40, 0x00, 0xFE};
  EXPECT_EQ(header[pci::kVendorId + 1], 0x1B);
  EXPECT_EQ(header[pci::kDeviceId], 0x10);
  EXPECT_EQ(header[pci::kRevisionId], 0x02);
  EXPECT_EQ(header[pci::kClassCode], pci::kInterfaceNvme);
  EXPECT_EQ(header[pci::kClassCode + 1], pci::kSubclassNvm);
  EXPECT_EQ(header[pci::kClassCode + 2], pci::kBaseClassMassStorage);
  EXPECT_EQ(header[pci::kCommand], pci::kCommandMemorySpace | pci::kCommandBusMaster);
  EXPECT_EQ(header[pci::kStatus], pci::kStatusCapabilitiesList);
  EXPECT_EQ(header[pci::kBar0] & pci::kBarTypeMask, pci::kBarType64);
  EXPECT_EQ(pci::kSubsystemVendorId, 0x2C);
  EXPECT_EQ(pci::kCapabilitiesPointer, 0x34);
  EXPECT_EQ(pci::kInterruptPin, 0x3D);
}

TEST(Pci, CapabilityFields) {
  EXPECT_EQ(pci::msi::multiple_message_capable(0x008A), 5);  // 32 messages, 64-bit addresses
  EXPECT_EQ(pci::msi::multiple_message_enable(0x0031), 3);
  EXPECT_EQ(pci::msi::kControl64Bit, 0x80);
  EXPECT_EQ(pci::msix::kControlEnable, 0x8000);
  EXPECT_EQ(pci::msix::kControlFunctionMask, 0x4000);
  EXPECT_EQ(pci::pcie::kDeviceCapFlr, 0x10000000u);
  EXPECT_EQ(pci::pcie::kDeviceControlInitiateFlr, 0x8000);
  EXPECT_EQ(pci::pcie::link_speed(0x1043), 3);  // 8.0 GT/s by 4
  EXPECT_EQ(pci::pcie::link_width(0x1043), 4);
  EXPECT_EQ(pci::pcie::link_cap_aspm(0x00477843), 2);  // L1 only
  EXPECT_EQ(pci::make_ext_cap(0x0001, 2, 0x148), 0x14820001u);
  EXPECT_EQ(pci::ext_cap_id(0x14820001), pci::kExtCapIdAer);
  EXPECT_EQ(pci::ext_cap_version(0x14820001), 2);
  EXPECT_EQ(pci::ext_cap_next(0x14820001), 0x148);

  const WireBytes entry = WireBytes(16)
                              .put(0, {0x00, 0x10, 0xE0, 0xFE})
                              .put(4, {0x01, 0x00, 0x00, 0x00})
                              .put(8, {0x23, 0x40, 0x00, 0x00})
                              .put(12, {0x01, 0x00, 0x00, 0x00});
  EXPECT_EQ(
      WireBytes::of(pci::msix::TableEntry{0xFEE01000, 1, 0x4023, pci::msix::kVectorControlMask}),
      entry);
}

}  // namespace
}  // namespace pynvme::spec
