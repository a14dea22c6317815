// Submission and completion queue entries against bytes written from NVMe Base 2.0 §3.3.3; opcodes,
// fields of command dwords and the Dataset Management range.
#include "spec/command.h"

#include <string>

#include <gtest/gtest.h>

#include "spec/command_fields.h"
#include "spec/dsm.h"
#include "spec/opcode.h"
#include "spec/wire_bytes.h"

namespace pynvme::spec {
namespace {

WireBytes sample_sqe_bytes() {
  return WireBytes(64)
      .put(0, {0x02})                                             // OPC
      .put(1, {0x41})                                             // FUSE 01b, PSDT 01b
      .put(2, {0x34, 0x12})                                       // CID
      .put(4, {0x78, 0x56, 0x34, 0x12})                           // NSID
      .put(8, {0x08, 0x09, 0x0A, 0x0B})                           // CDW2
      .put(12, {0x0C, 0x0D, 0x0E, 0x0F})                          // CDW3
      .put(16, {0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17})  // MPTR
      .put(24, {0x18, 0x19, 0x1A, 0x1B, 0x1C, 0x1D, 0x1E, 0x1F})  // PRP1
      .put(32, {0x20, 0x21, 0x22, 0x23, 0x24, 0x25, 0x26, 0x27})  // PRP2
      .put(40, {0x28, 0x29, 0x2A, 0x2B})                          // CDW10
      .put(44, {0x2C, 0x2D, 0x2E, 0x2F})                          // CDW11
      .put(48, {0x30, 0x31, 0x32, 0x33})                          // CDW12
      .put(52, {0x34, 0x35, 0x36, 0x37})                          // CDW13
      .put(56, {0x38, 0x39, 0x3A, 0x3B})                          // CDW14
      .put(60, {0x3C, 0x3D, 0x3E, 0x3F});                         // CDW15
}

TEST(Sqe, ReadsTheBytesOfTheFigure) {
  const Sqe sqe = sample_sqe_bytes().as<Sqe>();
  EXPECT_EQ(sqe.opcode, 0x02);
  EXPECT_EQ(sqe.fuse(), Fuse::kFirst);
  EXPECT_EQ(sqe.psdt(), Psdt::kSglMetadataBuffer);
  EXPECT_EQ(sqe.cid, 0x1234);
  EXPECT_EQ(sqe.nsid, 0x12345678u);
  EXPECT_EQ(sqe.cdw2, 0x0B0A0908u);
  EXPECT_EQ(sqe.cdw3, 0x0F0E0D0Cu);
  EXPECT_EQ(sqe.mptr, 0x1716151413121110u);
  EXPECT_EQ(sqe.prp1, 0x1F1E1D1C1B1A1918u);
  EXPECT_EQ(sqe.prp2, 0x2726252423222120u);
  EXPECT_EQ(sqe.cdw10, 0x2B2A2928u);
  EXPECT_EQ(sqe.cdw11, 0x2F2E2D2Cu);
  EXPECT_EQ(sqe.cdw12, 0x33323130u);
  EXPECT_EQ(sqe.cdw13, 0x37363534u);
  EXPECT_EQ(sqe.cdw14, 0x3B3A3938u);
  EXPECT_EQ(sqe.cdw15, 0x3F3E3D3Cu);
  EXPECT_EQ(sqe.slba(), 0x2F2E2D2C2B2A2928u);
}

TEST(Sqe, WritesTheBytesOfTheFigure) {
  Sqe sqe{};
  sqe.opcode = 0x02;
  sqe.set_fuse(Fuse::kFirst);
  sqe.set_psdt(Psdt::kSglMetadataBuffer);
  sqe.cid = 0x1234;
  sqe.nsid = 0x12345678;
  sqe.cdw2 = 0x0B0A0908;
  sqe.cdw3 = 0x0F0E0D0C;
  sqe.mptr = 0x1716151413121110;
  sqe.prp1 = 0x1F1E1D1C1B1A1918;
  sqe.prp2 = 0x2726252423222120;
  sqe.set_slba(0x2F2E2D2C2B2A2928);
  sqe.cdw12 = 0x33323130;
  sqe.cdw13 = 0x37363534;
  sqe.cdw14 = 0x3B3A3938;
  sqe.cdw15 = 0x3F3E3D3C;
  EXPECT_EQ(WireBytes::of(sqe), sample_sqe_bytes());
}

TEST(Sqe, FlagSettersLeaveEachOtherAlone) {
  Sqe sqe{};
  sqe.flags = 0xFF;
  sqe.set_fuse(Fuse::kNormal);
  EXPECT_EQ(sqe.flags, 0xFC);
  sqe.set_psdt(Psdt::kSglMetadataSegment);
  EXPECT_EQ(sqe.flags, 0xBC);
  sqe.set_fuse(Fuse::kSecond);
  EXPECT_EQ(sqe.flags, 0xBE);
}

TEST(Cqe, ReadsTheBytesOfTheFigure) {
  // LBA Out of Range (SCT 0h, SC 80h), DNR, CRD 10b, phase 1: DW3 = CID | 0xA101 << 16.
  const Cqe cqe = WireBytes(16)
                      .put(0, {0x01, 0x02, 0x03, 0x04})
                      .put(4, {0x05, 0x06, 0x07, 0x08})
                      .put(8, {0x0A, 0x09})   // SQHD
                      .put(10, {0x0C, 0x0B})  // SQID
                      .put(12, {0x0E, 0x0D})  // CID
                      .put(14, {0x01, 0xA1})  // status, phase in bit 16 of DW3
                      .as<Cqe>();
  EXPECT_EQ(cqe.cdw0, 0x04030201u);
  EXPECT_EQ(cqe.cdw1, 0x08070605u);
  EXPECT_EQ(cqe.sqhd, 0x090A);
  EXPECT_EQ(cqe.sqid, 0x0B0C);
  EXPECT_EQ(cqe.cid, 0x0D0E);
  EXPECT_TRUE(cqe.phase());
  EXPECT_EQ(cqe.sct(), 0);
  EXPECT_EQ(cqe.sc(), 0x80);
  EXPECT_EQ(status_crd(cqe.status), 2);
  EXPECT_FALSE(cqe.more());
  EXPECT_TRUE(cqe.dnr());
  EXPECT_FALSE(cqe.ok());
}

TEST(Cqe, WritesTheBytesOfTheFigure) {
  Cqe cqe{};
  cqe.cdw0 = 0x04030201;
  cqe.sqhd = 0x090A;
  cqe.sqid = 0x0B0C;
  cqe.cid = 0x0D0E;
  cqe.status = with_phase(make_status(0x2, 0x81, true), true);  // Unrecovered Read Error
  EXPECT_EQ(WireBytes::of(cqe),
            WireBytes(16).put(0, {0x01, 0x02, 0x03, 0x04, 0x00, 0x00, 0x00, 0x00, 0x0A, 0x09, 0x0C,
                                  0x0B, 0x0E, 0x0D, 0x03, 0x85}));
}

TEST(Status, FieldBits) {
  EXPECT_EQ(make_status(0, 0), 0x0000);
  EXPECT_EQ(make_status(0, 0x02, true), 0x8004);
  EXPECT_EQ(make_status(1, 0x00), 0x0200);
  EXPECT_EQ(make_status(7, 0xFF), 0x0FFE);
  EXPECT_EQ(make_status(0, 0, false, true), 0x4000);
  EXPECT_EQ(status_sct(0x0FFE), 7);
  EXPECT_EQ(status_sc(0x0FFE), 0xFF);
  EXPECT_TRUE(status_more(0x4000));
  EXPECT_FALSE(status_dnr(0x4000));
  EXPECT_TRUE(status_dnr(0x8000));
  EXPECT_TRUE(status_phase(0x0001));
  EXPECT_EQ(with_phase(0x8005, false), 0x8004);
  EXPECT_EQ(with_phase(0x8004, true), 0x8005);
}

TEST(Status, OkLooksAtTypeAndCodeOnly) {
  EXPECT_TRUE(status_ok(0x0000));
  EXPECT_TRUE(status_ok(0xF001));
  EXPECT_FALSE(status_ok(0x0002));
  EXPECT_FALSE(status_ok(0x0200));
}

TEST(Opcode, DirectionIsInTheLowBits) {
  EXPECT_EQ(data_direction(0x00), DataDirection::kNone);              // Flush
  EXPECT_EQ(data_direction(0x01), DataDirection::kHostToController);  // Write
  EXPECT_EQ(data_direction(0x02), DataDirection::kControllerToHost);  // Read
  EXPECT_EQ(data_direction(0x08), DataDirection::kNone);              // Write Zeroes, Abort
  EXPECT_EQ(data_direction(0x09), DataDirection::kHostToController);  // Dataset Management
  EXPECT_EQ(data_direction(0x0C), DataDirection::kNone);              // Verify
  EXPECT_EQ(data_direction(0x06), DataDirection::kControllerToHost);  // Identify
  EXPECT_EQ(data_direction(0xC3), DataDirection::kBidirectional);
}

TEST(Opcode, AdminNames) {
  const std::pair<int, const char*> expected[] = {
      {0x00, "Delete I/O Submission Queue"},
      {0x01, "Create I/O Submission Queue"},
      {0x02, "Get Log Page"},
      {0x03, "Reserved"},
      {0x04, "Delete I/O Completion Queue"},
      {0x05, "Create I/O Completion Queue"},
      {0x06, "Identify"},
      {0x08, "Abort"},
      {0x09, "Set Features"},
      {0x0A, "Get Features"},
      {0x0C, "Asynchronous Event Request"},
      {0x0D, "Namespace Management"},
      {0x10, "Firmware Commit"},
      {0x11, "Firmware Image Download"},
      {0x14, "Device Self-test"},
      {0x15, "Namespace Attachment"},
      {0x18, "Keep Alive"},
      {0x19, "Directive Send"},
      {0x1A, "Directive Receive"},
      {0x1C, "Virtualization Management"},
      {0x1D, "NVMe-MI Send"},
      {0x1E, "NVMe-MI Receive"},
      {0x20, "Capacity Management"},
      {0x24, "Lockdown"},
      {0x7C, "Doorbell Buffer Config"},
      {0x7F, "Fabrics Commands"},
      {0x80, "Format NVM"},
      {0x81, "Security Send"},
      {0x82, "Security Receive"},
      {0x84, "Sanitize"},
      {0x86, "Get LBA Status"},
      {0xBF, "Reserved"},
      {0xC0, "Vendor Specific"},
      {0xFF, "Vendor Specific"},
  };
  for (const auto& [opcode, name] : expected) {
    EXPECT_EQ(std::string(admin_command_name(static_cast<uint8_t>(opcode))), name) << opcode;
  }
}

TEST(Opcode, IoNames) {
  const std::pair<int, const char*> expected[] = {
      {0x00, "Flush"},
      {0x01, "Write"},
      {0x02, "Read"},
      {0x04, "Write Uncorrectable"},
      {0x05, "Compare"},
      {0x08, "Write Zeroes"},
      {0x09, "Dataset Management"},
      {0x0C, "Verify"},
      {0x0D, "Reservation Register"},
      {0x0E, "Reservation Report"},
      {0x11, "Reservation Acquire"},
      {0x15, "Reservation Release"},
      {0x19, "Copy"},
      {0x79, "Zone Management Send"},
      {0x7A, "Zone Management Receive"},
      {0x7D, "Zone Append"},
      {0x7F, "Fabrics Commands"},
      {0x7E, "Reserved"},
      {0x80, "Vendor Specific"},
      {0xFF, "Vendor Specific"},
  };
  for (const auto& [opcode, name] : expected) {
    EXPECT_EQ(std::string(io_command_name(static_cast<uint8_t>(opcode))), name) << opcode;
  }
}

TEST(CommandFields, Admin) {
  // Create I/O CQ 3 of 256 entries, physically contiguous, interrupts on vector 5.
  EXPECT_EQ(queue_id(0x00FF0003), 3);
  EXPECT_EQ(queue_size(0x00FF0003), 255);
  EXPECT_EQ(create_cq_iv(0x00050003), 5);
  EXPECT_EQ(0x00050003u & (kQueuePc | kCqIen), 3u);
  // Create I/O SQ on CQ 9 with medium priority.
  EXPECT_EQ(create_sq_cqid(0x00090005), 9);
  EXPECT_EQ(create_sq_qprio(0x00090005), static_cast<uint8_t>(Qprio::kMedium));

  EXPECT_EQ(identify_cns(0x12340013), 0x13);
  EXPECT_EQ(identify_cntid(0x12340013), 0x1234);
  EXPECT_EQ(identify_csi(0x02000000), 0x02);

  // SMART of 512 bytes with Retain Asynchronous Event: NUMDL 7Fh, RAE, LID 02h.
  EXPECT_EQ(log_lid(0x007F8002), 0x02);
  EXPECT_EQ(log_lsp(0x007F0502), 0x05);
  EXPECT_NE(0x007F8002u & kLogRae, 0u);
  EXPECT_EQ(log_bytes(0x007F8002, 0), 512u);
  EXPECT_EQ(log_bytes(0xFFFF0001, 0xFFFF), uint64_t{1} << 34);

  EXPECT_EQ(abort_sqid(0x00070002), 2);
  EXPECT_EQ(abort_cid(0x00070002), 7);

  // Firmware Commit to slot 2 with action 3.
  EXPECT_EQ(firmware_slot(0x1A), 2);
  EXPECT_EQ(firmware_action(0x1A), 3);

  // LBAFL 1, MSET, PI 2, PIL, SES 1, LBAFU 3.
  EXPECT_EQ(format_lbafl(0x3351), 1);
  EXPECT_TRUE(format_mset(0x3351));
  EXPECT_EQ(format_pi(0x3351), 2);
  EXPECT_TRUE(format_pil(0x3351));
  EXPECT_EQ(format_ses(0x3351), kSesUserData);
  EXPECT_EQ(format_lbafu(0x3351), 3);
}

TEST(CommandFields, Nvm) {
  EXPECT_EQ(io_nlb(0x00000000), 1u);
  EXPECT_EQ(io_nlb(0xFFFFFFFF), 65536u);
  EXPECT_EQ(io_prinfo(0x3C000000), 0xF);
  EXPECT_EQ(io_prinfo(0x20000000), kPract);
  EXPECT_EQ(kIoDeac, 0x02000000u);
  EXPECT_EQ(kIoFua, 0x40000000u);
  EXPECT_EQ(kIoLr, 0x80000000u);
}

TEST(Dsm, RangeBytes) {
  const WireBytes bytes = WireBytes(16)
                              .put(0, {0x25, 0x07, 0x00, 0x80})  // context attributes
                              .put(4, {0x08, 0x00, 0x00, 0x00})  // length in logical blocks
                              .put(8, {0xEF, 0xCD, 0xAB, 0x89, 0x67, 0x45, 0x23, 0x01});
  const DsmRange range = bytes.as<DsmRange>();
  EXPECT_EQ(range.nlb, 8u);
  EXPECT_EQ(range.slba, 0x0123456789ABCDEFu);
  EXPECT_EQ(dsm_access_frequency(range.context_attributes), 5);
  EXPECT_EQ(dsm_access_latency(range.context_attributes), 2);
  EXPECT_EQ(dsm_command_access_size(range.context_attributes), 0x80);
  EXPECT_EQ(range.context_attributes & 0xFF00,
            kDsmSequentialRead | kDsmSequentialWrite | kDsmWritePrepare);
  EXPECT_EQ(WireBytes::of(DsmRange{0x80000725, 8, 0x0123456789ABCDEF}), bytes);
  EXPECT_EQ(dsm_ranges(0xFFFFFF00), 1u);
  EXPECT_EQ(dsm_ranges(0x000000FF), kDsmRangesMax);
  EXPECT_EQ(kDsmAd, 0x4u);
}

}  // namespace
}  // namespace pynvme::spec
