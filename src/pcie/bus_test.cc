// Opening by name: who gets which device, and what is said when it cannot be.
#include "pcie/bus.h"

#include <functional>
#include <string>

#include <gtest/gtest.h>

#include "pcie/address.h"
#include "pcie/embedded/function.h"
#include "spec/pci.h"
#include "spec/registers.h"

namespace pynvme::pcie {
namespace {

constexpr const char* kSmall = "sim:capacity=16MiB,latency=0,serial=BUSTEST";

std::string why(const std::function<void()>& action) {
  try {
    action();
  } catch (const OpenError& error) {
    return error.what();
  }
  return "opened";
}

TEST(BusTest, AnOpenedFunctionIsSetUp) {
  const auto function = Bus::instance().open(kSmall);
  EXPECT_EQ(function->name(), kSmall);
  EXPECT_EQ(function->config_read(spec::pci::kCommand, 2) & 6, 6U);
  const spec::Cap cap{function->bar_read(0, spec::reg::kCap, 8)};
  EXPECT_EQ(cap.mqes(), 1023);
}

TEST(BusTest, ASecondOpenIsRefusedUntilTheFirstIsClosed) {
  auto first = Bus::instance().open(kSmall);
  const auto text = why([] { Bus::instance().open(kSmall); });
  EXPECT_NE(text.find(std::string(kSmall) + " is open already"), std::string::npos) << text;
  first.reset();
  EXPECT_NO_THROW(Bus::instance().open(kSmall));
}

TEST(BusTest, DiscardForgetsTheDevice) {
  auto open = Bus::instance().open(kSmall);
  EXPECT_NE(why([] { Bus::instance().discard(kSmall); }).find("is open"), std::string::npos);
  open.reset();
  EXPECT_TRUE(Bus::instance().discard(kSmall));
  EXPECT_FALSE(Bus::instance().discard(kSmall));
}

TEST(BusTest, ADeviceThatIsNotThereIsNamedWithTheReason) {
  EXPECT_NE(why([] { Bus::instance().open("7f:1f.7"); }).find("no device at 0000:7f:1f.7"),
            std::string::npos);
  EXPECT_NE(why([] { Bus::instance().open("10.0.0.1"); }).find("no PCI function"),
            std::string::npos);
  EXPECT_NE(why([] {
              Bus::instance().open("unix:/x");
            }).find("cannot open unix:/x: there is no such socket"),
            std::string::npos);
  EXPECT_THROW(Bus::instance().open("nonsense"), AddressError);
  EXPECT_THROW(Bus::instance().open("sim:nonsense=1"), std::invalid_argument);
  // A failed open leaves nothing behind.
  EXPECT_THROW(Bus::instance().open("sim:nonsense=1"), std::invalid_argument);
}

TEST(BusTest, PluggedDevicesAreFoundAndGoneWhenUnplugged) {
  auto& bus = Bus::instance();
  bus.plug("0a:00.0", make_embedded_device("capacity=16MiB,latency=0"));
  EXPECT_NE(why([&] {
              bus.plug("0000:0a:00.0", make_embedded_device("capacity=16MiB"));
            }).find("is taken"),
            std::string::npos);
  auto function = bus.open("0a:00.0");
  EXPECT_EQ(function->name(), "0000:0a:00.0");
  bus.unplug("0a:00.0");
  EXPECT_EQ(function->config_read(0, 4), UINT32_MAX);
  EXPECT_EQ(function->bar_read(0, 0, 4), UINT32_MAX);
  function.reset();
  EXPECT_NE(why([&] { bus.open("0a:00.0"); }).find("no device at"), std::string::npos);
  EXPECT_NE(why([&] { bus.unplug("0a:00.0"); }).find("nothing is plugged in"), std::string::npos);
  EXPECT_NE(why([&] { bus.plug("sim", nullptr); }).find("a PCI address"), std::string::npos);
}

}  // namespace
}  // namespace pynvme::pcie
