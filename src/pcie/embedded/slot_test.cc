#include "pcie/embedded/slot.h"

#include <stdexcept>

#include <gtest/gtest.h>

#include "pcie/bus.h"

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

TEST(EmbeddedSlot, RefusesAnAddressThatIsTakenAndAWrongConfiguration) {
  const auto slot = EmbeddedSlot::make("77:02.0", kConfig);
  EXPECT_THROW(EmbeddedSlot::make("77:02.0", kConfig), OpenError);
  EXPECT_EQ(EmbeddedSlot::find("0000:77:02.0"), slot);
  EXPECT_THROW(EmbeddedSlot::make("77:03.0", "colour=red"), std::invalid_argument);
}

}  // namespace
}  // namespace pynvme::pcie
