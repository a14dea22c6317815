#include "pcie/embedded/slot.h"

#include <stdexcept>

#include <gtest/gtest.h>

#include "pcie/bus.h"
#include "pcie/embedded/function.h"

namespace pynvme::pcie {
namespace {

constexpr const char* kConfig = "capacity=1MiB,latency=0";

TEST(EmbeddedSlot, TheSsdIsThereAsLongAsTheSlot) {
  auto slot = EmbeddedSlot::make("77:00.0", kConfig);
  EXPECT_TRUE(slot->plugged());
  EXPECT_EQ(EmbeddedSlot::find("0000:77:00.0"), slot);
  const auto function = Bus::instance().open("77:00.0");
  EXPECT_NE(function->config_read(0, 4), 0xFFFFFFFFU);
  slot.reset();
  EXPECT_EQ(function->config_read(0, 4), 0xFFFFFFFFU);
  EXPECT_EQ(EmbeddedSlot::find("0000:77:00.0"), nullptr);
  EXPECT_THROW(Bus::instance().open("77:00.0"), OpenError);
}

TEST(EmbeddedSlot, UnplugsAndPlugsAgain) {
  const auto slot = EmbeddedSlot::make("77:01.0", kConfig);
  slot->unplug();
  slot->unplug();
  EXPECT_FALSE(slot->plugged());
  EXPECT_THROW(Bus::instance().open("77:01.0"), OpenError);
  slot->plug();
  EXPECT_NE(Bus::instance().open("77:01.0"), nullptr);
}

TEST(EmbeddedSlot, AFunctionThatIsStillOpenKeepsOutOfTheWayOfANewOne) {
  const auto slot = EmbeddedSlot::make("77:04.0", kConfig);
  auto old = Bus::instance().open("77:04.0");
  slot->unplug();
  EXPECT_EQ(EmbeddedSlot::find("0000:77:04.0"), nullptr);
  EXPECT_EQ(old->config_read(0, 4), 0xFFFFFFFFU);
  slot->plug();
  EXPECT_EQ(slot->plugs(), 2U);
  const auto again = Bus::instance().open("77:04.0");
  EXPECT_NE(again->config_read(0, 4), 0xFFFFFFFFU);
  // The device works for the new one; the old one is still outside.
  EXPECT_EQ(old->config_read(0, 4), 0xFFFFFFFFU);
  EXPECT_EQ(old->bar_read(0, 8, 4), 0xFFFFFFFFU);
  old->config_write(4, 0, 2);
  old->power_off();
  old.reset();
  EXPECT_NE(again->config_read(0, 4), 0xFFFFFFFFU);
  EXPECT_EQ(again->config_read(4, 2) & 6, 6U);               // memory space and bus master
  EXPECT_THROW(Bus::instance().open("77:04.0"), OpenError);  // it is the new one's
}

TEST(EmbeddedSlot, TheDeviceMayGoOnInAnotherSlot) {
  const auto device = make_embedded_device(kConfig);
  auto& bus = Bus::instance();
  bus.plug("77:05.0", device);
  auto old = bus.open("77:05.0");
  bus.unplug("77:05.0");
  bus.plug("77:06.0", device);
  const auto again = bus.open("77:06.0");
  old.reset();
  EXPECT_NE(again->config_read(0, 4), 0xFFFFFFFFU);
  bus.unplug("77:06.0");
}

TEST(EmbeddedSlot, FindsWhatIsPluggedIn) {
  const auto first = EmbeddedSlot::make("77:07.0", kConfig);
  first->unplug();
  auto second = EmbeddedSlot::make("77:07.0", kConfig);
  EXPECT_EQ(EmbeddedSlot::find("0000:77:07.0"), second);
  second->unplug();
  first->plug();
  EXPECT_EQ(EmbeddedSlot::find("0000:77:07.0"), first);
  second.reset();
  EXPECT_EQ(EmbeddedSlot::find("0000:77:07.0"), first);
}

TEST(EmbeddedSlot, RefusesAnAddressThatIsTakenAndAWrongConfiguration) {
  const auto slot = EmbeddedSlot::make("77:02.0", kConfig);
  EXPECT_THROW(EmbeddedSlot::make("77:02.0", kConfig), OpenError);
  EXPECT_EQ(EmbeddedSlot::find("0000:77:02.0"), slot);
  EXPECT_THROW(EmbeddedSlot::make("77:03.0", "colour=red"), std::invalid_argument);
}

}  // namespace
}  // namespace pynvme::pcie
