// Capability walks over sound and broken lists, BAR placement, and the way back after a reset.
#include "pcie/config_space.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "pcie/fake_config_function.h"
#include "spec/pci.h"

namespace pynvme::pcie {
namespace {

namespace pci = spec::pci;

struct Space {
  Space() {
    function.put(pci::kStatus, pci::kStatusCapabilitiesList, 2);
    function.put(pci::kCapabilitiesPointer, 0x40, 1);
    function.put(0x40, pci::kCapIdPowerManagement | 0x50 << 8, 2);
    function.put(0x50, pci::kCapIdMsix | 0x70 << 8, 2);
    function.put(0x70, pci::kCapIdPciExpress, 2);
    function.put(0x100, pci::make_ext_cap(pci::kExtCapIdAer, 2, 0x148), 4);
    function.put(0x148, pci::make_ext_cap(pci::kExtCapIdSerialNumber, 1, 0), 4);
  }
  FakeConfigFunction function;
  ConfigSpace space{function};
};

TEST(ConfigSpaceTest, FindsCapabilities) {
  const Space s;
  EXPECT_EQ(s.space.capabilities().size(), 5U);
  EXPECT_EQ(s.space.find(pci::kCapIdMsix), 0x50);
  EXPECT_EQ(s.space.find(pci::kCapIdMsi), std::nullopt);
  EXPECT_EQ(s.space.find_extended(pci::kExtCapIdSerialNumber), 0x148);
  EXPECT_EQ(s.space.find_extended(pci::kExtCapIdLtr), std::nullopt);
}

TEST(ConfigSpaceTest, ALoopEndsTheList) {
  Space s;
  s.function.put(0x70, pci::kCapIdPciExpress | 0x40 << 8, 2);
  s.function.put(0x148, pci::make_ext_cap(pci::kExtCapIdSerialNumber, 1, 0x148), 4);
  EXPECT_EQ(s.space.capabilities().size(), 5U);
}

TEST(ConfigSpaceTest, PointersIntoTheHeaderAndBeyondEndTheList) {
  Space s;
  s.function.put(0x50, pci::kCapIdMsix | 0x10 << 8, 2);
  s.function.put(0x100, pci::make_ext_cap(pci::kExtCapIdAer, 2, 0x010), 4);
  EXPECT_EQ(s.space.capabilities().size(), 3U);
}

TEST(ConfigSpaceTest, AWideBarWhoseLowerHalfIsZeroHasAnAddress) {
  Space s;
  s.function.bar_sizes = {0x4000};
  s.function.put(pci::kBar0, pci::kBarType64, 4);
  s.function.put(pci::kBar1, 0x38, 4);
  s.space.set_up();
  EXPECT_EQ(s.function.config_read(pci::kBar0, 4), pci::kBarType64);
  EXPECT_EQ(s.function.config_read(pci::kBar1, 4), 0x38U);
}

TEST(ConfigSpaceTest, OnTheMachinesOwnBusNoBarIsPlaced) {
  Space s;
  s.function.bar_sizes = {0x4000};
  s.function.physical = true;
  s.function.put(pci::kBar0, pci::kBarType64, 4);
  s.space.set_up();
  EXPECT_EQ(s.function.written, std::vector<uint16_t>{pci::kCommand});
}

TEST(ConfigSpaceTest, WithoutListThereIsNone) {
  Space s;
  s.function.put(pci::kStatus, 0, 2);
  s.function.put(0x100, 0, 4);
  EXPECT_TRUE(s.space.capabilities().empty());
  s.function.gone = true;
  EXPECT_TRUE(s.space.capabilities().empty());
}

TEST(ConfigSpaceTest, GarbageOnlyMakesTheListEnd) {
  Space s;
  for (size_t i = 0x40; i < s.function.config.size(); ++i) {
    s.function.config[i] = static_cast<uint8_t>(i * 37 + i / 251);
  }
  EXPECT_LE(s.space.capabilities().size(), 1008U);
}

TEST(ConfigSpaceTest, PlacesBarsAtMultiplesOfTheirSize) {
  Space s;
  s.function.put(pci::kBar0, pci::kBarType64, 4);
  s.function.bar_sizes[0] = 0x4000;
  s.function.put(pci::kBar2, 0, 4);
  s.function.bar_sizes[2] = 0x10000;
  s.function.put(pci::kBar4, 0xD000'0000, 4);
  s.function.bar_sizes[4] = 0x1000;
  s.space.set_up();
  const uint32_t bar0 = s.function.config_read(pci::kBar0, 4) & pci::kBarAddressMask;
  const uint32_t bar2 = s.function.config_read(pci::kBar2, 4);
  EXPECT_NE(bar0, 0U);
  EXPECT_EQ(bar0 % 0x4000, 0U);
  EXPECT_EQ(bar2 % 0x10000, 0U);
  EXPECT_GE(bar2, bar0 + 0x4000);
  EXPECT_EQ(s.function.config_read(pci::kBar4, 4), 0xD000'0000U);
  EXPECT_EQ(s.function.config_read(pci::kCommand, 2),
            uint32_t{pci::kCommandMemorySpace} | pci::kCommandBusMaster);
  s.space.set_bus_master(false);
  EXPECT_EQ(s.function.config_read(pci::kCommand, 2), pci::kCommandMemorySpace);
}

TEST(ConfigSpaceTest, RestoresWhatAResetTookCommandLast) {
  Space s;
  s.function.put(pci::kBar0, 0xC000'0000, 4);
  s.function.put(pci::kCommand, 0x406, 2);
  s.function.put(0x70 + pci::pcie::kLinkControl, 2, 2);
  s.function.put(0x50, pci::kCapIdMsix | 0x70 << 8 | 1U << 31, 4);
  const auto saved = s.space.save();
  const auto before = s.function.config;
  s.function.put(pci::kBar0, 0, 4);
  s.function.put(pci::kCommand, 0, 2);
  s.function.put(0x70 + pci::pcie::kLinkControl, 0, 2);
  s.function.put(0x52, 0, 2);
  s.function.written.clear();
  s.space.restore(saved);
  EXPECT_EQ(s.function.config, before);
  EXPECT_EQ(s.function.written.back(), pci::kCommand);
  // Device Status, next to Device Control, is cleared by writing ones: nobody writes there.
  EXPECT_EQ(std::count(s.function.written.begin(), s.function.written.end(),
                       0x70 + pci::pcie::kDeviceStatus),
            0);
}

}  // namespace
}  // namespace pynvme::pcie
