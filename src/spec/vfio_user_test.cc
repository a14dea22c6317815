// Messages as bytes, written out from the published protocol and from linux/vfio.h.
#include "spec/vfio_user.h"

#include <gtest/gtest.h>

#include "spec/wire_bytes.h"

namespace pynvme::spec::vfu {
namespace {

TEST(VfioUser, Header) {
  const Header header{0x1234, 9, 0x30, Header::kTypeReply | Header::kError, 22};
  EXPECT_EQ(WireBytes::of(header),
            WireBytes(16).put(0, {0x34, 0x12, 9, 0, 0x30, 0, 0, 0, 0x21, 0, 0, 0, 22}));
  EXPECT_TRUE(header.is_reply());
  EXPECT_FALSE((Header{0, 1, 16, Header::kNoReply, 0}.is_reply()));
}

TEST(VfioUser, CommandNumbers) {
  EXPECT_EQ(static_cast<int>(Command::kVersion), 1);
  EXPECT_EQ(static_cast<int>(Command::kDmaUnmap), 3);
  EXPECT_EQ(static_cast<int>(Command::kDeviceGetRegionInfo), 5);
  EXPECT_EQ(static_cast<int>(Command::kDeviceGetIrqInfo), 7);
  EXPECT_EQ(static_cast<int>(Command::kDeviceSetIrqs), 8);
  EXPECT_EQ(static_cast<int>(Command::kDmaWrite), 12);
  EXPECT_EQ(static_cast<int>(Command::kDeviceReset), 13);
  EXPECT_EQ(static_cast<int>(Command::kRegionWriteMulti), 15);
  EXPECT_EQ(static_cast<int>(Command::kMigDataWrite), 18);
}

TEST(VfioUser, Version) { EXPECT_EQ(WireBytes::of(Version{0, 1}), WireBytes(4).put(2, {1})); }

TEST(VfioUser, Dma) {
  EXPECT_EQ(
      WireBytes::of(DmaMap{32, DmaMap::kRead | DmaMap::kWrite, 0x1000, 0x1'0000'0000, 0x2000}),
      WireBytes(32).put(0, {32}).put(4, {3}).put(9, {0x10}).put(20, {1}).put(25, {0x20}));
  EXPECT_EQ(WireBytes::of(DmaUnmap{24, DmaUnmap::kAll, 0x3000, 0x4000}),
            WireBytes(24).put(0, {24}).put(4, {2}).put(9, {0x30}).put(17, {0x40}));
  EXPECT_EQ(WireBytes::of(DmaAccess{0x0102030405060708, 0x40}),
            WireBytes(16).put(0, {8, 7, 6, 5, 4, 3, 2, 1, 0x40}));
}

TEST(VfioUser, Regions) {
  EXPECT_EQ(WireBytes::of(DeviceInfo{16, DeviceInfo::kPci | DeviceInfo::kReset, 9, 5}),
            WireBytes(16).put(0, {16}).put(4, {3}).put(8, {9}).put(12, {5}));
  EXPECT_EQ(WireBytes::of(RegionInfo{64, 15, 0, 32, 0x4000, 0}),
            WireBytes(32).put(0, {64}).put(4, {15}).put(12, {32}).put(17, {0x40}));
  EXPECT_EQ(WireBytes::of(SparseMmap{{kCapSparseMmap, 1, 0}, 1, 0}),
            WireBytes(16).put(0, {1, 0, 1}).put(8, {1}));
  EXPECT_EQ(WireBytes::of(SparseArea{0x1000, 0x2000}), WireBytes(16).put(1, {0x10}).put(9, {0x20}));
  EXPECT_EQ(WireBytes::of(RegionIoFds{16, 0, 2, 3}),
            WireBytes(16).put(0, {16}).put(8, {2, 0, 0, 0, 3}));
  EXPECT_EQ(WireBytes::of(RegionAccess{0x14, 7, 4}),
            WireBytes(16).put(0, {0x14}).put(8, {7}).put(12, {4}));
  EXPECT_EQ(WireBytes::of(RegionWriteOne{0x1000, 0, 4, {1, 2, 3, 4}}),
            WireBytes(24).put(1, {0x10}).put(12, {4}).put(16, {1, 2, 3, 4}));
}

TEST(VfioUser, Interrupts) {
  EXPECT_EQ(WireBytes::of(IrqInfo{16, IrqInfo::kEventfd | IrqInfo::kNoresize, kIrqMsix, 17}),
            WireBytes(16).put(0, {16}).put(4, {9}).put(8, {2}).put(12, {17}));
  EXPECT_EQ(
      WireBytes::of(IrqSet{20, IrqSet::kDataEventfd | IrqSet::kActionTrigger, kIrqMsix, 1, 2}),
      WireBytes(20).put(0, {20}).put(4, {0x24}).put(8, {2}).put(12, {1}).put(16, {2}));
}

}  // namespace
}  // namespace pynvme::spec::vfu
