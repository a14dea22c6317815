// Against the SSD's own server, in this process and over a socket, and against servers that offer
// less or speak nonsense.
#include "pcie/vfio_user/function.h"

#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "base/framed_socket.h"
#include "pcie/bus.h"
#include "pcie/config_space.h"
#include "pcie/embedded/served_ssd.h"
#include "pcie/vfio_user/test_server.h"

namespace pynvme::pcie {
namespace {

class VfioUserFunctionTest : public ::testing::Test {
 protected:
  VfioUserFunctionTest() {
    char folder[] = "/tmp/pynvme-test-XXXXXX";
    folder_ = mkdtemp(folder);
    path_ = folder_ + "/ssd.sock";
    serve();
  }
  ~VfioUserFunctionTest() override {
    ssd_.reset();
    rmdir(folder_.c_str());
  }
  void serve() {
    ssd_.reset();
    ssd_ = std::make_unique<ServedSsd>("capacity=64MiB,latency=0");
    ssd_->listen_vfio_user(path_);
  }

  std::string folder_;
  std::string path_;
  std::unique_ptr<ServedSsd> ssd_;
};

TEST_F(VfioUserFunctionTest, HasRegionsDoorbellsAndVectors) {
  VfioUserFunction function("unix:" + path_, path_);
  EXPECT_EQ(function.config_size(), 4096U);
  EXPECT_EQ(function.bar_size(0), 0x4000U);
  EXPECT_EQ(function.bar_size(1), 0U);
  EXPECT_EQ(function.bar_size(6), 0U);
  EXPECT_EQ(function.bar_read(0, 8, 4), 0x0001'0400U);
  EXPECT_EQ(function.bar_read(0, 0, 8) >> 32, 0x30U);
  EXPECT_EQ(function.interrupt_vectors(InterruptKind::kMsix), 17U);
  EXPECT_EQ(function.interrupt_vectors(InterruptKind::kMsi), 32U);
  EXPECT_EQ(function.interrupt_vectors(InterruptKind::kPin), 1U);
  const auto doorbells = function.doorbells(4);
  EXPECT_NE(doorbells.base, nullptr);
  EXPECT_EQ(doorbells.direct_bytes, 0x1000U);  // stored, not told
  EXPECT_EQ(doorbells.poll, nullptr);
}

TEST_F(VfioUserFunctionTest, AServerThatEndsIsADeviceThatHasLeft) {
  VfioUserFunction function("unix:" + path_, path_);
  EXPECT_FALSE(function.removed());
  ssd_.reset();
  EXPECT_EQ(function.bar_read(0, 8, 4), UINT32_MAX);
  EXPECT_EQ(function.bar_read(0, 0, 8), UINT64_MAX);
  EXPECT_EQ(function.config_read(0, 2), 0xFFFFU);
  EXPECT_TRUE(function.removed());
  EXPECT_TRUE(function.absent());
  EXPECT_EQ(function.removal(),
            "That is because the server is gone; start its server again, close "
            "this one and open unix:" +
                path_ + " anew");
  function.bar_write(0, 0x14, 1, 4);
  function.doorbells(4).base[0] = 1;
  EXPECT_EQ(function.take_interrupts(0), 0U);
}

TEST_F(VfioUserFunctionTest, PowerIsTheCable) {
  VfioUserFunction function("unix:" + path_, path_);
  const auto doorbells = function.doorbells(4);
  function.bar_write(0, 0x24, 0x001F'001F, 4);
  EXPECT_EQ(function.bar_read(0, 0x24, 4), 0x001F'001FU);
  function.power_off();
  EXPECT_EQ(function.bar_read(0, 0x24, 4), UINT32_MAX);
  EXPECT_FALSE(function.removed());
  serve();  // another process would do as well
  function.power_on();
  EXPECT_EQ(function.bar_read(0, 0x24, 4), 0U);
  EXPECT_EQ(function.doorbells(4).base, doorbells.base);  // queues have it
}

TEST_F(VfioUserFunctionTest, TheBusOpensItByName) {
  auto function = Bus::instance().open("unix:" + path_);
  EXPECT_EQ(function->name(), "unix:" + path_);
  EXPECT_THROW(Bus::instance().open(path_), OpenError);  // by this process
  ssd_.reset();
  EXPECT_EQ(function->bar_read(0, 8, 4), UINT32_MAX);
  serve();
  const auto again = Bus::instance().open(path_);
  EXPECT_EQ(again->bar_read(0, 8, 4), 0x0001'0400U);
  function.reset();
  EXPECT_EQ(again->bar_read(0, 8, 4), 0x0001'0400U);
}

// The served SSD, with some of its answers changed on the way.
class EditedServer final : public base::FrameChannel {
 public:
  using Edit = std::function<void(uint16_t command, base::Frame& frame)>;

  EditedServer(const std::string& path, Edit edit)
      : socket_(base::connect_unix(path), {16, 4, 2U << 20}), edit_(std::move(edit)) {}

  Got receive(base::Frame& frame, int timeout_ms) override {
    const Got got = socket_.receive(frame, timeout_ms);
    if (got == Got::kFrame) {
      uint16_t command = 0;
      std::memcpy(&command, frame.bytes.data() + 2, sizeof(command));
      edit_(command, frame);
      const auto size = static_cast<uint32_t>(frame.bytes.size());
      std::memcpy(frame.bytes.data() + 4, &size, sizeof(size));
    }
    return got;
  }
  bool send(std::span<const uint8_t> bytes, std::span<const int> fds) override {
    return socket_.send(bytes, fds);
  }

 private:
  base::FramedSocket socket_;
  Edit edit_;
};

constexpr uint16_t kRegionInfo = 5;
constexpr size_t kPayload = 16;

uint32_t region_of(const base::Frame& frame) {
  uint32_t index = UINT32_MAX;
  if (frame.bytes.size() >= kPayload + 12) {
    std::memcpy(&index, frame.bytes.data() + kPayload + 8, sizeof(index));
  }
  return index;
}

void set_region_bytes(base::Frame& frame, uint64_t bytes) {
  std::memcpy(frame.bytes.data() + kPayload + 16, &bytes, sizeof(bytes));
}

TEST_F(VfioUserFunctionTest, ABarOfAnyLengthHasItsDoorbells) {
  for (const uint64_t bytes : {0x1008ULL, 0x1800ULL, 0x2001ULL, 1ULL << 60}) {
    VfioUserFunction function("edited", [&](bool) {
      return std::make_unique<VfioUserConnection>(
          std::make_unique<EditedServer>(path_, [bytes](uint16_t command, base::Frame& frame) {
            if (command == kRegionInfo && region_of(frame) == 0) set_region_bytes(frame, bytes);
          }));
    });
    EXPECT_EQ(function.bar_size(0), bytes);
    const auto doorbells = function.doorbells(4);
    ASSERT_NE(doorbells.base, nullptr) << bytes;
    doorbells.base[0] = 0;
    doorbells.base[1] = 0;
    EXPECT_EQ(doorbells.direct_bytes, bytes < 0x2000 ? 0U : 0x1000U);
  }
}

TEST_F(VfioUserFunctionTest, DoorbellsBeyondTheMappedOnesAreMessages) {
  ssd_.reset();
  ssd_ = std::make_unique<ServedSsd>("capacity=64MiB,latency=0,queues=1000");
  ssd_->listen_vfio_user(path_);
  std::vector<uint64_t> stored;
  VfioUserFunction function("edited", [&](bool) {
    return std::make_unique<VfioUserConnection>(
        std::make_unique<EditedServer>(path_, [&](uint16_t command, base::Frame& frame) {
          constexpr uint64_t kOnePage = 4096;
          constexpr size_t kFirstAreaBytes = kPayload + 32 + 16 + 8;
          if (command == kRegionInfo && region_of(frame) == 0) {
            std::memcpy(frame.bytes.data() + kFirstAreaBytes, &kOnePage, sizeof(kOnePage));
          }
          if (command == 10) {
            std::memcpy(&stored.emplace_back(), frame.bytes.data() + kPayload, sizeof(uint64_t));
          }
        }));
  });
  const auto doorbells = function.doorbells(4);
  EXPECT_EQ(doorbells.direct_bytes, 0x1000U);
  stored.clear();
  ASSERT_NE(doorbells.rung, nullptr);
  doorbells.base[1024] = 0;
  doorbells.rung(doorbells.device, 1024);
  EXPECT_EQ(stored, std::vector<uint64_t>{0x2000});
}

TEST_F(VfioUserFunctionTest, ARegionThatAServerDoesNotKnowIsNotThere) {
  VfioUserFunction function("edited", [&](bool) {
    return std::make_unique<VfioUserConnection>(
        std::make_unique<EditedServer>(path_, [](uint16_t command, base::Frame& frame) {
          const uint32_t region = region_of(frame);
          if (command != kRegionInfo || region == 0 || region == 7) return;
          frame.bytes.resize(kPayload);
          frame.bytes[8] = 0x21;
          frame.bytes[12] = 22;
        }));
  });
  EXPECT_EQ(function.bar_size(0), 0x4000U);
  EXPECT_EQ(function.bar_size(1), 0U);
  EXPECT_EQ(function.bar_read(0, 8, 4), 0x0001'0400U);
}

TEST(VfioUserHostileServer, NothingItSaysHurts) {
  std::mt19937 random(1);
  for (int turn = 0; turn < 2000; ++turn) {
    std::vector<uint8_t> input;
    // The beginning that is right: VERSION, GET_INFO, so that the rest is looked at.
    const std::vector<uint8_t> greeting{0, 4, 0, 0, 0, 1, 0};
    const std::vector<uint8_t> info{0, 16, 0, 16, 0, 0, 0, 3, 0, 0, 0, 9, 0, 0, 0, 5, 0, 0, 0};
    input.insert(input.end(), greeting.begin(), greeting.end());
    input.insert(input.end(), info.begin(), info.end());
    for (int i = 0; i < 40; ++i) {
      const auto length = static_cast<uint8_t>(random() % 3 == 0 ? random() % 80 : 64);
      const uint8_t kind = random() % 4 == 0 ? static_cast<uint8_t>(random()) : 0x50;
      input.insert(input.end(), {kind, length, 0});
      for (unsigned k = 0; k < length; ++k) {
        constexpr uint8_t kUsual[] = {0, 0, 0, 1, 0x10, 0x20, 0x40, 0xFF, 15, 32};
        input.push_back(random() % 8 == 0 ? static_cast<uint8_t>(random())
                                          : kUsual[random() % sizeof(kUsual)]);
      }
    }
    testing::use_hostile_server(input.data(), input.size());
  }
}

}  // namespace
}  // namespace pynvme::pcie
