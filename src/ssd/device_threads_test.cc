// Many threads on one device: queues in parallel with admin work, resets under fire. What the
// thread sanitizer has to say about it is the point; the data are checked as well.
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "ssd/test_host.h"

namespace pynvme::ssd::testing {
namespace {

class ThreadsTest : public ::testing::TestWithParam<double>, public HostPort {
 protected:
  static constexpr uint64_t kBase = 0x100000;
  static constexpr uint64_t kPages = 64;
  static constexpr unsigned kQueues = 4;

  static Config config() {
    Config config;
    config.capacity_bytes = 16 << 20;
    config.namespaces = 2;
    config.latency_scale = GetParam();
    return config;
  }
  ThreadsTest() : memory_(static_cast<uint8_t*>(std::aligned_alloc(4096, kPages * 4096))) {
    std::memset(memory_, 0, kPages * 4096);
    device_.plug(*this);
    device_.dma_map(kBase, memory_, kPages * 4096);
  }
  ~ThreadsTest() override {
    device_.unplug();
    std::free(memory_);
  }
  void message(uint64_t, uint32_t, uint32_t) override { ++messages_; }
  void pin(bool) override {}

  // Queue q: SQ, CQ, two pages of data.
  static uint64_t page(unsigned q, unsigned which) { return kBase + (q * 4 + which) * 4096; }
  uint8_t* at(uint64_t iova) { return memory_ + (iova - kBase); }
  void place(unsigned q, uint32_t entry, const Command& command) {
    std::memcpy(at(page(q, 0)) + entry * 64, command.dw.data(), 64);
  }
  void ring(uint32_t index, uint32_t value) { device_.bar_write(0, 0x1000 + 4 * index, value, 4); }
  // Waits for the phase of a completion, as a host on another core does.
  uint16_t wait(unsigned q, uint32_t entry, uint32_t phase) {
    auto& half = *reinterpret_cast<uint64_t*>(at(page(q, 1)) + entry * 16 + 8);
    const uint64_t deadline = base::Clock::real().now_ns() + 60'000'000'000;
    for (;;) {
      const uint64_t value = std::atomic_ref(half).load(std::memory_order_acquire);
      if ((value >> 48 & 1) == phase) return static_cast<uint16_t>(value >> 49 & 0x7FF);
      device_.advance();
      if (base::Clock::real().now_ns() > deadline) {
        ADD_FAILURE() << "queue " << q << " entry " << entry;
        return 0xFFFF;
      }
      std::this_thread::yield();
    }
  }
  void start() {
    device_.config_write(0x04, 0x0406, 2);
    device_.bar_write(0, 0x24, 0x001F001F, 4);
    device_.bar_write(0, 0x28, page(0, 0), 8);
    device_.bar_write(0, 0x30, page(0, 1), 8);
    device_.bar_write(0, 0x14, 0x00460001, 4);
    admin_tail_ = 0;
  }
  uint16_t admin(const Command& command) {
    const uint32_t phase = admin_tail_ / 32 % 2 == 0 ? 1 : 0;
    const uint32_t entry = admin_tail_++ % 32;
    place(0, entry, command);
    ring(0, admin_tail_ % 32);
    const uint16_t status = wait(0, entry, phase);
    ring(1, admin_tail_ % 32);
    return status;
  }
  void create(unsigned q) {
    ASSERT_EQ(admin(Command::make(0x05).prp(page(q, 1)).set(10, 31 << 16 | q).set(11, q << 16 | 3)),
              0);
    ASSERT_EQ(admin(Command::make(0x01).prp(page(q, 0)).set(10, 31 << 16 | q).set(11, q << 16 | 1)),
              0);
  }

  uint8_t* memory_;
  std::atomic<uint64_t> messages_{0};
  uint32_t admin_tail_ = 0;
  Device device_{config(), base::Clock::real()};
};

TEST_P(ThreadsTest, QueuesInParallelWithAdminWork) {
  start();
  for (unsigned q = 1; q <= kQueues; ++q) create(q);
  std::atomic<unsigned> running{kQueues};
  std::vector<std::thread> threads;
  for (unsigned q = 1; q <= kQueues; ++q) {
    threads.emplace_back([&, q] {
      // Each writes and reads a range of its own, in pairs.
      for (uint32_t i = 0; i < 600; ++i) {
        const uint32_t phase = i / 32 % 2 == 0 ? 1 : 0;
        const bool writes = i % 2 == 0;
        const uint64_t slba = q * 1000 + i / 2 % 50 * 8;
        if (writes) std::memset(at(page(q, 2)), static_cast<int>(q * 16 + i), 4096);
        place(q, i % 32,
              writes ? write_command(page(q, 2), slba, 8) : read_command(page(q, 3), slba, 8));
        ring(2 * q, (i + 1) % 32);
        EXPECT_EQ(wait(q, i % 32, phase), 0);
        ring(2 * q + 1, (i + 1) % 32);
        if (!writes) {
          EXPECT_EQ(std::memcmp(at(page(q, 2)), at(page(q, 3)), 4096), 0);
        }
      }
      --running;
    });
  }
  for (unsigned i = 0; running != 0; ++i) {
    EXPECT_EQ(admin(Command::make(0x06, 1).prp(page(0, 2))), 0);
    EXPECT_EQ(admin(Command::make(0x02, 0xFFFFFFFF).prp(page(0, 2)).set(10, 127 << 16 | 2)), 0);
    EXPECT_EQ(admin(Command::make(0x80, 2).set(10, i % 2)), 0);
    EXPECT_EQ(admin(Command::make(0x08).set(10, 0xFFFFu << 16 | 1)), 0);
    device_.dma_map(0x10000000, memory_, 4096);
    device_.dma_unmap(0x10000000, 4096);
    EXPECT_EQ(device_.bar_read(0, 0x1C, 4), 1u);
  }
  for (std::thread& thread : threads) thread.join();
}

TEST_P(ThreadsTest, ResetsUnderFire) {
  std::atomic<bool> stop{false};
  // Commands that never change: the threads only ring, in whatever state the device is.
  for (unsigned q = 1; q <= kQueues; ++q) {
    for (uint32_t entry = 0; entry < 32; ++entry) {
      place(q, entry,
            entry % 2 == 0 ? write_command(page(q, 2), q * 100, 8)
                           : read_command(page(q, 3), q * 100, 8));
    }
  }
  std::vector<std::thread> threads;
  for (unsigned q = 1; q <= kQueues; ++q) {
    threads.emplace_back([&, q] {
      for (uint32_t i = 0; !stop; ++i) {
        ring(2 * q, i % 32);
        ring(2 * q + 1, i % 32);
        device_.advance();
      }
    });
  }
  for (int i = 0; i < 20; ++i) {
    // The admin queue is this thread's own, and fresh each time.
    std::memset(at(page(0, 0)), 0, 8192);
    start();
    for (unsigned q = 1; q <= kQueues; ++q) create(q);
    switch (i % 5) {
      case 0:
        device_.bar_write(0, 0x14, 0, 4);
        break;
      case 1:
        device_.hot_reset();
        break;
      case 2:
        device_.power_off();
        device_.power_on();
        break;
      case 3:
        device_.config_write(0x78, 0x8000, 2);
        break;
      default:
        device_.bar_write(0, 0x20, 0x4E564D65, 4);
    }
  }
  stop = true;
  for (std::thread& thread : threads) thread.join();
}

INSTANTIATE_TEST_SUITE_P(Latency, ThreadsTest, ::testing::Values(0.0, 0.1),
                         [](const auto& param) { return param.param == 0 ? "Off" : "On"; });

}  // namespace
}  // namespace pynvme::ssd::testing
