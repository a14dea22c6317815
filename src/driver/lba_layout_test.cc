#include "driver/lba_layout.h"

#include <gtest/gtest.h>

namespace pynvme::driver {
namespace {

spec::IdentifyNamespace identify(uint16_t ms, uint8_t lbads, uint8_t flbas, uint8_t dps) {
  spec::IdentifyNamespace data{};
  data.nlbaf = 1;
  data.flbas = static_cast<uint8_t>(flbas | 1);
  data.dps = dps;
  data.lbaf[1] = {ms, lbads, 0};
  return data;
}

constexpr uint8_t kExtended = 1 << 4;

spec::Sqe io(uint8_t opcode, uint64_t slba, uint32_t nlb, uint32_t flags = 0) {
  spec::Sqe sqe{};
  sqe.opcode = opcode;
  sqe.set_slba(slba);
  sqe.cdw12 = flags | (nlb - 1);
  return sqe;
}

constexpr uint32_t kPract = 1U << 29;

TEST(LbaLayout, WithoutMetadataALbaIsItsData) {
  const LbaLayout layout = lba_layout_of(identify(0, 12, 0, 0), 0);
  EXPECT_EQ(layout, (LbaLayout{.data_bytes = 4096}));
  EXPECT_EQ(layout.stride(false), 4096U);
  EXPECT_EQ(layout.separate_bytes(false), 0U);
  EXPECT_FALSE(layout.takes_pract(spec::io::kRead));
}

TEST(LbaLayout, MetadataAreBehindTheDataOrApart) {
  const LbaLayout extended = lba_layout_of(identify(64, 12, kExtended, 0), 0);
  EXPECT_EQ(extended.stride(false), 4160U);
  EXPECT_EQ(extended.separate_bytes(false), 0U);
  const LbaLayout separate = lba_layout_of(identify(64, 12, 0, 0), 0);
  EXPECT_EQ(separate.stride(false), 4096U);
  EXPECT_EQ(separate.separate_bytes(false), 64U);
  // PRACT means nothing without protection information.
  EXPECT_EQ(extended.stride(true), 4160U);
  EXPECT_EQ(separate.separate_bytes(true), 64U);
}

TEST(LbaLayout, PractTakesAwayMetadataThatAreProtectionInformationAlone) {
  const LbaLayout extended = lba_layout_of(identify(8, 9, kExtended, 1), 0);
  EXPECT_EQ(extended.stride(false), 520U);
  EXPECT_EQ(extended.stride(true), 512U);
  const LbaLayout separate = lba_layout_of(identify(8, 9, 0, 0xA), 0);  // type 2, PIL
  EXPECT_EQ(separate.protection, 2);
  EXPECT_EQ(separate.separate_bytes(false), 8U);
  EXPECT_EQ(separate.separate_bytes(true), 0U);
  const LbaLayout larger = lba_layout_of(identify(16, 9, kExtended, 3), 0);
  EXPECT_EQ(larger.stride(true), 528U);
}

// ELBAF: STS 6:0, PIF 8:7.
TEST(LbaLayout, AGuardOf32Or64BitsHas16BytesOfInformation) {
  const LbaLayout guard64 = lba_layout_of(identify(16, 9, kExtended, 1), 2U << 7 | 8);
  EXPECT_EQ(guard64.stride(true), 512U);
  EXPECT_EQ(guard64.reference_tag_bits, 40);
  EXPECT_EQ(lba_layout_of(identify(16, 9, 0, 1), 1U << 7 | 32).reference_tag_bits, 48);
  EXPECT_EQ(lba_layout_of(identify(16, 9, 0, 1), 1U << 7).reference_tag_bits, 64);
  EXPECT_EQ(lba_layout_of(identify(8, 9, 0, 1), 12).reference_tag_bits, 20);
  EXPECT_EQ(lba_layout_of(identify(8, 9, 0, 1), 0x7F).reference_tag_bits, 0);
}

TEST(LbaLayout, ProtectedCommandsNameTheirAddress) {
  LbaLayout layout = lba_layout_of(identify(8, 9, 0, 1), 0);
  spec::Sqe read = io(spec::io::kRead, 0x1'2345'6789, 8, spec::kIoFua);
  protect(read, layout);
  EXPECT_EQ(read.cdw12, 0x74000007U);  // FUA, PRACT, guard and reference tag
  EXPECT_EQ(read.cdw14, 0x23456789U);
  EXPECT_EQ(read.cdw3, 0U);
  spec::Sqe zeroes = io(spec::io::kWriteZeroes, 5, 1);
  protect(zeroes, layout);
  EXPECT_EQ(zeroes.cdw12, kPract);
  EXPECT_EQ(zeroes.cdw14, 5U);
  layout.protection = 3;  // no reference tag that is known
  spec::Sqe write = io(spec::io::kWrite, 5, 1);
  protect(write, layout);
  EXPECT_EQ(write.cdw12, 0x30000000U);
  EXPECT_EQ(write.cdw14, 0U);
  layout = lba_layout_of(identify(16, 9, 0, 1), 2U << 7);
  spec::Sqe wide = io(spec::io::kRead, 0xABCD'1'2345'6789, 1);
  protect(wide, layout);
  EXPECT_EQ(wide.cdw14, 0x23456789U);
  EXPECT_EQ(wide.cdw3, 0xBCD1U);
}

TEST(LbaLayout, CommandsThatTransferLbasNeedMemoryForTheirMetadata) {
  const LbaLayout layout = lba_layout_of(identify(8, 9, 0, 1), 0);
  for (const uint8_t opcode : {spec::io::kRead, spec::io::kWrite, spec::io::kCompare}) {
    EXPECT_EQ(separate_metadata_bytes(io(opcode, 0, 4), layout), 32U);
  }
  EXPECT_EQ(separate_metadata_bytes(io(spec::io::kRead, 0, 4, kPract), layout), 0U);
  EXPECT_EQ(separate_metadata_bytes(io(spec::io::kWriteZeroes, 0, 4), layout), 0U);
  EXPECT_EQ(separate_metadata_bytes(io(spec::io::kVerify, 0, 4), layout), 0U);
}

}  // namespace
}  // namespace pynvme::driver
