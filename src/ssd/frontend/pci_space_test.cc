// Configuration space: what it says, what can be written, what resets leave.
#include "ssd/frontend/pci_space.h"

#include <tuple>

#include <gtest/gtest.h>

#include "ssd/test_host.h"

namespace pynvme::ssd::testing {
namespace {

PciSpace::Layout layout() { return {16384, 0x2000, 0x3000, 17, 0x1122334455667788}; }

// Offset of a capability, by walking the list as a host does.
uint16_t capability(const PciSpace& space, uint8_t id) {
  uint8_t at = static_cast<uint8_t>(space.read(0x34, 1));
  for (int i = 0; at != 0 && i < 48; ++i) {
    if (space.read(at, 1) == id) return at;
    at = static_cast<uint8_t>(space.read(static_cast<uint16_t>(at + 1), 1));
  }
  return 0;
}

uint16_t extended_capability(const PciSpace& space, uint16_t id) {
  uint16_t at = 0x100;
  for (int i = 0; at != 0 && i < 48; ++i) {
    const uint32_t header = space.read(at, 4);
    if ((header & 0xFFFF) == id) return at;
    at = static_cast<uint16_t>(header >> 20);
  }
  return 0;
}

TEST(PciSpace, HasTheInterruptsItIsConfiguredFor) {
  using enum InterruptCapability;
  for (const auto& [kind, msi, msix] :
       {std::tuple{kPin, false, false}, {kMsi, true, false}, {kMsix, true, true}}) {
    PciSpace::Layout with = layout();
    with.interrupts = kind;
    const PciSpace space(with);
    EXPECT_EQ(capability(space, 0x05) != 0, msi);
    EXPECT_EQ(capability(space, 0x11) != 0, msix);
    EXPECT_NE(capability(space, 0x10), 0);
    EXPECT_EQ(space.read(0x3D, 1), 1u) << "the pin is always there";
  }
}

TEST(PciSpace, IsAnNvmeController) {
  const PciSpace space(layout());
  EXPECT_EQ(space.read(0x08, 4) >> 8, 0x010802u);
  EXPECT_EQ(space.read(0x0E, 1), 0u);
  EXPECT_NE(space.read(0x06, 2) & 0x10, 0u) << "capabilities list";
  EXPECT_NE(capability(space, 0x01), 0);
  EXPECT_NE(capability(space, 0x05), 0);
  EXPECT_NE(capability(space, 0x10), 0);
  EXPECT_NE(capability(space, 0x11), 0);
  EXPECT_EQ(capability(space, 0x03), 0);
  EXPECT_NE(extended_capability(space, 0x0001), 0);
  const uint16_t serial = extended_capability(space, 0x0003);
  ASSERT_NE(serial, 0);
  EXPECT_EQ(space.read(serial + 4, 4), 0x55667788u);
  EXPECT_EQ(space.read(serial + 8, 4), 0x11223344u);
}

TEST(PciSpace, Bar0TellsItsSize) {
  PciSpace space(layout());
  EXPECT_EQ(space.read(0x10, 4), 0x4u) << "64-bit memory, not prefetchable";
  space.write(0x10, 0xFFFFFFFF, 4);
  space.write(0x14, 0xFFFFFFFF, 4);
  EXPECT_EQ(space.read(0x10, 4), 0xFFFFC004u);
  EXPECT_EQ(space.read(0x14, 4), 0xFFFFFFFFu);
  for (uint16_t bar = 0x18; bar < 0x28; bar = static_cast<uint16_t>(bar + 4)) {
    space.write(bar, 0xFFFFFFFF, 4);
    EXPECT_EQ(space.read(bar, 4), 0u);
  }
}

TEST(PciSpace, ReadOnlyBitsStay) {
  PciSpace space(layout());
  const uint32_t ids = space.read(0, 4);
  space.write(0, 0, 4);
  EXPECT_EQ(space.read(0, 4), ids);
  space.write(0x04, 0xFFFF, 2);
  EXPECT_EQ(space.read(0x04, 2), 0x0546u) << "memory, bus master, parity, SERR, INTx disable";
  const uint16_t pcie = capability(space, 0x10);
  const uint32_t link = space.read(pcie + 0x0C, 4);
  space.write(pcie + 0x0C, ~link, 4);
  EXPECT_EQ(space.read(pcie + 0x0C, 4), link);
  const uint16_t msix = capability(space, 0x11);
  space.write(msix + 2, 0xFFFF, 2);
  EXPECT_EQ(space.read(msix + 2, 2), 0xC010u) << "17 vectors, enable and function mask";
  EXPECT_EQ(space.read(msix + 4, 4), 0x2000u);
  EXPECT_EQ(space.read(msix + 8, 4), 0x3000u);
}

TEST(PciSpace, OddAccessesReadAllOnesAndWriteNothing) {
  PciSpace space(layout());
  EXPECT_EQ(space.read(1, 2), 0xFFFFFFFFu);
  EXPECT_EQ(space.read(2, 4), 0xFFFFFFFFu);
  EXPECT_EQ(space.read(0, 3), 0xFFFFFFFFu);
  EXPECT_EQ(space.read(4096, 4), 0xFFFFFFFFu);
  EXPECT_EQ(space.write(0x3F, 0xFFFF, 2), 0u);
  EXPECT_EQ(space.write(4094, 0, 4), 0u);
}

TEST(PciSpace, AspmAndLinkSurviveAFunctionLevelResetOnly) {
  PciSpace space(layout());
  const uint16_t pcie = capability(space, 0x10);
  space.write(pcie + 0x10, 3, 2);
  space.write(0x04, 6, 2);
  space.reset(PciSpace::Reset::kFunctionLevel);
  EXPECT_EQ(space.read(pcie + 0x10, 2) & 3, 3u);
  EXPECT_FALSE(space.memory_enabled());
  EXPECT_FALSE(space.bus_master());
  space.reset(PciSpace::Reset::kConventional);
  EXPECT_EQ(space.read(pcie + 0x10, 2) & 3, 0u);
}

TEST(PciSpace, AerSettingsAreSticky) {
  PciSpace space(layout());
  const uint16_t aer = extended_capability(space, 0x0001);
  space.write(aer + 8, 0x00100000, 4);
  space.reset(PciSpace::Reset::kConventional);
  EXPECT_EQ(space.read(aer + 8, 4), 0x00100000u);
  space.reset(PciSpace::Reset::kPowerOn);
  EXPECT_EQ(space.read(aer + 8, 4), 0u);
}

TEST(PciSpace, PowerStates) {
  PciSpace space(layout());
  const uint16_t pm = capability(space, 0x01);
  EXPECT_EQ(space.read(pm + 4, 2), 0x0008u) << "D0, No_Soft_Reset";
  EXPECT_EQ(space.write(pm + 4, 3, 2), PciSpace::kAccess);
  EXPECT_FALSE(space.in_d0());
  space.write(pm + 4, 1, 2);
  EXPECT_EQ(space.read(pm + 4, 2) & 3, 3u) << "D1 is not there";
  space.write(pm + 4, 0, 2);
  EXPECT_TRUE(space.in_d0());
}

TEST(PciSpace, FunctionLevelResetIsAsked) {
  PciSpace space(layout());
  const uint16_t control = static_cast<uint16_t>(capability(space, 0x10) + 8);
  EXPECT_NE(space.read(control - 4, 4) & 1U << 28, 0u);
  EXPECT_EQ(space.write(control, 0x8000, 2) & PciSpace::kFlr, PciSpace::kFlr);
  EXPECT_EQ(space.read(control, 2) & 0x8000, 0u) << "reads as 0";
  EXPECT_EQ(space.write(control, 0x2810, 2) & PciSpace::kFlr, 0u);
}

TEST(PciFunction, BarNeedsMemoryEnableAndD0) {
  TestHost host;
  EXPECT_EQ(host.reg32(0x1C), 1u);
  host.set_command(0x0404);
  EXPECT_EQ(host.reg32(0x1C), 0xFFFFFFFFu);
  host.set_command(0x0406);
  EXPECT_EQ(host.reg32(0x1C), 1u);
  host.device.config_write(0x44, 3, 2);
  EXPECT_EQ(host.reg32(0x1C), 0xFFFFFFFFu);
  EXPECT_EQ(host.device.config_read(0x00, 2), 0x1D1Du) << "configuration space stays";
  host.device.config_write(0x44, 0, 2);
  EXPECT_EQ(host.reg32(0x1C), 1u) << "No_Soft_Reset: nothing was lost";
  EXPECT_EQ(host.device.bar_size(0), 16384u);
  EXPECT_EQ(host.device.bar_size(4), 0u);
}

TEST(PciFunction, NothingIsFetchedWithoutBusMaster) {
  TestHost host;
  host.set_command(0x0402);
  host.submit(host.admin, Command::make(0x0A).set(10, 7));
  EXPECT_FALSE(host.poll(host.admin));
  host.set_command(0x0406);
  EXPECT_EQ(host.wait(host.admin).status(), 0);
}

TEST(PciFunction, UnpluggedReadsAllOnes) {
  TestHost host;
  host.device.unplug();
  EXPECT_EQ(host.device.config_read(0, 4), 0xFFFFFFFFu);
  EXPECT_EQ(host.reg64(0x00), UINT64_MAX);
  host.device.plug(host);
  EXPECT_EQ(host.device.config_read(0x04, 2), 0u);
  host.set_command(0x0406);
  EXPECT_EQ(host.reg32(0x14), 0u);
  host.enable();
  EXPECT_EQ(host.reg32(0x1C), 1u);
}

TEST(PciFunction, ResetsStopTheController) {
  TestHost host;
  HostQueue q = host.create_queue(1);
  const uint64_t page = host.page();
  EXPECT_EQ(host.status(q, write_command(page, 0, 1)), 0);
  // Initiate Function Level Reset, in Device Control of the PCI Express capability.
  host.device.config_write(0x78, 0x8000, 2);
  EXPECT_EQ(host.reg32(0x1C), 0xFFFFFFFFu) << "memory space is disabled again";
  host.set_command(0x0406);
  EXPECT_EQ(host.reg32(0x1C), 0u);
  EXPECT_EQ(host.reg64(0x28), 0u) << "ASQ";
  host.enable();
  host.device.hot_reset();
  EXPECT_EQ(host.device.config_read(0x04, 2), 0u);
}

}  // namespace
}  // namespace pynvme::ssd::testing
