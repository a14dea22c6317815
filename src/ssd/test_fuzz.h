// A hostile host: turns bytes into register accesses, doorbells, commands and power events, and
// holds the device to two promises: no byte outside of what is mapped is ever written, and none at
// all while the controller is disabled. Used with random bytes by the tests and by libFuzzer.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

#include "base/clock.h"
#include "ssd/device.h"

namespace pynvme::ssd::testing {

class HostileHost : public HostPort {
 public:
  static constexpr uint64_t kBase = 0x10000;
  static constexpr uint64_t kPages = 48;
  static constexpr uint64_t kGuardPages = 4;

  HostileHost(const uint8_t* data, size_t size)
      : data_(data), size_(size), clock_(base::Clock::manual(1)) {
    Config config;
    config.capacity_bytes = 1 << 20;
    config.io_queues = 4;
    config.mqes = 63;
    config.cache_bytes = 64 << 10;
    const uint8_t flags = byte();
    config.latency_scale = (flags & 1) != 0 ? 1.0 : 0.0;
    config.namespaces = (flags & 2) != 0 ? 2 : 1;
    config.version = (flags & 4) != 0 ? 0x20000 : 0x10400;
    config.mdts_bytes = (flags & 8) != 0 ? 0 : 16384;
    config.lba_bytes = (flags & 16) != 0 ? 4096 : 512;
    config.doorbell_stride = (flags & 32) != 0 ? 2 : 0;
    stride_ = config.doorbell_stride;
    const size_t pages = kPages + 2 * kGuardPages;
    arena_ = static_cast<uint8_t*>(std::aligned_alloc(4096, pages * 4096));
    std::memset(arena_, kGuard, pages * 4096);
    memory_ = arena_ + kGuardPages * 4096;
    std::memset(memory_, 0, kPages * 4096);
    device_ = std::make_unique<Device>(config, clock_);
    device_->plug(*this);
    map();
    start();
  }
  ~HostileHost() override {
    device_->unplug();
    device_.reset();
    std::free(arena_);
  }
  HostileHost(const HostileHost&) = delete;
  HostileHost& operator=(const HostileHost&) = delete;

  void message(uint64_t, uint32_t, uint32_t) override {}
  void pin(bool) override {}

  // False when a promise was broken.
  bool run() {
    while (at_ < size_) step();
    // Disabled: whatever was outstanding never writes again.
    device_->bar_write(0, 0x14, 0, 4);
    std::vector<uint8_t> before(memory_, memory_ + kPages * 4096);
    for (uint32_t i = 0; i < 12; ++i) ring(i, 3);
    clock_.advance(1'000'000'000);
    device_->advance();
    const bool silent = std::equal(before.begin(), before.end(), memory_);
    const auto guarded = [](const uint8_t* from) {
      return std::all_of(from, from + kGuardPages * 4096, [](uint8_t b) { return b == kGuard; });
    };
    return silent && guarded(arena_) && guarded(memory_ + kPages * 4096);
  }

 private:
  static constexpr uint8_t kGuard = 0xA5;
  static constexpr uint64_t kQueuePages = 10;  // an SQ and a CQ each for five queues

  uint8_t byte() { return at_ < size_ ? data_[at_++] : 0; }
  template <typename T>
  T number() {
    T value = 0;
    for (size_t i = 0; i < sizeof(T); ++i) value = static_cast<T>(value | T{byte()} << (8 * i));
    return value;
  }
  uint64_t sq_page(unsigned q) const { return kBase + 2 * q * 4096; }

  void map() {
    device_->dma_map(kBase, memory_, kPages * 4096);
    mapped_ = true;
  }
  void ring(uint32_t index, uint32_t value) {
    device_->bar_write(0, 0x1000 + (static_cast<uint64_t>(index) << (2 + stride_)), value, 4);
  }
  void start() {
    device_->config_write(0x04, 0x0006, 2);
    device_->bar_write(0, 0x24, 0x000F000F, 4);
    device_->bar_write(0, 0x28, sq_page(0), 8);
    device_->bar_write(0, 0x30, sq_page(0) + 4096, 8);
    device_->bar_write(0, 0x14, byte() % 4 == 0 ? 0x00460801 : 0x00460001, 4);
    std::fill(std::begin(tail_), std::end(tail_), uint16_t{0});
  }
  // Addresses that are good, nearly good, or nothing of the sort.
  uint64_t address() {
    const uint8_t kind = byte();
    const uint64_t page = kBase + (kQueuePages + kind % (kPages - kQueuePages)) * 4096;
    switch (byte() % 8) {
      case 0:
        return page + (number<uint16_t>() & 0xFFC);
      case 1:
        return page + number<uint16_t>() % 4096;
      case 2:
        return kBase + kPages * 4096 - 4096 + number<uint16_t>();
      case 3:
        return number<uint64_t>();
      default:
        return page;
    }
  }
  void place(unsigned q, const uint32_t* dw) {
    std::memcpy(memory_ + (sq_page(q) - kBase) + (tail_[q] % 16) * 64, dw, 64);
    tail_[q] = static_cast<uint16_t>((tail_[q] + 1) % 16);
  }
  void send(unsigned q, const uint32_t* dw) {
    place(q, dw);
    if (byte() % 4 != 0) ring(2 * q, tail_[q]);
  }
  void create_queues(unsigned q) {
    uint32_t dw[16] = {0x05};
    dw[6] = static_cast<uint32_t>(sq_page(q) + 4096);
    dw[10] = 15U << 16 | q;
    dw[11] = 1 | (byte() & 2) | static_cast<uint32_t>(byte() % 6) << 16;
    place(0, dw);
    uint32_t sq[16] = {0x01};
    sq[6] = static_cast<uint32_t>(sq_page(q));
    sq[10] = 15U << 16 | q;
    sq[11] = 1 | (byte() & 6) | (byte() % 8 == 0 ? byte() % 5 : q) << 16;
    place(0, sq);
    ring(0, tail_[0]);
    tail_[q] = 0;
  }
  void admin_command() {
    static constexpr uint8_t kOpcodes[] = {0x00, 0x01, 0x02, 0x04, 0x05, 0x06, 0x08,
                                           0x09, 0x0A, 0x0C, 0x10, 0x11, 0x80, 0x84};
    uint32_t dw[16] = {};
    dw[0] = kOpcodes[byte() % std::size(kOpcodes)] | static_cast<uint32_t>(byte() % 32) << 16;
    dw[1] = byte() % 4 == 0 ? number<uint32_t>() : byte() % 3;
    const uint64_t prp1 = address();
    const uint64_t prp2 = address();
    std::memcpy(dw + 6, &prp1, 8);
    std::memcpy(dw + 8, &prp2, 8);
    for (unsigned i = 11; i < 14; ++i) dw[i] = byte() % 4 != 0 ? byte() % 4 : number<uint32_t>();
    // CNS, FID, LID and the like are small; what lies above them is a size, an offset or flags.
    dw[10] = byte() % 0x14 | static_cast<uint32_t>(byte() % 4) << 8;
    dw[10] |= byte() % 2 == 0 ? static_cast<uint32_t>(byte()) << 16 : number<uint32_t>() << 16;
    send(0, dw);
  }
  void io_command(unsigned q) {
    static constexpr uint8_t kOpcodes[] = {0x00, 0x01, 0x02, 0x04, 0x05, 0x08, 0x09, 0x0C, 0x19};
    uint32_t dw[16] = {};
    dw[0] = kOpcodes[byte() % std::size(kOpcodes)] | static_cast<uint32_t>(byte() % 64) << 16;
    const uint8_t odd = byte();
    if (odd % 8 == 0) dw[0] |= static_cast<uint32_t>(odd / 8 % 4) << 8;
    if (odd == 255) dw[0] |= 1U << 14;
    dw[1] = odd % 16 == 1 ? number<uint32_t>() : 1 + odd % 2;
    const uint64_t prp1 = address();
    const uint64_t prp2 = address();
    std::memcpy(dw + 6, &prp1, 8);
    std::memcpy(dw + 8, &prp2, 8);
    dw[10] = odd % 16 == 2 ? number<uint32_t>() : number<uint16_t>() % 2048;
    dw[11] = odd % 16 == 3 ? number<uint32_t>() : (dw[0] & 0xFF) == 0x09 ? 4 : 0;
    dw[12] = odd % 16 == 4 ? number<uint32_t>() : byte() % 40;
    send(q, dw);
  }
  // A host that has broken the device mends it now and then, or little else would ever be reached.
  void mend() {
    if (device_->bar_read(0, 0x1C, 4) == 1 || byte() % 2 == 0) return;
    device_->dma_unmap(kBase, kPages * 4096);
    map();
    device_->hot_reset();
    start();
    for (unsigned q = 1; q < 5; ++q) create_queues(q);
  }
  void step() {
    mend();
    const uint8_t what = byte();
    const unsigned q = 1 + byte() % 4;
    switch (what % 32) {
      case 0:
        device_->bar_write(0, number<uint16_t>() & 0x7FF8, number<uint64_t>(), 8);
        break;
      case 1:
        device_->bar_write(0, number<uint16_t>(), number<uint32_t>(), 1U << byte() % 4);
        break;
      case 2:
        device_->bar_read(byte() % 6, number<uint16_t>(), 1U << byte() % 5);
        break;
      case 3:
        ring(number<uint16_t>() % 16, number<uint32_t>());
        break;
      case 4:
        ring(byte() % 10, byte() % 20);
        break;
      case 5:
        device_->config_write(number<uint16_t>() % 4096, number<uint32_t>(), 1U << byte() % 4);
        break;
      case 6:
        device_->config_read(number<uint16_t>(), 1U << byte() % 4);
        break;
      case 7:
        if (byte() % 4 == 0) device_->hot_reset();
        start();
        break;
      case 8:
        if (byte() % 4 == 0) {
          device_->power_off();
          device_->power_on();
        }
        break;
      case 9:
        if (mapped_) device_->dma_unmap(kBase + byte() % kPages * 4096, 4096ULL * (byte() % 8));
        if (byte() % 2 == 0) {
          device_->dma_unmap(kBase, kPages * 4096);
          map();
        }
        break;
      case 10: {
        uint32_t dw[16];
        for (uint32_t& word : dw) word = number<uint32_t>();
        send(byte() % 5, dw);
        break;
      }
      case 11: {
        // A PRP list, good or not.
        const uint64_t page = (kQueuePages + byte() % (kPages - kQueuePages)) * 4096;
        for (unsigned i = 0; i < 16; ++i) {
          const uint64_t entry = address();
          std::memcpy(memory_ + page + (i < 8 ? i * 8 : 4096 - (i - 7) * 8), &entry, 8);
        }
        break;
      }
      case 12:
      case 13:
        create_queues(q);
        break;
      case 14:
      case 15:
      case 16:
      case 17:
        admin_command();
        break;
      case 18:
      case 19:
        clock_.advance(number<uint32_t>() >> (what % 8));
        device_->advance();
        break;
      case 20:
        // Takes the queue's completions, as if all were read.
        for (uint16_t head = 0; head < 16; ++head) ring(2 * q + 1, head);
        break;
      case 21:
        for (uint16_t head = 0; head < 16; ++head) ring(1, head);
        break;
      default:
        io_command(q);
    }
  }

  const uint8_t* data_;
  size_t size_;
  size_t at_ = 0;
  base::Clock clock_;
  uint8_t stride_ = 0;
  uint8_t* arena_ = nullptr;
  uint8_t* memory_ = nullptr;
  bool mapped_ = false;
  uint16_t tail_[5] = {};
  std::unique_ptr<Device> device_;
};

}  // namespace pynvme::ssd::testing
